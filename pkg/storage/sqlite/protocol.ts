/**
 * What the main thread and the database's thread say to each other. Values travel together in one `data` buffer that is
 * handed over, not copied; the messages hold their lengths, in the order in which they are mentioned.
 */
import type { History, Revision } from '../backend.ts';

/** Length of a value in `data`; -1 where there is none. */
type Length = number;

/** Key, expected revision. */
export type PackedCompare = readonly [key: string, revision: Revision];
/** Key, length of the value (-1: delete). */
export type PackedOp = readonly [key: string, length: Length];
/** A stored value without its key. */
export type PackedVersion = readonly [revision: Revision, createRevision: Revision, length: Length];
export type PackedItem = readonly [key: string, ...PackedVersion];

export interface PackedCommit {
  readonly compare: readonly PackedCompare[];
  readonly ops: readonly PackedOp[];
}

export type Request =
  /** One transaction. */
  | { readonly type: 'commit'; readonly commits: readonly PackedCommit[]; readonly data: Uint8Array }
  | { readonly type: 'get'; readonly key: string }
  /** `revision` 0: the newest. */
  | {
      readonly type: 'list';
      readonly start: string;
      readonly end: string;
      readonly revision: Revision;
      readonly limit: number;
      readonly count: boolean;
    }
  | { readonly type: 'log'; readonly start: string; readonly end: string; readonly after: Revision }
  | { readonly type: 'compact'; readonly revision: Revision }
  | { readonly type: 'close' };

/** For each op in order: what was there before. `undefined`: nothing. */
export type PackedResult =
  | { readonly revision: Revision; readonly previous: readonly (PackedVersion | undefined)[] }
  | { readonly current: readonly (PackedVersion | undefined)[] };

export interface Replies {
  readonly commit: { readonly results: readonly PackedResult[]; readonly revision: Revision; readonly data: Uint8Array };
  readonly get: { readonly item: PackedVersion | undefined; readonly revision: Revision; readonly data: Uint8Array };
  /** `next`: the first key that is not here. `count`: of all keys from `start` on, when it was asked for. */
  readonly list: {
    readonly items: readonly PackedItem[];
    readonly revision: Revision;
    readonly next: string | undefined;
    readonly count: number;
    readonly data: Uint8Array;
  };
  /** Previous of an event: undefined for a creation. A length of -1 in the event itself: a deletion. */
  readonly log: {
    readonly events: readonly { readonly item: PackedItem; readonly previous: PackedVersion | undefined }[];
    readonly revision: Revision;
    readonly data: Uint8Array;
  };
  readonly compact: { readonly done: true };
  readonly close: { readonly done: true };
}

/** `kind`: which error of `backend.ts` it is to become. */
export interface PackedError {
  readonly kind: 'full' | 'unknown' | 'compacted' | 'future' | 'other';
  readonly message: string;
  readonly revision?: Revision;
}

/** What the thread is started with. */
export interface WorkerOptions {
  readonly path: string;
  /** What the store is to carry on, after a restore or an import. */
  readonly history?: History;
}

export type Reply =
  | { readonly type: 'opened'; readonly incarnation: string; readonly revision: Revision }
  | { readonly type: 'refused'; readonly message: string }
  /** The database can no longer be trusted to keep what it is given; the thread ends. */
  | { readonly type: 'failed'; readonly message: string }
  | { readonly type: 'reply'; readonly id: number; readonly result: Replies[keyof Replies] }
  | { readonly type: 'reply'; readonly id: number; readonly error: PackedError };
