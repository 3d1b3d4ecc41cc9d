import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import jsonpatch from 'fast-json-patch';
import { StatusError } from '#base/errors';
import { applyJsonPatch, maximumOperations, maximumShifts } from './json-patch.ts';
import type { JsonValue } from './json-value.ts';

function thrownBy(run: () => unknown): StatusError {
  try {
    run();
  } catch (error) {
    if (error instanceof StatusError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

describe('JSON patch', () => {
  test('applies every operation without changing the target', () => {
    const target = Object.freeze({ a: Object.freeze([1, 2]), b: 'x' });
    const patch = [
      { op: 'test', path: '/b', value: 'x' },
      { op: 'add', path: '/a/-', value: 3 },
      { op: 'replace', path: '/b', value: 'y' },
      { op: 'copy', from: '/b', path: '/c' },
      { op: 'move', from: '/a/0', path: '/d' },
      { op: 'remove', path: '/b' },
    ];
    expect(applyJsonPatch(target, patch)).toEqual({ a: [2, 3], c: 'y', d: 1 });
    expect(target).toEqual({ a: [1, 2], b: 'x' });
  });

  test('a failing test is Invalid and names the path in its cause', () => {
    const error = thrownBy(() => applyJsonPatch({ a: 1 }, [{ op: 'test', path: '/a', value: 2 }]));
    expect(error.code).toBe(422);
    expect(error.message).toBe('the server rejected our request due to an error in our request');
    expect(error.details?.causes?.[0]).toMatchObject({ field: '/a', message: 'testing path /a failed' });
  });

  test('a path that is not there is Invalid', () => {
    for (const operation of [
      { op: 'remove', path: '/x' },
      { op: 'replace', path: '/x/y', value: 1 },
      { op: 'add', path: '/x/y', value: 1 },
      { op: 'copy', from: '/x', path: '/a' },
    ]) {
      expect(thrownBy(() => applyJsonPatch({ a: 1 }, [operation])).code).toBe(422);
    }
  });

  test('malformed patches are BadRequest', () => {
    const bad: JsonValue[] = [{}, 'x', [1], [{ op: 'frob', path: '/a' }], [{ op: 'add', path: '/a' }], [{ op: 'move', path: '/a' }]];
    for (const patch of bad) expect(thrownBy(() => applyJsonPatch({}, patch)).code).toBe(400);
  });

  test('bounds the operations and what they copy', () => {
    const many = Array.from({ length: maximumOperations + 1 }, () => ({ op: 'test', path: '/a', value: 1 }));
    expect(thrownBy(() => applyJsonPatch({ a: 1 }, many)).code).toBe(413);
    const bomb = Array.from({ length: 40 }, (_, index) => ({ op: 'copy', from: '', path: `/k${index}` }));
    expect(thrownBy(() => applyJsonPatch({ a: 'xxxxxxxxxx' }, bomb)).code).toBe(413);
  });

  test('does not clone the document for an operation, nor lets the head of a long list be moved without end', () => {
    // Each of these operations used to copy the whole document.
    const data = Object.fromEntries(Array.from({ length: 20_000 }, (_, index) => [`k${index}`, 'v']));
    const moves = Array.from({ length: maximumOperations }, (_, index) => ({
      op: 'move',
      from: index % 2 ? '/b' : '/a',
      path: index % 2 ? '/a' : '/b',
    }));
    expect(applyJsonPatch({ a: 1, data }, moves)).toEqual({ a: 1, data });
    expect((applyJsonPatch({ a: 1, data }, moves) as { data: unknown }).data).toBe(data);
    const list = Array.from({ length: maximumShifts / maximumOperations + 1000 }, (_, index) => index);
    const heads = Array.from({ length: maximumOperations }, () => ({ op: 'add', path: '/a/0', value: 0 }));
    expect(thrownBy(() => applyJsonPatch({ a: list }, heads)).code).toBe(413);
    const tails = Array.from({ length: maximumOperations }, () => ({ op: 'add', path: '/a/-', value: 0 }));
    expect((applyJsonPatch({ a: list }, tails) as { a: unknown[] }).a).toHaveLength(list.length + maximumOperations);
  });

  test('what was copied, and what the patch brought, change each on their own', () => {
    const patch = [
      { op: 'add', path: '/a', value: { x: [1] } },
      { op: 'copy', from: '/a', path: '/b' },
      { op: 'add', path: '/b/x/-', value: 2 },
      { op: 'add', path: '/a/x/0', value: 0 },
    ];
    const before = JSON.stringify(patch);
    expect(applyJsonPatch({}, patch)).toEqual({ a: { x: [0, 1] }, b: { x: [1, 2] } });
    expect(JSON.stringify(patch)).toBe(before);
  });

  test('indexes count from the end where they are negative, and are numbers without ornaments', () => {
    expect(applyJsonPatch([1, 2], [{ op: 'remove', path: '/-1' }])).toEqual([1]);
    expect(applyJsonPatch([1, 2], [{ op: 'add', path: '/-1', value: 3 }])).toEqual([1, 2, 3]);
    for (const path of ['/01', '/1e0', '/-3', '/2', '/ 1', '/', '/99999999999999999999']) {
      expect(thrownBy(() => applyJsonPatch([1, 2], [{ op: 'replace', path, value: 3 }])).code).toBe(422);
    }
  });

  test('a test of null holds where there is no such member', () => {
    expect(applyJsonPatch({ a: {} }, [{ op: 'test', path: '/a/b', value: null }])).toEqual({ a: {} });
    expect(thrownBy(() => applyJsonPatch({ a: {} }, [{ op: 'test', path: '/b/c', value: null }])).code).toBe(422);
  });

  test('never reaches a prototype', () => {
    const error = thrownBy(() => applyJsonPatch({}, [{ op: 'add', path: '/__proto__/polluted', value: true }]));
    expect(error.code).toBe(422);
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
  });

  test('a patch made by a diff, applied, gives the target', () => {
    // JSON has no negative zero.
    const value = fc.jsonValue({ maxDepth: 3 }).map((one) => JSON.parse(JSON.stringify(one)) as JsonValue);
    const object = fc.dictionary(fc.stringMatching(/^[a-z/~0]{1,4}$/), value);
    fc.assert(
      fc.property(object, object, (from, to) => {
        const patch = jsonpatch.compare(from, to) as unknown as JsonValue;
        expect(applyJsonPatch(from, patch)).toEqual(to);
      }),
    );
  });
});
