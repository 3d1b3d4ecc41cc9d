/** HTTP/2 by hand, for tests of what well-behaved clients never do. */
import { type ClientHttp2Session, type ClientHttp2Stream, connect, type OutgoingHttpHeaders } from 'node:http2';
import type { ConnectionOptions } from '#client/kubeconfig';

export interface RawReply {
  /** 0 where the stream ended without an answer. */
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
  readonly bytes: Buffer;
}

/** A session whose errors, and those of its streams, are nobody's concern. */
export function openSession(connection: ConnectionOptions): ClientHttp2Session {
  const { server, certificateAuthority: ca, clientCertificate: cert, clientKey: key } = connection;
  const session = connect(server, { maxSessionMemory: 1000, ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }) });
  session.on('error', () => undefined);
  session.setMaxListeners(0);
  return session;
}

/** The answer of a stream that was opened; never rejects. */
export function replyOf(stream: ClientHttp2Stream): Promise<RawReply> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let headers: Record<string, string | string[] | undefined> = {};
    stream.on('response', (given) => {
      headers = given as typeof headers;
    });
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.on('error', () => undefined);
    stream.on('close', () => {
      const bytes = Buffer.concat(chunks);
      resolve({ status: Number(headers[':status'] ?? 0), headers, text: bytes.toString(), bytes });
    });
  });
}

export function ask(session: ClientHttp2Session, path: string, headers: OutgoingHttpHeaders = {}): Promise<RawReply> {
  return replyOf(session.request({ ':path': path, ...headers }));
}

/** Opens a request whose body never ends. */
export function openBody(session: ClientHttp2Session, path: string, begin = '{'): ClientHttp2Stream {
  const stream = session.request({ ':method': 'POST', ':path': path, 'content-type': 'application/json' });
  stream.on('error', () => undefined);
  stream.write(begin);
  return stream;
}

/** The sum of a metric's values over all of its labels that match. */
export async function metric(session: ClientHttp2Session, name: string, labels = ''): Promise<number> {
  const { status, text } = await ask(session, '/metrics');
  if (status !== 200) throw new Error(`/metrics answered ${status}`);
  let sum = 0;
  for (const line of text.split('\n')) {
    if (line.startsWith(name) && line.includes(labels) && /[{ ]/.test(line[name.length] ?? ''))
      sum += Number(line.slice(line.lastIndexOf(' ') + 1));
  }
  return sum;
}

/** Connections that are open in this process, at either end. */
export function openSockets(): number {
  return process.getActiveResourcesInfo().filter((resource) => resource === 'TCPSocketWrap' || resource === 'TLSWrap').length;
}

/** Waits, within a bound of about a minute, until `read` gives `wanted`; the last value otherwise. */
export async function until<T>(wanted: T, read: () => Promise<T> | T): Promise<T> {
  let last = await read();
  for (let tries = 0; tries < 1200 && last !== wanted; tries++) {
    await new Promise((resolve) => setTimeout(resolve, 50));
    last = await read();
  }
  return last;
}
