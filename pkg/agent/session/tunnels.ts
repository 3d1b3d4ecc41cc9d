/** Opens what a server asks for, as a byte stream that the agent dials: logs, the runtime's own streams, the agent's figures. */
import { connect, type Socket } from 'node:net';
import { type Duplex, Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { Metadata } from '@grpc/grpc-js';
import { messageOf, StatusError } from '#base/errors';
import type { Logger } from '#base/logging';
import type { AgentClient, OpenStream } from '#rpc/generated/agent';
import { message, tunnelStream } from '#rpc/tunnel';

/** What a stream's bytes come from. */
export type Source =
  | { readonly type: 'bytes'; readonly chunks: AsyncIterable<Uint8Array> }
  /** An HTTP/1.1 server that takes one upgrade; `path` replaces the target of the client's request. */
  | { readonly type: 'upgrade'; readonly url: string };

/** Throws `StatusError` when the target cannot be opened. */
export type StreamOpener = (target: NonNullable<OpenStream['target']>, signal: AbortSignal) => Promise<Source>;

export interface TunnelOptions {
  readonly open: StreamOpener;
  readonly log: Logger;
}

/** Never rejects: what goes wrong is told to the other end, or has ended it already. */
export async function serveTunnel(request: OpenStream, client: AgentClient, options: TunnelOptions, signal: AbortSignal): Promise<void> {
  const metadata = new Metadata();
  metadata.set('stream-id', request.streamId);
  const call = client.tunnel(metadata);
  const gone = new AbortController();
  const stop = AbortSignal.any([signal, gone.signal]);
  call.on('error', () => gone.abort());
  try {
    if (request.target === undefined) throw new StatusError('BadRequest', 'the agent does not know this kind of stream: update it');
    const source = await options.open(request.target, stop);
    call.write(message({}));
    const stream = tunnelStream(call, () => call.cancel());
    stream.on('error', (error) => options.log.debug('a stream broke', { stream: request.streamId, error: error.message }));
    stream.once('close', () => gone.abort());
    stop.addEventListener('abort', () => stream.destroy(), { once: true });
    if (source.type === 'bytes') await sendBytes(source.chunks, stream);
    else await passThrough(source.url, stream);
  } catch (error) {
    if (stop.aborted) return;
    options.log.debug('a stream ended', { stream: request.streamId, error: messageOf(error) });
    const failure = error instanceof StatusError ? error : new StatusError('InternalError', messageOf(error));
    call.write(message({ failureCode: failure.code, failure: Buffer.from(JSON.stringify(failure.toStatus())), end: true }));
    call.end();
  }
}

async function sendBytes(chunks: AsyncIterable<Uint8Array>, stream: Duplex): Promise<void> {
  stream.resume();
  await pipeline(Readable.from(chunks, { objectMode: false }), stream).catch(() => undefined);
}

const headLimit = 64 * 1024;

/** Joins the client's connection with the runtime's streaming server; only the request's target is changed on the way. */
async function passThrough(url: string, stream: Duplex): Promise<void> {
  const { hostname, port, pathname, search } = new URL(url);
  const head = await readHead(stream);
  if (head === undefined) {
    stream.destroy();
    return;
  }
  const socket = await dial(hostname.replace(/^\[|\]$/g, ''), Number(port === '' ? 80 : port));
  stream.once('close', () => socket.destroy());
  socket.write(withTarget(head, `${pathname}${search}`));
  await Promise.all([pipeline(stream, socket, { end: true }), pipeline(socket, stream, { end: true })]).catch(() => {
    socket.destroy();
    stream.destroy();
  });
}

/** All bytes up to and with the end of the request's head, and whatever came along after it. */
async function readHead(stream: Duplex): Promise<Buffer | undefined> {
  let bytes = Buffer.alloc(0);
  return new Promise((resolve) => {
    const onData = (chunk: Buffer): void => {
      bytes = Buffer.concat([bytes, chunk]);
      if (bytes.includes('\r\n\r\n')) finish(bytes);
      else if (bytes.length > headLimit) finish(undefined);
    };
    const finish = (result: Buffer | undefined): void => {
      stream.pause();
      stream.off('data', onData).off('end', onEnd).off('close', onEnd);
      resolve(result);
    };
    const onEnd = (): void => finish(undefined);
    stream.on('data', onData).once('end', onEnd).once('close', onEnd);
  });
}

function withTarget(head: Buffer, target: string): Buffer {
  const end = head.indexOf('\r\n');
  const [method = 'POST', , version = 'HTTP/1.1'] = head.toString('latin1', 0, end).split(' ');
  return Buffer.concat([Buffer.from(`${method} ${target} ${version}`, 'latin1'), head.subarray(end)]);
}

function dial(host: string, port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, allowHalfOpen: true, noDelay: true });
    socket.once('connect', () => resolve(socket));
    socket.once('error', (error) =>
      reject(new StatusError('ServiceUnavailable', `the runtime's streaming server does not answer: ${error.message}`)),
    );
  });
}
