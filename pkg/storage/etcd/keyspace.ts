/**
 * Between Berth's keys and revisions and etcd's. Keys stand behind a prefix. Revisions are etcd's plus an offset, because etcd's own
 * count cannot be raised, and a store that was restored or imported must be ahead of all that its former self gave out.
 * Pure; the only file that knows both sides.
 */
import type { Revision, StoredValue, StoreEvent } from '../backend.ts';
import { type Event, Event_Type, type KeyValue } from './generated/etcd.ts';

export interface KeyRange {
  readonly key: Buffer;
  readonly rangeEnd: Buffer;
}

const prefixPattern = /^[\x21-\x7e]{0,256}$/;

export class Keyspace {
  readonly #prefix: string;
  readonly #offset: number;
  /** Nothing from before this revision is of this store: it was made, restored or imported then. */
  readonly base: Revision;

  /** `offset`: Berth's revisions minus etcd's. Throws an error that says what is wrong with the prefix. */
  constructor(prefix: string, offset = 0, base: Revision = 0) {
    if (!prefixPattern.test(prefix)) throw new Error(`the prefix of keys in etcd is up to 256 printable ASCII characters, not "${prefix}"`);
    this.#prefix = prefix;
    this.#offset = offset;
    this.base = base;
  }

  key(key: string): Buffer {
    return Buffer.from(this.#prefix + key, 'latin1');
  }

  /** All keys that begin with `prefix`, from `start` on (the prefix itself unless given). */
  range(prefix: string, start = prefix): KeyRange {
    return { key: orZero(this.key(start > prefix ? start : prefix)), rangeEnd: endOf(this.key(prefix)) };
  }

  /** etcd's revision; 0 or less: from before this store. */
  toEtcd(revision: Revision): bigint {
    return BigInt(revision - this.#offset);
  }

  /** What a compare wants: 0 stands for a key that does not exist; what cannot be is -1. */
  toCompare(revision: Revision): bigint {
    if (revision === 0) return 0n;
    return revision > this.#offset ? this.toEtcd(revision) : -1n;
  }

  fromEtcd(revision: bigint | number): Revision {
    return Number(revision) + this.#offset;
  }

  value({ key, value, modRevision, createRevision }: KeyValue): StoredValue {
    return { key: this.#strip(key), value, revision: this.fromEtcd(modRevision), createRevision: this.fromEtcd(createRevision) };
  }

  /** Undefined when what was there before has been compacted since. */
  event({ type, kv, prevKv }: Event): StoreEvent | undefined {
    if (kv === undefined) throw new Error('etcd sent an event without a key');
    const previous = prevKv === undefined ? undefined : this.value(prevKv);
    if (type === Event_Type.DELETE) {
      return previous === undefined
        ? undefined
        : { type: 'delete', key: this.#strip(kv.key), revision: this.fromEtcd(kv.modRevision), previous };
    }
    if (previous === undefined && kv.createRevision !== kv.modRevision) return undefined;
    return { type: 'put', ...this.value(kv), previous };
  }

  #strip(key: Buffer): string {
    return key.toString('latin1', this.#prefix.length);
  }
}

/** To etcd, an empty key is none, and a zero byte is the first of all. */
function orZero(key: Buffer): Buffer {
  return key.length === 0 ? Buffer.from([0]) : key;
}

/** The first key after all that begin with the prefix; a zero byte stands for no end. */
function endOf(prefix: Buffer): Buffer {
  if (prefix.length === 0) return Buffer.from([0]);
  const end = Buffer.from(prefix);
  end[end.length - 1] = (end[end.length - 1] as number) + 1;
  return end;
}
