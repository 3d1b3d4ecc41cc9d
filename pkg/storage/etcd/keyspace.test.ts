import { describe, expect, test } from '@jest/globals';
import { type Event, Event_Type } from './generated/etcd.ts';
import { Keyspace } from './keyspace.ts';

const kv = (key: string, modRevision: bigint, createRevision = modRevision) => ({
  key: Buffer.from(key),
  value: Buffer.from('v'),
  modRevision,
  createRevision,
});

describe('the keyspace', () => {
  test('puts keys behind its prefix, and takes it off', () => {
    const keys = new Keyspace('/team');
    expect(keys.key('/berth/a').toString()).toBe('/team/berth/a');
    expect(keys.range('/berth/')).toEqual({ key: Buffer.from('/team/berth/'), rangeEnd: Buffer.from('/team/berth0') });
    expect(keys.range('/berth/', '/berth/c').key.toString()).toBe('/team/berth/c');
    expect(keys.range('/berth/', '/a').key.toString()).toBe('/team/berth/');
    expect(keys.value(kv('/team/berth/a', 7n, 3n))).toMatchObject({ key: '/berth/a', revision: 7, createRevision: 3 });
    expect(new Keyspace('').range('')).toEqual({ key: Buffer.from([0]), rangeEnd: Buffer.from([0]) });
  });

  test('counts revisions from its offset; no compare of a revision from before can hold', () => {
    const keys = new Keyspace('', 1_000);
    expect(keys.fromEtcd(7n)).toBe(1_007);
    expect(keys.toEtcd(1_007)).toBe(7n);
    expect([0, 1, 999, 1_000, 1_001].map((revision) => keys.toCompare(revision))).toEqual([0n, -1n, -1n, -1n, 1n]);
  });

  test('has no event where etcd no longer knows what it changed', () => {
    const keys = new Keyspace('');
    const event = (type: Event_Type, own: Event['kv'], prevKv?: Event['kv']): Event => ({ type, kv: own, prevKv });
    expect(keys.event(event(Event_Type.PUT, kv('a', 7n)))).toMatchObject({ type: 'put', revision: 7, previous: undefined });
    expect(keys.event(event(Event_Type.PUT, kv('a', 7n, 3n), kv('a', 5n, 3n)))).toMatchObject({ previous: { revision: 5 } });
    expect(keys.event(event(Event_Type.PUT, kv('a', 7n, 3n)))).toBeUndefined();
    expect(keys.event(event(Event_Type.DELETE, kv('a', 7n, 0n), kv('a', 5n)))).toMatchObject({ type: 'delete', revision: 7 });
    expect(keys.event(event(Event_Type.DELETE, kv('a', 7n, 0n)))).toBeUndefined();
  });
});
