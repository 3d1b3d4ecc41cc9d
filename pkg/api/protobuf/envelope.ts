/**
 * Kubernetes' protobuf bodies: the four bytes `k8s\0`, then a `runtime.Unknown` that names the kind and carries the message; and the frames of watches.
 */
import { StatusError } from '#base/errors';
import { decodeMessage } from './decode.ts';
import { encodeMessage } from './encode.ts';
import { ProtobufError, Reader } from './reader.ts';
import { ReverseWriter } from './writer.ts';

/** Fields of an envelope; it has four, and may have some that are not known. */
const maximumFields = 100;
const magic = Uint8Array.of(0x6b, 0x38, 0x73, 0x00);

export interface Envelope {
  readonly apiVersion: string;
  readonly kind: string;
  /** The bare message. */
  readonly raw: Uint8Array;
}

/** Opens a protobuf body. Throws StatusError BadRequest where it is none. */
export function openEnvelope(body: Uint8Array): Envelope {
  if (body.length < 4 || magic.some((byte, index) => body[index] !== byte)) {
    throw new StatusError('BadRequest', 'the body does not begin with the bytes of a Kubernetes protobuf message (6b 38 73 00)');
  }
  try {
    return readUnknown(new Reader(body.subarray(4), maximumFields));
  } catch (error) {
    if (error instanceof ProtobufError) throw new StatusError('BadRequest', `the protobuf envelope cannot be read: ${error.message}`);
    throw error;
  }
}

function readUnknown(reader: Reader): Envelope {
  let apiVersion = '';
  let kind = '';
  let raw: Uint8Array = new Uint8Array();
  while (!reader.done) {
    const tag = reader.tag();
    if (tag === 10) {
      const outer = reader.enter();
      while (!reader.done) {
        const inner = reader.tag();
        if (inner === 10) apiVersion = reader.string();
        else if (inner === 18) kind = reader.string();
        else reader.skip(inner % 8);
      }
      reader.leave(outer);
    } else if (tag === 18) raw = reader.bytes();
    else reader.skip(tag % 8);
  }
  return { apiVersion, kind, raw };
}

/** Puts a bare message into its envelope. */
export function sealEnvelope(envelope: Envelope): Uint8Array {
  const writer = new ReverseWriter(envelope.raw.length + 128);
  writer.string('');
  writer.tag(4, 2);
  writer.string('');
  writer.tag(3, 2);
  writer.prefixed(envelope.raw);
  writer.tag(2, 2);
  const before = writer.length;
  writer.string(envelope.kind);
  writer.tag(2, 2);
  writer.string(envelope.apiVersion);
  writer.tag(1, 2);
  writer.varint(writer.length - before);
  writer.tag(1, 2);
  writer.bytes(magic);
  return writer.finish();
}

/** A whole protobuf body of an object or list that has its `apiVersion` and `kind`. */
export function encodeProtobuf(typeName: string, object: { readonly apiVersion: string; readonly kind: string }): Uint8Array {
  return sealEnvelope({ apiVersion: object.apiVersion, kind: object.kind, raw: encodeMessage(typeName, object) });
}

/** The object of a whole protobuf body, with the `apiVersion` and `kind` of its envelope. Throws StatusError BadRequest. */
export function decodeProtobuf(typeName: string, body: Uint8Array): object {
  const { apiVersion, kind, raw } = openEnvelope(body);
  return { apiVersion, kind, ...decodeMessage(typeName, raw) };
}

/** One frame of a watch in protobuf: a length of four bytes and a `WatchEvent` around a whole body. */
export function watchFrame(type: string, body: Uint8Array): Uint8Array {
  const writer = new ReverseWriter(body.length + 64);
  const start = writer.length;
  const before = writer.length;
  writer.prefixed(body);
  writer.tag(1, 2);
  writer.varint(writer.length - before);
  writer.tag(2, 2);
  writer.string(type);
  writer.tag(1, 2);
  const length = writer.length - start;
  writer.bytes(Uint8Array.of((length >>> 24) & 255, (length >>> 16) & 255, (length >>> 8) & 255, length & 255));
  return writer.finish();
}
