/**
 * The store under everything: keys with opaque values and one global, ever-increasing revision, with etcd's semantics.
 * Invariant: what is returned as committed, or handed to a watch or a read, is durable. Backends know nothing of kinds,
 * objects or JSON; the format byte and the meaning of values belong to the caller. One suite (`backend.suite.ts`) is
 * the contract and runs over every implementation.
 */

/** A revision of the store: a whole number from 1, exact in a double. 0 stands for "does not exist" in compares. */
export type Revision = number;

export interface StoredValue {
  readonly key: string;
  readonly value: Uint8Array;
  /** The revision that wrote this value. */
  readonly revision: Revision;
  /** The revision that first created this key since it last did not exist. */
  readonly createRevision: Revision;
}

export interface ListOptions {
  /** At most this many items, in key order (bytewise); all unless given. */
  readonly limit?: number;
  /** Start at this key, inclusive; the prefix itself unless given. */
  readonly start?: string;
  /** As of this revision; the newest unless given. Throws `CompactedError` or `FutureRevisionError`. */
  readonly revision?: Revision;
}

export interface ListResult {
  readonly items: readonly StoredValue[];
  /** The revision that this list shows: the asked one, or the newest committed one when it was read. */
  readonly revision: Revision;
  /** Whether the limit cut the list. */
  readonly more: boolean;
  /** Number of keys under the prefix from `start` on, those beyond the limit included. */
  readonly count: number;
}

/** Holds when the key's newest value has exactly this revision (0: the key does not exist). May name keys that no op touches. */
export interface Compare {
  readonly key: string;
  readonly revision: Revision;
}

export type Op =
  | { readonly type: 'put'; readonly key: string; readonly value: Uint8Array }
  | { readonly type: 'delete'; readonly key: string };

export interface Commit {
  readonly compare: readonly Compare[];
  /** One to 100 ops on distinct keys, all or none. Each op takes a revision of its own, in this order. */
  readonly ops: readonly Op[];
}

export type CommitResult =
  | { readonly committed: true; /** One a op, in order; a delete of a missing key takes none and gives 0. */ readonly revisions: readonly Revision[] }
  | {
      readonly committed: false;
      /** For each compare, in order: what is there now (undefined: nothing). */
      readonly current: readonly (StoredValue | undefined)[];
    };

export type StoreEvent =
  | { readonly type: 'put'; readonly key: string; readonly value: Uint8Array; readonly revision: Revision; readonly createRevision: Revision; readonly previous: StoredValue | undefined }
  | { readonly type: 'delete'; readonly key: string; readonly revision: Revision; readonly previous: StoredValue };

export interface WatchBatch {
  /** In revision order; never empty unless it is a progress notice. */
  readonly events: readonly StoreEvent[];
  /** All events of the watched prefix up to and including this revision have now been given. */
  readonly revision: Revision;
}

export interface Backend {
  get(key: string): Promise<{ readonly item: StoredValue | undefined; readonly revision: Revision }>;
  list(prefix: string, options?: ListOptions): Promise<ListResult>;
  /**
   * Applies all ops if every compare holds. Resolves when the result is durable; concurrent commits see one another in
   * the order in which they were called. Throws `StoreFullError` (nothing was written; later commits may succeed),
   * `OutcomeUnknownError` (read back to learn what happened) or `ClosedError`; a failed write fails every commit that was built on it.
   */
  commit(commit: Commit): Promise<CommitResult>;
  /**
   * Every event of keys under `prefix` with a revision above `after`, in order, each once, with progress notices in
   * between. Ends when the signal aborts (returns) or throws `CompactedError` when `after` is older than what is kept.
   * A consumer that stops reading holds back nothing but its own memory, which is bounded: past the bound it gets `SlowConsumerError`.
   */
  watch(prefix: string, after: Revision, signal: AbortSignal): AsyncIterable<WatchBatch>;
  /** The newest committed revision, linearizable: at least that of every commit that was acknowledged before the call. */
  revision(): Promise<Revision>;
  /** Forgets what was superseded at or before `revision`; lists and watches from before it then throw `CompactedError`. */
  compact(revision: Revision): Promise<void>;
  /** Ends watches, waits for what was accepted, releases files. */
  close(): Promise<void>;
}

export class CompactedError extends Error {
  override readonly name = 'CompactedError';
  /** The oldest revision from which one may still read or watch. */
  readonly compactRevision: Revision;
  constructor(compactRevision: Revision) {
    super(`the revision asked for has been compacted; the oldest kept is ${compactRevision}`);
    this.compactRevision = compactRevision;
  }
}

export class FutureRevisionError extends Error {
  override readonly name = 'FutureRevisionError';
  readonly current: Revision;
  constructor(current: Revision) {
    super(`the revision asked for has not been reached; the newest is ${current}`);
    this.current = current;
  }
}

export class StoreFullError extends Error {
  override readonly name = 'StoreFullError';
}

export class OutcomeUnknownError extends Error {
  override readonly name = 'OutcomeUnknownError';
}

export class SlowConsumerError extends Error {
  override readonly name = 'SlowConsumerError';
}

export class ClosedError extends Error {
  override readonly name = 'ClosedError';
}
