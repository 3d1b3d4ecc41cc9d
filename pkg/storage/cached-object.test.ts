import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { KubernetesObject } from '#api/object';
import { ObjectDecoder } from './cached-object.ts';

function objectOf(spec: unknown): KubernetesObject {
  return { apiVersion: 'v1', kind: 'Thing', metadata: { name: 'a', resourceVersion: '3' }, spec } as KubernetesObject;
}

describe('what was encoded here and is decoded again', () => {
  test('is what its JSON would be read as, and frozen all the way down', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (spec) => {
        const decoder = new ObjectDecoder();
        const cached = decoder.decode('a', decoder.encode(objectOf(spec)), 7);
        const { object } = cached;
        expect(JSON.stringify(object)).toBe(cached.bytes.toString());
        expect(object.metadata.resourceVersion).toBe('7');
        expect(isFrozen(object)).toBe(true);
      }),
    );
  });

  test('is read from its JSON where that says something else: undefined members, numbers that are none, other than plain objects', () => {
    for (const odd of [undefined, Number.NaN, new Date(0), new Map([['a', 1]])]) {
      const decoder = new ObjectDecoder();
      const { object, bytes } = decoder.decode('a', decoder.encode(objectOf({ inner: [{ odd }] })), 7);
      expect(object).toStrictEqual(JSON.parse(bytes.toString()));
    }
  });

  test('shares what did not change with the object that it was made from', () => {
    const decoder = new ObjectDecoder();
    const first = decoder.decode('a', decoder.encode(objectOf({ list: [{ name: 'x' }] })), 7).object as KubernetesObject & { spec: object };
    const second = decoder.decode('a', decoder.encode({ ...first, status: { ready: true } } as KubernetesObject), 8).object;
    expect((second as typeof first).spec).toBe(first.spec);
    expect(first.metadata.resourceVersion).toBe('7');
    expect(second.metadata.resourceVersion).toBe('8');
  });

  test('is the same for all who ask with the same value at the same revision', () => {
    const decoder = new ObjectDecoder();
    const value = decoder.encode(objectOf({}));
    expect(decoder.decode('a', value, 7)).toBe(decoder.decode('a', value, 7));
    expect(decoder.decode('a', value, 8)).not.toBe(decoder.decode('a', value, 7));
    expect(decoder.decode('a', value, 8).object.metadata.resourceVersion).toBe('8');
  });
});

function isFrozen(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return true;
  return Object.isFrozen(value) && Object.values(value).every(isFrozen);
}
