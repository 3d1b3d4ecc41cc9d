/**
 * Reads and decodes what clients send. Nothing here knows kinds: a body becomes plain JSON data, or a refusal that says what is
 * wrong with it. Bounded in size, depth and time, because it runs before anyone has looked at what was sent.
 */
import type { IncomingMessage } from 'node:http';
import type { ServerHttp2Stream } from 'node:http2';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { maximumBodyBytes } from '#api/limits';
import { JsonScan, parseJson } from '#api/schema/json';
import type { Clock } from '#base/clock';
import { messageOf, StatusError } from '#base/errors';
import type { Request } from './exchange.ts';
import { encodingTypes, parseMediaType, unsupportedMediaType } from './media-type.ts';
import { YamlThread } from './yaml-thread.ts';

/** Lines and items of a YAML body: its parser takes a hundred times as long as that of JSON. */
const maximumYamlParts = 30_000;
/** Characters that are looked at in one turn of the event loop. */
const pieceSize = 128 * 1024;
const lineFeed = 0x0a;
const comma = 0x2c;

/** Decodes a protobuf body (`k8s\0`…) into JSON data; throws `StatusError` or any error that says why it cannot. */
export type ProtobufDecoder = (bytes: Uint8Array) => object;

/** The whole body. Throws `RequestEntityTooLarge`, `UnsupportedMediaType` for one that is compressed, or `BadRequest` when the client breaks off; how long it may take is the exchange's to say. */
export function readBody(request: Request): Promise<Buffer> {
  const encoding = request.headers['content-encoding'] ?? 'identity';
  if (encoding.toLowerCase() !== 'identity') {
    return Promise.reject(new StatusError('UnsupportedMediaType', `the body is encoded as ${JSON.stringify(encoding)}: send it as it is`));
  }
  if (Number(request.headers['content-length'] ?? 0) > maximumBodyBytes) return Promise.reject(tooLarge());
  const source: IncomingMessage | ServerHttp2Stream = 'stream' in request ? request.stream : request;
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    let over = false;
    const stop = (error: StatusError | undefined): void => {
      over = true;
      if (error === undefined) resolve(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks));
      else reject(error);
    };
    const onData = (chunk: Buffer): void => {
      size += chunk.length;
      if (size <= maximumBodyBytes) {
        chunks.push(chunk);
        return;
      }
      source.removeListener('data', onData);
      if (!over) stop(tooLarge());
    };
    const onBroken = (): void => {
      if (!over) stop(new StatusError('BadRequest', 'the connection ended before the whole body had come'));
    };
    source.on('data', onData);
    source.once('end', () => {
      if (!over) stop(undefined);
    });
    source.once('close', onBroken);
    if (source === request) source.once('error', onBroken);
  });
}

export interface DecodedBody {
  readonly value: unknown;
  /** Paths of keys that occurred again in their object. */
  readonly duplicates: readonly string[];
}

/** Decodes bodies, giving way to other work within long ones. */
export class BodyDecoder {
  readonly #decodeProtobuf: ProtobufDecoder;
  readonly #yaml: YamlThread;

  constructor(clock: Clock, decodeProtobuf: ProtobufDecoder) {
    this.#decodeProtobuf = decodeProtobuf;
    this.#yaml = new YamlThread(clock);
  }

  /** An object's body by its content type (JSON where none is given). Throws `UnsupportedMediaType`, `BadRequest` and `RequestEntityTooLarge`. */
  async decode(bytes: Buffer, contentType: string | undefined): Promise<DecodedBody> {
    const type = contentType === undefined ? encodingTypes.json : (parseMediaType(contentType)?.type ?? '');
    switch (type) {
      case encodingTypes.json:
        return await this.decodeJson(bytes);
      case encodingTypes.yaml:
        return await this.#decodeYaml(bytes);
      case encodingTypes.protobuf: {
        const value = this.#fromProtobuf(bytes);
        if (bytes.length > pieceSize) await nextTurn();
        return { value, duplicates: [] };
      }
      default:
        throw unsupportedMediaType(Object.values(encodingTypes));
    }
  }

  /** Throws `BadRequest` and `RequestEntityTooLarge`. */
  async decodeJson(bytes: Buffer): Promise<DecodedBody> {
    const text = bytes.toString('utf8');
    const scan = new JsonScan(text);
    while (scan.run(pieceSize)) await nextTurn();
    const value = parseJson(text, scan);
    if (text.length > pieceSize) await nextTurn();
    return { value, duplicates: scan.duplicates };
  }

  /** Ends what decoding has started. */
  async close(): Promise<void> {
    await this.#yaml.close();
  }

  #fromProtobuf(bytes: Buffer): object {
    try {
      return this.#decodeProtobuf(bytes);
    } catch (error) {
      if (error instanceof StatusError) throw error;
      throw new StatusError('BadRequest', `the protobuf body cannot be read: ${messageOf(error)}`, { cause: error });
    }
  }

  async #decodeYaml(bytes: Buffer): Promise<DecodedBody> {
    if (hasMoreParts(bytes, maximumYamlParts)) {
      throw new StatusError(
        'RequestEntityTooLarge',
        `Request entity too large: a YAML body may have ${maximumYamlParts} lines and items: send JSON`,
      );
    }
    const { json, duplicates } = await this.#yaml.read(bytes.toString('utf8'));
    const scan = new JsonScan(json);
    while (scan.run(pieceSize)) await nextTurn();
    return { value: parseJson(json, scan), duplicates };
  }
}

/** How many lines and items there may be at most. */
function hasMoreParts(bytes: Buffer, most: number): boolean {
  let count = 0;
  for (const separator of [lineFeed, comma]) {
    for (let at = bytes.indexOf(separator); at >= 0; at = bytes.indexOf(separator, at + 1)) if (++count > most) return true;
  }
  return false;
}

function tooLarge(): StatusError {
  return new StatusError('RequestEntityTooLarge', `Request entity too large: limit is ${maximumBodyBytes}`);
}
