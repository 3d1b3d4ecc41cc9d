/**
 * What stands under an object's key: a format byte, then the object. 0x01 is plain JSON in UTF-8; other bytes are kept for
 * encryption and compression. The JSON always begins `{"apiVersion":…,"kind":…,"metadata":{` and has no resourceVersion,
 * because that is the revision under which it was written: `spliceRevision` puts it in without parsing.
 */

import type { KubernetesObject } from '#api/object';
import { StatusError } from '#base/errors';
import type { Revision } from './backend.ts';

/** Plain JSON in UTF-8. */
export const formatJson = 0x01;

/** Largest stored value in bytes; leaves room for the rest of a request in etcd's default of 1.5 MiB. */
export const maximumValueLength = 1_500_000;

const metadataStart = Buffer.from('"metadata":{');
const closingBrace = 0x7d;

/** Where a buffer of a length comes from. */
export type Allocate = (length: number) => Buffer;

// A buffer of its own, not a slice of Node's pool: it lives long, and would keep its neighbours alive.
const alone: Allocate = (length) => Buffer.allocUnsafeSlow(length);

/**
 * The object in the order of fields that stored JSON has: a copy that shares all below its metadata, without a resourceVersion but with the place for it
 * (which JSON leaves out).
 */
export function storable(object: KubernetesObject): KubernetesObject {
  const metadata = Object.assign({ resourceVersion: undefined }, object.metadata, { resourceVersion: undefined });
  return Object.assign({ apiVersion: object.apiVersion, kind: object.kind, metadata }, object, { metadata });
}

/**
 * The stored form of an object. Throws `StatusError` RequestEntityTooLarge above 1.5 MB. The object's
 * `metadata.resourceVersion` is left out.
 */
export function encodeObject(object: KubernetesObject): Buffer {
  return encodeJson(storable(object));
}

/** The stored form of any JSON, for records under internal keys. Throws like `encodeObject`. */
export function encodeJson(content: unknown): Buffer {
  const json = JSON.stringify(content);
  const length = Buffer.byteLength(json) + 1;
  if (length > maximumValueLength) {
    throw new StatusError(
      'RequestEntityTooLarge',
      `Request entity too large: the object takes ${length} bytes, the limit is ${maximumValueLength}; split it, or keep large data in a volume`,
    );
  }
  // May be a slice of Node's pool: it goes to the backend, and what lives long is made of it by `spliceRevision`.
  const value = Buffer.allocUnsafe(length);
  value[0] = formatJson;
  value.write(json, 1);
  return value;
}

/** What `encodeJson` wrote. Throws on a value that is not of a known format. */
export function decodeJson(value: Uint8Array): unknown {
  return JSON.parse(readable(value).toString('utf8', 1));
}

/** The object's JSON for clients: the stored form with `metadata.resourceVersion` in its place. Throws on a value that is not of a known format. */
export function spliceRevision(value: Uint8Array, revision: Revision, allocate = alone): Buffer {
  const stored = readable(value);
  const at = stored.indexOf(metadataStart);
  if (at < 0) throw new Error('a stored object has no metadata');
  return splice(stored, 1, at + metadataStart.length, at + metadataStart.length, revision, allocate);
}

/** The same JSON under another revision: of an object that was deleted, or that left a selector, by that revision. */
export function replaceRevision(json: Buffer, revision: Revision): Buffer {
  const start = json.indexOf(metadataStart) + metadataStart.length;
  // `"resourceVersion":"` has 19 characters; the number has no quote.
  let end = json.indexOf(0x22, start + 19) + 1;
  if (json[end] === 0x2c) end++;
  return splice(json, 0, start, end, revision, alone);
}

function splice(source: Buffer, from: number, headEnd: number, tailStart: number, revision: Revision, allocate: Allocate): Buffer {
  const field = `"resourceVersion":"${revision}"${source[tailStart] === closingBrace ? '' : ','}`;
  const result = allocate(headEnd - from + field.length + source.length - tailStart);
  source.copy(result, 0, from, headEnd);
  result.write(field, headEnd - from, 'latin1');
  source.copy(result, headEnd - from + field.length, tailStart);
  return result;
}

function readable(value: Uint8Array): Buffer {
  if (value[0] !== formatJson) {
    throw new Error(
      `a stored value has the format ${value[0] ?? 'none (it is empty)'}, which this version of Berth cannot read: was it written by a newer one?`,
    );
  }
  return Buffer.isBuffer(value) ? value : Buffer.from(value.buffer, value.byteOffset, value.byteLength);
}

/** Bytes of a slab, and of the largest value that is put into one. */
const slabSize = 256 * 1024;
const largestInSlab = 16 * 1024;

/**
 * Buffers that were made one after the other, side by side in larger ones: for what is loaded at once, because each buffer of its own costs time and a few
 * hundred bytes. A slab is let go when none of its values is used any more: at worst what was loaded stays, and no more.
 */
export function slabs(): Allocate {
  let slab: Buffer = Buffer.alloc(0);
  let used = 0;
  return (length) => {
    if (length > largestInSlab) return alone(length);
    if (used + length > slab.length) {
      slab = alone(slabSize);
      used = 0;
    }
    used += length;
    return slab.subarray(used - length, used);
  };
}
