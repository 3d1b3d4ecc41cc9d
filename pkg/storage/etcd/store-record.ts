/**
 * What the store knows of itself, under one key in etcd: the format, the incarnation, and how far its revisions are ahead of etcd's.
 * Made with the store; several servers may open a new one at the same time, and then use the one record that was first.
 */
import { randomUUID } from 'node:crypto';
import type { Revision } from '../backend.ts';
import { internalKey } from '../keys.ts';
import { decodeJson, encodeJson } from '../values.ts';
import type { EtcdConnection } from './etcd-connection.ts';
import { Compare_CompareResult, Compare_CompareTarget } from './generated/etcd.ts';
import { Keyspace } from './keyspace.ts';

/** The one format that this version writes and reads. */
const format = 1;

/** Where the record stands. */
export const recordKey = internalKey('store', 'record');

interface StoreRecord {
  readonly format: number;
  readonly incarnation: string;
  /** Added to etcd's revisions. */
  readonly offset: number;
}

export interface OpenedRecord {
  readonly incarnation: string;
  readonly keyspace: Keyspace;
}

/** Reads the record, or makes it where there is none. Throws an error for a format that this version does not know. */
export async function openRecord(connection: EtcdConnection, prefix: string): Promise<OpenedRecord> {
  const keys = new Keyspace(prefix);
  for (;;) {
    const { kvs } = await connection.ask((member) => member.kv.range.bind(member.kv), rangeOf(keys.key(recordKey)));
    const [found] = kvs;
    if (found !== undefined) {
      const record = parse(found.value);
      return {
        incarnation: record.incarnation,
        keyspace: new Keyspace(prefix, record.offset, Number(found.modRevision) + record.offset),
      };
    }
    // Whether this one is written or another server's: what is there next is the one.
    await write(connection, keys, { format, incarnation: randomUUID(), offset: 0 }, 0n);
  }
}

/**
 * Gives the store a new incarnation and revisions above `above`, and forgets what was before: for a store whose content was put back
 * from a backup. No server may run. Gives the store's revision after it.
 */
export async function raiseRecord(connection: EtcdConnection, prefix: string, above: Revision): Promise<Revision> {
  const keys = new Keyspace(prefix);
  await openRecord(connection, prefix);
  for (;;) {
    const { kvs, header } = await connection.ask((member) => member.kv.range.bind(member.kv), rangeOf(keys.key(recordKey)));
    const offset = Math.max(parse(kvs[0]?.value ?? Buffer.alloc(0)).offset, above - Number(header?.revision ?? 0));
    const revision = await write(connection, keys, { format, incarnation: randomUUID(), offset }, kvs[0]?.modRevision ?? 0n);
    if (revision !== undefined) return revision + offset;
  }
}

/** Writes the record if it still is at `expected`; etcd's revision of it, or undefined. May be done twice: it is read again afterwards. */
async function write(connection: EtcdConnection, keys: Keyspace, record: StoreRecord, expected: bigint): Promise<number | undefined> {
  const key = keys.key(recordKey);
  const { succeeded, header } = await connection.ask((member) => member.kv.txn.bind(member.kv), {
    compare: [
      {
        result: Compare_CompareResult.EQUAL,
        target: Compare_CompareTarget.MOD,
        key,
        targetUnion: { $case: 'modRevision', value: expected },
      },
    ],
    success: [{ request: { $case: 'requestPut', value: { key, value: encodeJson(record) } } }],
    failure: [],
  });
  return succeeded ? Number(header?.revision ?? 0) : undefined;
}

function parse(value: Uint8Array): StoreRecord {
  const record = decodeJson(value) as StoreRecord;
  if (record.format !== format) {
    throw new Error(
      `the store in etcd has the format ${record.format} and this version of Berth reads ${format}: use the version that wrote it`,
    );
  }
  return record;
}

/** Asks for one key, as it is now on the whole cluster. */
export function rangeOf(key: Buffer): {
  key: Buffer;
  rangeEnd: Buffer;
  limit: bigint;
  revision: bigint;
  keysOnly: boolean;
  countOnly: boolean;
} {
  return { key, rangeEnd: Buffer.alloc(0), limit: 0n, revision: 0n, keysOnly: false, countOnly: false };
}
