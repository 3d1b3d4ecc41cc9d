/**
 * The store under everything: keys with opaque values and one global, ever-increasing revision, with etcd's semantics.
 * Invariant: what is returned as committed, or handed to a watch or a read, is durable. Backends know nothing of kinds,
 * objects or JSON; the format byte and the meaning of values belong to the caller. One suite (`backend.suite.ts`) is
 * the contract and runs over every implementation.
 *
 * **One commit, one revision.** Each commit that changes something takes the next revision, and all its ops share it (as
 * in an etcd transaction; there is no other way to write two keys at once there). Two commits never share one, however they are
 * grouped on their way to the disk. So that every API object still has a resourceVersion of its own, a commit holds at most
 * one op on an object; its other ops are on internal keys (reservations, barriers: `internalKey`) which no client sees.
 * Watches never split a revision over two batches, so resuming from any batch's revision loses nothing.
 *
 * **Keys** are 1 to 1024 printable ASCII characters: then the order of JavaScript strings, of SQLite and of etcd is the same.
 * **Values** are shared, not copied: who hands one in, or gets one, never changes its bytes afterwards.
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
  /** False: `count` is not wanted, because it may cost a pass over all keys. */
  readonly count?: false;
}

export interface ListResult {
  readonly items: readonly StoredValue[];
  /** The revision that this list shows: the asked one, or the newest committed one when it was read. */
  readonly revision: Revision;
  /** Whether the limit cut the list. */
  readonly more: boolean;
  /** Number of keys under the prefix from `start` on, those beyond the limit included; of no meaning when it was not wanted. */
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
  /** At most 100. */
  readonly compare: readonly Compare[];
  /** One to 100 ops on distinct keys, all or none. */
  readonly ops: readonly Op[];
}

export type CommitResult =
  | {
      readonly committed: true;
      /** The revision that all ops share. If nothing changed (only deletes of missing keys) none is taken, and this is the newest. */
      readonly revision: Revision;
    }
  | {
      readonly committed: false;
      /** For each compare, in order: what is there now (undefined: nothing). Durable, like everything that is shown. */
      readonly current: readonly (StoredValue | undefined)[];
    };

export type StoreEvent =
  | {
      readonly type: 'put';
      readonly key: string;
      readonly value: Uint8Array;
      readonly revision: Revision;
      readonly createRevision: Revision;
      readonly previous: StoredValue | undefined;
    }
  | { readonly type: 'delete'; readonly key: string; readonly revision: Revision; readonly previous: StoredValue };

export interface WatchBatch {
  /** In revision order, a revision always whole; empty in a progress notice. */
  readonly events: readonly StoreEvent[];
  /** All events of the watched prefix up to and including this revision have now been given. */
  readonly revision: Revision;
}

/** What a store is told to carry on, when its content comes from a backup or from another store. */
export interface History {
  /** Far above all that may have been given out: so clients list again, and agents, which remember the revision that they acted on, know a deliberate act from an old copy. */
  readonly above: Revision;
  /** Of the store that the content comes from; its own unless given. */
  readonly incarnation?: string;
}

export interface Backend {
  /** The newest committed revision, where that is known without asking because no other process writes: what `revision` would give. Undefined when closed. */
  readonly newest?: Revision | undefined;
  /** Names this store's history: made with the store, and kept when a backup of it is restored (which raises the revision). */
  readonly incarnation: string;
  get(key: string): Promise<{ readonly item: StoredValue | undefined; readonly revision: Revision }>;
  list(prefix: string, options?: ListOptions): Promise<ListResult>;
  /**
   * Applies all ops if every compare holds. Resolves when the result is durable. Concurrent commits take effect one
   * after the other; in which order is up to the backend (an embedded one: as they were called). Throws `StoreFullError` (nothing was written; later commits may succeed),
   * `OutcomeUnknownError` (read back to learn what happened), `ClosedError`, or a `RangeError` for a commit that is
   * malformed (see `checkCommit`); a failed write fails every commit that was built on it.
   */
  commit(commit: Commit): Promise<CommitResult>;
  /**
   * Every event of keys under `prefix` with a revision above `after`, in order, each once, with progress notices in
   * between. Ends when the signal aborts or the backend is closed (both return). Throws `CompactedError` when `after` is older than what is
   * kept (`after` = the compact revision still works), `FutureRevisionError` when it is above the newest revision.
   * A consumer that stops reading holds back nothing but its own memory, which is bounded: past the bound it gets `SlowConsumerError`.
   */
  watch(prefix: string, after: Revision, signal: AbortSignal): AsyncIterable<WatchBatch>;
  /** The newest committed revision (a new store's is at least 1), linearizable: at least that of every commit that was acknowledged before the call. */
  revision(): Promise<Revision>;
  /**
   * Forgets what was superseded at or before `revision`; lists and watches from before it then throw `CompactedError`, those at it
   * still work. A revision already compacted is no error; one of the future throws `FutureRevisionError`. Room may be given back later.
   */
  compact(revision: Revision): Promise<void>;
  /** Ends watches, waits for what was accepted, releases files. */
  close(): Promise<void>;
}

export const maximumOps = 100;
export const maximumKeyLength = 1024;

const keyPattern = /^[\x21-\x7e]+$/;

/** Throws a `RangeError` that names what is wrong with a commit: a programming error of the caller, not of a user. */
export function checkCommit(commit: Commit): void {
  if (commit.ops.length < 1 || commit.ops.length > maximumOps || commit.compare.length > maximumOps) {
    throw new RangeError(
      `a commit has 1 to ${maximumOps} ops and at most ${maximumOps} compares, not ${commit.ops.length} and ${commit.compare.length}`,
    );
  }
  for (const { key } of commit.compare) checkKey(key);
  const seen = new Set<string>();
  for (const { key } of commit.ops) {
    checkKey(key);
    if (seen.has(key)) throw new RangeError(`a commit has two ops on the key ${key}`);
    seen.add(key);
  }
}

function checkKey(key: string): void {
  if (key.length > maximumKeyLength || !keyPattern.test(key)) {
    throw new RangeError(`a key is 1 to ${maximumKeyLength} printable ASCII characters, not ${JSON.stringify(key.slice(0, 80))}`);
  }
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
