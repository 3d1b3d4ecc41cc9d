/**
 * Writes answers: an object, list, table or Status in the form that was negotiated. What the store holds is written as the
 * bytes that it holds, never encoded again; a long list goes out in pieces, with a turn of the event loop between them.
 */
import type { ServerResponse } from 'node:http';
import { constants } from 'node:http2';
import type { Readable } from 'node:stream';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { createGzip } from 'node:zlib';
import type { StatusError } from '#base/errors';
import type { Turns } from '#base/turns';
import type { Http2Response } from './http2-stream.ts';
import { encodingTypes, type ReplyForm } from './media-type.ts';
import { yamlWriter } from './yaml-writer.ts';

export type Response = ServerResponse | Http2Response;

/** Encodes an object with apiVersion and kind as a protobuf body. */
export type ProtobufEncoder = (object: object) => Uint8Array;

/** Replies shorter than this are not compressed. */
const gzipFrom = 128 * 1024;
/** Bytes written in one go, and milliseconds of making them after which others are let run. */
const pieceSize = 256 * 1024;
const sliceTime = 2;

export interface ReplyHeaders {
  [name: string]: string | string[];
}

export interface SendOptions {
  readonly gzip: boolean;
  readonly headers?: ReplyHeaders | undefined;
  /** Shared by all long replies, so that they hold up others no longer together than one of them would. */
  readonly turns?: Turns;
  /** Told what is waited for when the client's buffers are full. */
  readonly untilClient?: (drained: Promise<void>) => Promise<void>;
}

const commonHeaders = { 'cache-control': 'no-cache, private' } as const;

/** Encodes plain data. YAML's library is loaded when first used. */
export async function encode(object: object, form: Pick<ReplyForm, 'encoding' | 'pretty'>, protobuf: ProtobufEncoder): Promise<Uint8Array> {
  if (form.encoding === 'protobuf') return protobuf(object);
  if (form.encoding === 'yaml') {
    const write = await yamlWriter();
    return Buffer.from(write(object));
  }
  return Buffer.from(form.pretty ? `${JSON.stringify(object, null, 2)}\n` : `${JSON.stringify(object)}\n`);
}

/** Sends a whole body, compressed where that is wanted and pays. */
export async function sendBytes(
  response: Response,
  code: number,
  type: string,
  bytes: Uint8Array,
  options: SendOptions = { gzip: false },
): Promise<void> {
  if (isOver(response)) return;
  if (options.gzip && bytes.length >= gzipFrom) {
    await sendPieces(response, code, type, [bytes], options);
    return;
  }
  response.writeHead(code, { ...commonHeaders, 'content-type': type, 'content-length': bytes.length, ...options.headers });
  response.end(bytes);
}

/** Sends a body in pieces, joined to a sensible size, giving way to other work in between and to a client that reads slowly. */
export async function sendPieces(
  response: Response,
  code: number,
  type: string,
  pieces: Iterable<Uint8Array>,
  options: SendOptions,
): Promise<void> {
  if (isOver(response)) return;
  response.writeHead(code, {
    ...commonHeaders,
    'content-type': type,
    ...(options.gzip ? { 'content-encoding': 'gzip', vary: 'accept-encoding' } : {}),
    ...options.headers,
  });
  const done = new Promise<void>((resolve) => response.once('close', resolve));
  let sink: Sink = response;
  if (options.gzip) {
    const gzip = createGzip({ level: 1 });
    gzip.on('error', () => breakOff(response));
    response.once('close', () => gzip.destroy());
    pipeTo(response, gzip);
    sink = gzip;
  }
  let joined: Uint8Array[] = [];
  let size = 0;
  const flush = async (): Promise<void> => {
    const whole = Buffer.concat(joined, size);
    joined = [];
    size = 0;
    if (sink.write(whole)) return;
    const drained = Promise.race([done, new Promise<void>((resolve) => sink.once('drain', resolve))]);
    await (options.untilClient === undefined ? drained : options.untilClient(drained));
  };
  const { turns } = options;
  let count = 0;
  let since = performance.now();
  for (const piece of pieces) {
    joined.push(piece);
    size += piece.length;
    if (size >= pieceSize) await flush();
    // Rows of tables and the like are made one by one, which takes longer than to write them.
    else if (++count % 16 !== 0 || performance.now() - since < sliceTime) continue;
    await (turns?.next() ?? nextTurn());
    since = performance.now();
    if (response.destroyed || response.writableEnded) return;
  }
  sink.end(Buffer.concat(joined, size));
}

/** What pieces are written to. */
interface Sink {
  write(bytes: Uint8Array): boolean;
  end(bytes: Uint8Array): unknown;
  once(event: 'drain', listener: () => void): unknown;
}

/** Sends what the source gives, as it comes, and ends the reply when that ends. */
export function pipeTo(response: Response, source: Readable): void {
  source.once('end', () => response.end());
  source.pipe('stream' in response ? response.stream : response, { end: false });
}

/** Whether somebody has answered already (a timeout), or nobody is there to be answered. */
function isOver(response: Response): boolean {
  return response.headersSent || response.destroyed;
}

/** Sends an error as a Status, always as JSON: every client reads it by its content type. Ends the stream where a reply had begun. */
export function sendError(response: Response, error: StatusError, headers?: ReplyHeaders): void {
  if (response.headersSent) {
    breakOff(response);
    return;
  }
  const bytes = Buffer.from(`${JSON.stringify(error.toStatus())}\n`);
  const retry = error.details?.retryAfterSeconds;
  response.writeHead(error.code, {
    ...commonHeaders,
    'content-type': encodingTypes.json,
    'content-length': bytes.length,
    ...(retry === undefined ? {} : { 'retry-after': String(retry) }),
    ...headers,
  });
  response.end(bytes);
}

/** Ends a reply so that the client sees that it is not whole. */
export function breakOff(response: Response): void {
  if ('stream' in response) response.stream.close(constants.NGHTTP2_INTERNAL_ERROR);
  response.destroy();
}

/** Warnings as `Warning` headers (RFC 7234): at most 4 KiB of them, each at most 256 characters. */
export function warningHeaders(warnings: readonly string[]): ReplyHeaders | undefined {
  if (warnings.length === 0) return undefined;
  const values: string[] = [];
  let size = 0;
  for (const warning of new Set(warnings)) {
    const printable = warning.replaceAll(/\p{Cc}/gu, ' ');
    const cut = printable.length > 256 ? `${printable.slice(0, 253)}...` : printable;
    const value = `299 - "${cut.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
    const bytes = Buffer.from(value).toString('latin1');
    size += bytes.length;
    if (size > 4096) break;
    values.push(bytes);
  }
  return { warning: values };
}
