/**
 * Commits: one etcd transaction each, many in flight, and each done once, or not at all, or reported as unknown.
 *
 * A lost reply is settled without guessing. Every transaction also compares a key of this writer's own, its fence, which is never touched in
 * ordinary times. When a reply was lost, the writer puts the fence: whatever it sent before and had not been done yet can no longer be
 * done. Then the history up to the fence says whether the commit took place; if not, it is sent again. So a lost reply is never
 * taken for a conflict, and nothing is done twice.
 */
import { randomUUID } from 'node:crypto';
import type { Clock } from '#base/clock';
import { messageOf, StatusError } from '#base/errors';
import {
  type Commit,
  type CommitResult,
  OutcomeUnknownError,
  type Revision,
  type StoredValue,
  type StoreEvent,
  StoreFullError,
  type WatchBatch,
} from '../backend.ts';
import { internalKey } from '../keys.ts';
import { findCommit } from './commit-search.ts';
import { type EtcdConnection, unavailable } from './etcd-connection.ts';
import { EtcdError, isPassing } from './etcd-error.ts';
import {
  type Compare,
  Compare_CompareResult,
  Compare_CompareTarget,
  type RequestOp,
  type TxnRequest,
  type TxnResponse,
} from './generated/etcd.ts';
import type { Keyspace } from './keyspace.ts';
import { rangeOf } from './store-record.ts';

export interface WriterOptions {
  readonly connection: EtcdConnection;
  readonly keyspace: Keyspace;
  readonly clock: Clock;
  /** See `Backend.watch`. */
  readonly watch: (prefix: string, after: Revision, signal: AbortSignal) => AsyncIterable<WatchBatch>;
}

/** Milliseconds until a commit is given up. */
const commitTimeout = 20_000;
/** Milliseconds that putting the fence, or reading the history up to it, may take. */
const settleTimeout = 10_000;

export class EtcdWriter {
  readonly #options: WriterOptions;
  readonly #fenceKey = internalKey('store', 'writers', randomUUID());
  /** etcd's revision of the fence; 0: it was never put. */
  #fence = 0n;
  #raising: Promise<void> | undefined;
  #unsettled = false;

  constructor(options: WriterOptions) {
    this.#options = options;
  }

  /** See `Backend.commit`. */
  async commit(commit: Commit): Promise<CommitResult> {
    const { connection, keyspace, clock } = this.#options;
    const deadline = clock.monotonic() + commitTimeout;
    for (let attempt = 0; ; attempt++) {
      const fence = this.#fence;
      const floor = connection.highest;
      try {
        const response = await connection.attempt((member) => member.kv.txn.bind(member.kv), this.#request(commit, fence));
        if (response.succeeded) return { committed: true, revision: keyspace.fromEtcd(response.header?.revision ?? 0n) };
        const { current, found } = this.#refusal(response);
        if (found === fence) return { committed: false, current };
        // Our own fence was in the way.
        if (found > this.#fence) this.#fence = found;
      } catch (error) {
        if (!(error instanceof EtcdError)) throw error;
        if (!isPassing(error)) throw refusalOf(error);
        if (error.kind === 'unanswered') {
          const revision = await this.#settle(commit, floor, fence, error);
          if (revision !== undefined) return { committed: true, revision };
        }
        const delay = connection.delay(attempt);
        if (clock.monotonic() + delay > deadline) throw unavailable(error);
        await connection.pause(delay);
      }
    }
  }

  /**
   * To be called before reading back: what was reported as unknown and had not been done by now is not done any more. Throws when
   * etcd does not answer.
   */
  async settled(): Promise<void> {
    if (!this.#unsettled) return;
    const fence = this.#fence;
    try {
      await this.#raise(fence);
    } catch (error) {
      throw error instanceof EtcdError ? unavailable(error) : error;
    }
  }

  /** Takes away the fence, if it was put and etcd answers. */
  async dispose(): Promise<void> {
    if (this.#fence === 0n) return;
    const { connection, keyspace } = this.#options;
    const op: RequestOp = { request: { $case: 'requestDeleteRange', value: { key: keyspace.key(this.#fenceKey) } } };
    await connection.attempt((member) => member.kv.txn.bind(member.kv), { compare: [], success: [op], failure: [] }).catch(() => undefined);
  }

  #request({ compare, ops }: Commit, fence: bigint): TxnRequest {
    const { keyspace } = this.#options;
    const fenceKey = keyspace.key(this.#fenceKey);
    const keys = compare.map(({ key }) => keyspace.key(key));
    return {
      compare: [...compare.map(({ revision }, index) => isAt(keys[index] as Buffer, keyspace.toCompare(revision))), isAt(fenceKey, fence)],
      success: ops.map((op): RequestOp => {
        const key = keyspace.key(op.key);
        return op.type === 'put'
          ? { request: { $case: 'requestPut', value: { key, value: bufferOf(op.value) } } }
          : { request: { $case: 'requestDeleteRange', value: { key } } };
      }),
      failure: [...keys, fenceKey].map((key): RequestOp => ({ request: { $case: 'requestRange', value: rangeOf(key) } })),
    };
  }

  /** What is there instead of what the compares wanted. */
  #refusal({ responses }: TxnResponse): { readonly current: (StoredValue | undefined)[]; readonly found: bigint } {
    const items = responses.map(({ response }) => (response?.$case === 'responseRange' ? response.value.kvs[0] : undefined));
    const found = items.pop()?.modRevision ?? 0n;
    return { current: items.map((item) => (item === undefined ? undefined : this.#options.keyspace.value(item))), found };
  }

  /** The revision at which a commit whose reply was lost took place; undefined: it did not, and will not. Throws `OutcomeUnknownError`. */
  async #settle(commit: Commit, floor: number, fence: bigint, lost: EtcdError): Promise<Revision | undefined> {
    try {
      if (this.#fence === fence) {
        this.#unsettled = true;
        await this.#raise(fence);
      }
      return await this.#search(commit, floor);
    } catch (error) {
      throw new OutcomeUnknownError(`it is not known whether a write took place: ${lost.message}; then: ${messageOf(error)}`, {
        cause: error,
      });
    }
  }

  /** Puts the fence, once for all who ask while it is being put. */
  async #raise(fence: bigint): Promise<void> {
    if (this.#fence !== fence) return;
    this.#raising ??= this.#putFence().finally(() => {
      this.#raising = undefined;
    });
    await this.#raising;
  }

  async #putFence(): Promise<void> {
    const { connection, keyspace, clock } = this.#options;
    const deadline = clock.monotonic() + settleTimeout;
    const put: RequestOp = { request: { $case: 'requestPut', value: { key: keyspace.key(this.#fenceKey), value: Buffer.alloc(0) } } };
    for (let attempt = 0; ; attempt++) {
      try {
        const { header } = await connection.attempt((member) => member.kv.txn.bind(member.kv), {
          compare: [],
          success: [put],
          failure: [],
        });
        this.#fence = header?.revision ?? 0n;
        this.#unsettled = false;
        return;
      } catch (error) {
        const delay = connection.delay(attempt);
        if (!isPassing(error) || clock.monotonic() + delay > deadline) throw error;
        await connection.pause(delay);
      }
    }
  }

  /** Reads what happened after `floor` (etcd's count) up to the fence. */
  async #search(commit: Commit, floor: number): Promise<Revision | undefined> {
    const { keyspace, clock, watch } = this.#options;
    const until = keyspace.fromEtcd(this.#fence);
    const sought = commit.ops.find((op) => op.type === 'put') ?? commit.ops[0];
    const prefix = commonPrefix(sought?.key ?? '', this.#fenceKey);
    const keys = new Set(commit.ops.map((op) => op.key).filter((key) => key.startsWith(prefix)));
    const events: StoreEvent[] = [];
    const stop = new AbortController();
    const limit = clock.schedule(settleTimeout, () => stop.abort());
    try {
      for await (const batch of watch(prefix, keyspace.fromEtcd(floor), stop.signal)) {
        for (const event of batch.events) if (keys.has(event.key)) events.push(event);
        if (batch.revision >= until) return findCommit(commit, events, prefix);
      }
    } finally {
      limit.cancel();
    }
    throw new Error('etcd did not tell its history in time');
  }
}

function isAt(key: Buffer, modRevision: bigint): Compare {
  return {
    result: Compare_CompareResult.EQUAL,
    target: Compare_CompareTarget.MOD,
    key,
    targetUnion: { $case: 'modRevision', value: modRevision },
  };
}

function bufferOf(value: Uint8Array): Buffer {
  return Buffer.isBuffer(value) ? value : Buffer.from(value.buffer, value.byteOffset, value.byteLength);
}

function commonPrefix(a: string, b: string): string {
  let length = 0;
  while (length < a.length && a[length] === b[length]) length++;
  return a.slice(0, length);
}

/** What a commit's caller is told when etcd will not do it. */
function refusalOf(error: EtcdError): Error {
  if (error.kind === 'full') return new StoreFullError(error.message, { cause: error });
  if (error.message.includes('request is too large') || error.message.includes('larger than max')) {
    return new StatusError('RequestEntityTooLarge', `${error.message}; give etcd a --max-request-bytes of at least 1.5 MiB (its default)`, {
      cause: error,
    });
  }
  return error;
}
