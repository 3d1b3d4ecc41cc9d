/**
 * What the store knows of itself, under one key in etcd: the format, the incarnation, and how far its revisions are ahead of etcd's.
 * Made with the store; several servers may open a new one at the same time, and then use the one record that was first.
 */
import { randomUUID } from 'node:crypto';
import type { History } from '../backend.ts';
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

/** See `StorageDriver.carryOn`. */
export async function carryOn(connection: EtcdConnection, prefix: string, history: History): Promise<void> {
  const keys = new Keyspace(prefix);
  await openRecord(connection, prefix);
  for (let written: boolean = false; !written; ) {
    const { kvs, header } = await connection.ask((member) => member.kv.range.bind(member.kv), rangeOf(keys.key(recordKey)));
    const record = parse(kvs[0]?.value ?? Buffer.alloc(0));
    const next = {
      format,
      incarnation: history.incarnation ?? record.incarnation,
      offset: Math.max(record.offset, history.above - Number(header?.revision ?? 0)),
    };
    written = await write(connection, keys, next, kvs[0]?.modRevision ?? 0n);
  }
}

/** Writes the record if it still is at `expected`, and says whether. A lost reply does no harm: the record is read again. */
async function write(connection: EtcdConnection, keys: Keyspace, record: StoreRecord, expected: bigint): Promise<boolean> {
  const key = keys.key(recordKey);
  const { succeeded } = await connection.ask((member) => member.kv.txn.bind(member.kv), {
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
  return succeeded;
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
