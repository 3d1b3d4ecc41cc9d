/**
 * Reads and decodes what clients send. Nothing here knows kinds: a body becomes plain JSON data, or a refusal that says what is
 * wrong with it. Bounded in size, depth and time, because it runs before anyone has looked at what was sent.
 */
import type { IncomingMessage } from 'node:http';
import type { Http2ServerRequest } from 'node:http2';
import { maximumBodyBytes } from '#api/limits';
import { duplicateFields, parseJson } from '#api/schema/json';
import { messageOf, StatusError } from '#base/errors';
import { YamlNestingError, yamlDocuments } from '#base/yaml-documents';
import { encodingTypes, parseMediaType, unsupportedMediaType } from './media-type.ts';

/** Lines and items of a YAML body: its parser takes a hundred times as long as that of JSON. */
const maximumYamlParts = 10_000;
const lineFeed = 0x0a;
const comma = 0x2c;

/** Decodes a protobuf body (`k8s\0`…) into JSON data; throws `StatusError` or any error that says why it cannot. */
export type ProtobufDecoder = (bytes: Uint8Array) => object;

/** The whole body. Throws `RequestEntityTooLarge`, or `BadRequest` when the client breaks off; how long it may take is the exchange's to say. */
export function readBody(request: IncomingMessage | Http2ServerRequest): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    if (Number(request.headers['content-length'] ?? 0) > maximumBodyBytes) {
      reject(tooLarge());
      return;
    }
    const chunks: Buffer[] = [];
    let size = 0;
    const stop = (): void => {
      request.removeListener('data', onData);
      request.removeListener('end', onEnd);
      request.removeListener('error', onBroken);
      request.removeListener('close', onBroken);
    };
    const onData = (chunk: Buffer): void => {
      size += chunk.length;
      if (size <= maximumBodyBytes) {
        chunks.push(chunk);
        return;
      }
      stop();
      reject(tooLarge());
    };
    const onEnd = (): void => {
      stop();
      resolve(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks));
    };
    const onBroken = (): void => {
      stop();
      reject(new StatusError('BadRequest', 'the connection ended before the whole body had come'));
    };
    request.on('data', onData);
    request.on('end', onEnd);
    request.on('error', onBroken);
    request.on('close', onBroken);
  });
}

export interface DecodedBody {
  readonly value: unknown;
  /** Paths of keys that occurred again in their object. */
  readonly duplicates: readonly string[];
}

/** Decodes an object's body by its content type (JSON where none is given). Throws `UnsupportedMediaType` and `BadRequest`. */
export function decodeBody(bytes: Buffer, contentType: string | undefined, decodeProtobuf: ProtobufDecoder): DecodedBody {
  const type = contentType === undefined ? encodingTypes.json : (parseMediaType(contentType)?.type ?? '');
  switch (type) {
    case encodingTypes.json:
      return decodeJson(bytes);
    case encodingTypes.yaml:
      return decodeYaml(bytes);
    case encodingTypes.protobuf:
      try {
        return { value: decodeProtobuf(bytes), duplicates: [] };
      } catch (error) {
        if (error instanceof StatusError) throw error;
        throw new StatusError('BadRequest', `the protobuf body cannot be read: ${messageOf(error)}`, { cause: error });
      }
    default:
      throw unsupportedMediaType(Object.values(encodingTypes));
  }
}

export function decodeJson(bytes: Buffer): DecodedBody {
  const source = bytes.toString('utf8');
  return { value: parseJson(source), duplicates: duplicateFields(source) };
}

function decodeYaml(bytes: Buffer): DecodedBody {
  const source = bytes.toString('utf8');
  if (partsOf(source) > maximumYamlParts) {
    throw new StatusError(
      'RequestEntityTooLarge',
      `Request entity too large: a YAML body may have ${maximumYamlParts} lines and items: send JSON`,
    );
  }
  try {
    const documents = yamlDocuments(source, {
      version: '1.1',
      // The library compares each key with all before it.
      uniqueKeys: false,
      // What is odd about a body is its sender's to hear, not this process's log.
      logLevel: 'error',
      customTags: (tags) => tags.filter((tag) => !isTimestamp(tag)),
    });
    const document = documents[0];
    if (document === undefined || documents.length > 1) {
      throw new StatusError('BadRequest', `the YAML body must hold one document, but holds ${documents.length}`);
    }
    const [error] = document.errors;
    if (error !== undefined) throw new StatusError('BadRequest', `yaml parse error: ${error.message}`, { cause: error });
    return { value: document.toJS({ maxAliasCount: 100 }), duplicates: duplicateKeys(document.contents, source) };
  } catch (error) {
    if (error instanceof StatusError) throw error;
    const why = error instanceof YamlNestingError ? `it is ${error.message}` : messageOf(error);
    throw new StatusError('BadRequest', `the YAML body cannot be read: ${why}`, { cause: error });
  }
}

/** How many lines and items there may be at most. */
function partsOf(source: string): number {
  let count = 0;
  for (let index = 0; index < source.length; index++) {
    const code = source.charCodeAt(index);
    if (code === lineFeed || code === comma) count++;
  }
  return count;
}

/** The lines of keys that stood before in their mapping. */
function duplicateKeys(root: unknown, source: string): string[] {
  const found: string[] = [];
  const open: unknown[] = [root];
  for (let node = open.pop(); node !== undefined; node = open.pop()) {
    const { items } = (node ?? {}) as { items?: readonly unknown[] };
    if (items === undefined) continue;
    const keys = new Set<unknown>();
    for (const item of items) {
      const { key, value } = (item ?? {}) as { key?: { value?: unknown; range?: readonly number[] } | null; value?: unknown };
      open.push(item, value);
      const name = key?.value;
      if (name === undefined || name === '<<' || found.length >= 100) continue;
      if (keys.has(name)) found.push(`line ${source.slice(0, key?.range?.[0] ?? 0).split('\n').length}`);
      keys.add(name);
    }
  }
  return found;
}

function isTimestamp(tag: unknown): boolean {
  return typeof tag === 'object' && tag !== null && 'tag' in tag && tag.tag === 'tag:yaml.org,2002:timestamp';
}

function tooLarge(): StatusError {
  return new StatusError('RequestEntityTooLarge', `Request entity too large: limit is ${maximumBodyBytes}`);
}
