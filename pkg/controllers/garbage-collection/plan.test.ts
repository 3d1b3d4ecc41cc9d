import { describe, expect, test } from '@jest/globals';
import type { KubernetesObject, OwnerReference } from '#api/object';
import { type OwnerState, planDependent, planOwner } from './plan.ts';

const reference = (uid: string, blockOwnerDeletion = false): OwnerReference => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  name: uid,
  uid,
  blockOwnerDeletion,
});
const object = (name: string, metadata: KubernetesObject['metadata'] = {}): KubernetesObject => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, uid: name, ...metadata },
});
const dependent = (...owners: string[]): KubernetesObject => object('d', { ownerReferences: owners.map((uid) => reference(uid)) });
const states = (known: Record<string, OwnerState>) => (owner: OwnerReference) => known[owner.uid] ?? 'present';
const going = '2026-01-01T00:00:00Z';

describe('what is owned', () => {
  test('stays while all its owners are there, and where nothing is known of one', () => {
    expect(planDependent(dependent('a', 'b'), states({}), false)).toEqual({ type: 'none' });
    expect(planDependent(object('free'), states({}), false)).toEqual({ type: 'none' });
    expect(planDependent(dependent('a', 'b'), states({ a: 'absent', b: 'unknown' }), false)).toEqual({ type: 'none' });
  });

  test('loses the owners that went, and goes with the last', () => {
    expect(planDependent(dependent('a', 'b'), states({ a: 'absent' }), false)).toEqual({ type: 'disown', keep: [reference('b')] });
    expect(planDependent(dependent('a', 'b'), states({ a: 'absent', b: 'absent' }), true)).toEqual({
      type: 'delete',
      policy: 'Background',
    });
  });

  test('goes before an owner that waits for it, its own dependents first', () => {
    expect(planDependent(dependent('a'), states({ a: 'waiting' }), false)).toEqual({ type: 'delete', policy: 'Background' });
    expect(planDependent(dependent('a'), states({ a: 'waiting' }), true)).toEqual({ type: 'delete', policy: 'Foreground' });
  });
});

describe('an owner that is being deleted', () => {
  const blocking = object('d', { ownerReferences: [reference('o', true)] });
  const loose = object('e', { ownerReferences: [reference('o')] });
  const foreground = object('o', { deletionTimestamp: going, finalizers: ['foregroundDeletion'] });

  test('waits for those that block it, and deletes each once', () => {
    expect(planOwner(foreground, [blocking, loose])).toEqual({ type: 'delete dependents', dependents: [blocking, loose] });
    const gone = { ...blocking, metadata: { ...blocking.metadata, deletionTimestamp: going } };
    expect(planOwner(foreground, [gone])).toEqual({ type: 'none' });
  });

  test('waits for nobody that does not block it', () => {
    expect(planOwner(foreground, [loose])).toEqual({ type: 'remove finalizer', finalizer: 'foregroundDeletion' });
    expect(planOwner(foreground, [])).toEqual({ type: 'remove finalizer', finalizer: 'foregroundDeletion' });
  });

  test('lets its dependents go free first, if it is to orphan them', () => {
    const orphaning = object('o', { deletionTimestamp: going, finalizers: ['orphan'] });
    expect(planOwner(orphaning, [loose])).toEqual({ type: 'orphan dependents', dependents: [loose] });
    expect(planOwner(orphaning, [])).toEqual({ type: 'remove finalizer', finalizer: 'orphan' });
  });

  test('is nothing of ours with other finalizers, or when it is not being deleted', () => {
    expect(planOwner(object('o', { deletionTimestamp: going, finalizers: ['x.io/y'] }), [blocking])).toEqual({ type: 'none' });
    expect(planOwner(object('o', { finalizers: ['foregroundDeletion'] }), [blocking])).toEqual({ type: 'none' });
  });
});
