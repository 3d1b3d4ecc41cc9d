/** Bodies in protobuf, by the kind that they name. */
import { parseApiVersion } from '#api/object';
import { decodeMessage } from '#api/protobuf/decode';
import { encodeProtobuf, openEnvelope } from '#api/protobuf/envelope';
import { StatusError } from '#base/errors';
import { protobufTypeOf } from './published-resources.ts';

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

export function hasProtobuf(group: string, version: string, kind: string): boolean {
  return protobufTypeOf(group, version, kind) !== undefined;
}
