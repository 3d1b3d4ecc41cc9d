/** Bodies in protobuf, by the kind that they name. */
import { parseApiVersion } from '#api/object';
import { decodeMessage } from '#api/protobuf/decode';
import { encodeMessage } from '#api/protobuf/encode';
import { encodeProtobuf, openEnvelope, sealEnvelope } from '#api/protobuf/envelope';
import { ReverseWriter } from '#api/protobuf/writer';
import { StatusError } from '#base/errors';
import type { Turns } from '#base/turns';
import type { ServedList } from '../verbs/answer.ts';
import { protobufTypeOf } from './published-resources.ts';

/** Milliseconds of encoding after which others are let run. */
const slice = 2;

/** Throws `BadRequest` for what is no protobuf body, or names a kind that has no protobuf form here. */
export function decodeProtobufBody(bytes: Uint8Array): object {
  const { apiVersion, kind, raw } = openEnvelope(bytes);
  const { group, version } = parseApiVersion(apiVersion);
  const type = protobufTypeOf(group, version, kind);
  if (type === undefined) {
    throw new StatusError('BadRequest', `no kind ${JSON.stringify(kind)} is known for version ${JSON.stringify(apiVersion)}: send JSON`);
  }
  return { apiVersion, kind, ...decodeMessage(type, raw) };
}

/** An object or list with its `apiVersion` and `kind`. The caller has made sure, by `hasProtobuf`, that there is such a form. */
export function encodeProtobufBody(object: object): Uint8Array {
  const { apiVersion, kind } = object as { apiVersion: string; kind: string };
  const { group, version } = parseApiVersion(apiVersion);
  const type = protobufTypeOf(group, version, kind);
  if (type === undefined) throw new StatusError('InternalError', `${apiVersion} ${kind} has no protobuf form`);
  return encodeProtobuf(type, { ...object, apiVersion, kind });
}

/**
 * A list in pieces, the same bytes as `encodeProtobufBody` would give. Its length stands before it, so that all items are encoded first,
 * in slices that take turns.
 */
export async function encodeProtobufList(list: ServedList, turns: Turns): Promise<Uint8Array[]> {
  const { group, version } = parseApiVersion(list.apiVersion);
  const listType = protobufTypeOf(group, version, list.kind);
  if (listType === undefined) throw new StatusError('InternalError', `${list.apiVersion} ${list.kind} has no protobuf form`);
  const itemType = listType.replace(/List$/, '');
  const raw: Uint8Array[] = [];
  let length = 0;
  const add = (number: number, message: Uint8Array): void => {
    const head = new ReverseWriter(16);
    head.varint(message.length);
    head.tag(number, 2);
    const bytes = head.finish();
    raw.push(bytes, message);
    length += bytes.length + message.length;
  };
  add(1, encodeMessage('meta.v1.ListMeta', list.metadata));
  let since = performance.now();
  for (const [index, item] of list.items.entries()) {
    add(2, encodeMessage(itemType, item.object));
    if (index % 16 === 15 && performance.now() - since > slice) {
      await turns.next();
      since = performance.now();
    }
  }
  const envelope = sealEnvelope({ apiVersion: list.apiVersion, kind: list.kind, raw: new Uint8Array() });
  // An envelope around nothing ends with three empty fields: what is wrapped, its encoding and its type.
  const head = new ReverseWriter(16);
  head.varint(length);
  head.tag(2, 2);
  return [envelope.subarray(0, -6), head.finish(), ...raw, envelope.subarray(-4)];
}

export function hasProtobuf(group: string, version: string, kind: string): boolean {
  return protobufTypeOf(group, version, kind) !== undefined;
}
