import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { deepEqual } from '#api/equality';
import { isJsonObject, type JsonObject, type JsonValue } from './json-value.ts';
import { applyMergePatch } from './merge-patch.ts';

/** The merge patch between two objects without nulls. */
function diff(from: JsonObject, to: JsonObject): JsonObject {
  const patch: Record<string, JsonValue> = {};
  for (const key of Object.keys(from)) if (!Object.hasOwn(to, key)) patch[key] = null;
  for (const [key, value] of Object.entries(to)) {
    const before = Object.hasOwn(from, key) ? from[key] : undefined;
    if (isJsonObject(before) && isJsonObject(value)) patch[key] = diff(before, value);
    else if (!deepEqual(before, value)) patch[key] = value;
  }
  return patch;
}

describe('merge patch', () => {
  test('merges objects, replaces lists, removes on null', () => {
    const target = { a: { b: 1, c: 2 }, d: [1, 2], e: 'x' };
    expect(applyMergePatch(target, { a: { b: null, f: 3 }, d: [3], e: null })).toEqual({ a: { c: 2, f: 3 }, d: [3] });
    expect(target).toEqual({ a: { b: 1, c: 2 }, d: [1, 2], e: 'x' });
  });

  test('nulls inside a new object are dropped', () => {
    expect(applyMergePatch({}, { a: { b: null, c: 1 } })).toEqual({ a: { c: 1 } });
  });

  test('shares what the patch does not touch', () => {
    const target = { spec: { deep: true }, metadata: {} };
    expect((applyMergePatch(target, { metadata: { labels: {} } }) as typeof target).spec).toBe(target.spec);
  });

  test('a key called __proto__ is an ordinary key', () => {
    const result = applyMergePatch({}, JSON.parse('{"__proto__":{"polluted":true}}'));
    expect(JSON.stringify(result)).toBe('{"__proto__":{"polluted":true}}');
    expect(Object.getPrototypeOf(result)).toBe(Object.prototype);
  });

  test('a patch made by a diff, applied, gives the target', () => {
    const leaf = fc.oneof(fc.integer(), fc.string(), fc.boolean(), fc.array(fc.integer(), { maxLength: 3 }));
    const { tree } = fc.letrec<{ tree: JsonValue; object: JsonObject }>((tie) => ({
      tree: fc.oneof({ maxDepth: 3 }, leaf, tie('object')),
      object: fc.dictionary(fc.stringMatching(/^[a-d]$/), tie('tree'), { maxKeys: 4 }),
    }));
    const object = fc.dictionary(fc.stringMatching(/^[a-d]$/), tree) as fc.Arbitrary<JsonObject>;
    fc.assert(fc.property(object, object, (from, to) => expect(applyMergePatch(from, diff(from, to))).toEqual(to)));
  });
});
