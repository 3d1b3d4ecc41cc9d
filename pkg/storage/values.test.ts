import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { KubernetesObject } from '#api/object';
import { decodeJson, encodeJson, encodeObject, formatJson, maximumValueLength, replaceRevision, slabs, spliceRevision } from './values.ts';

const object = fc.record({
  apiVersion: fc.string(),
  kind: fc.string(),
  metadata: fc.dictionary(
    fc.string().filter((key) => key !== '__proto__' && key !== 'resourceVersion'),
    fc.jsonValue(),
  ),
  spec: fc.jsonValue(),
});

describe('stored values', () => {
  test('give the object with the resourceVersion of any revision, whatever is in it', () => {
    fc.assert(
      fc.property(object, fc.integer({ min: 1 }), fc.integer({ min: 1 }), (value, first, second) => {
        // As it comes back from JSON: without -0.
        const plain = JSON.parse(JSON.stringify(value)) as KubernetesObject;
        const stored = encodeObject({ ...plain, metadata: { ...plain.metadata, resourceVersion: 'dropped' } });
        expect(stored[0]).toBe(formatJson);
        const expected = (revision: number) => ({ ...plain, metadata: { ...plain.metadata, resourceVersion: String(revision) } });
        const json = spliceRevision(stored, first);
        expect(JSON.parse(json.toString())).toEqual(expected(first));
        expect(JSON.parse(replaceRevision(json, second).toString())).toEqual(expected(second));
      }),
    );
  });

  test('have no room for more than 1.5 MB', () => {
    const filled = (length: number): object => ({ x: 'y'.repeat(length - '{"x":""}'.length - 1) });
    expect(encodeJson(filled(maximumValueLength))).toHaveLength(maximumValueLength);
    expect(() => encodeJson(filled(maximumValueLength + 1))).toThrow(expect.objectContaining({ code: 413 }));
  });

  test('of another format are refused by name, not misread', () => {
    expect(() => spliceRevision(Uint8Array.of(2, 0x7b, 0x7d), 1)).toThrow('format 2');
    expect(() => decodeJson(new Uint8Array(0))).toThrow('format none');
    expect(decodeJson(encodeJson({ a: 1 }))).toEqual({ a: 1 });
  });
});

test('values side by side keep apart, whatever their size', () => {
  const allocate = slabs();
  const sizes = [1, 100, 16_384, 16_385, 200_000, ...Array.from({ length: 300 }, (_, index) => index * 7)];
  const buffers = sizes.map((size, index) => allocate(size).fill(index));
  for (const [index, buffer] of buffers.entries()) {
    expect(buffer.length).toBe(sizes[index]);
    expect(buffer.every((byte) => byte === index % 256)).toBe(true);
  }
});
