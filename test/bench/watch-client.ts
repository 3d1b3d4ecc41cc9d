/**
 * A process with many watches, for `watchers.ts`. It must not be what limits the measurement: most watches are only counted, as the bytes that come in
 * on their connections, which are not even decrypted once the reply has begun. A few are read as a client reads them: they see that nothing is
 * missing, and how late it comes.
 */
import { type ClientHttp2Session, connect as connectHttp2 } from 'node:http2';
import { connect as connectTcp, type Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import type { ConnectionOptions } from '#client/kubeconfig';
import { percentile } from './bench.ts';

export interface WatchOrder {
  readonly connection: ConnectionOptions;
  /** `connections`: HTTP/1.1, each watch on its own. `sessions`: HTTP/2, a hundred watches on each. */
  readonly mode: 'connections' | 'sessions';
  /** One watch each. */
  readonly paths: readonly string[];
  /** Every so many watches one is read. */
  readonly readEvery: number;
  /** Where in an event stands when it was sent, in nanoseconds of the monotonic clock. */
  readonly stamp: string;
}

export interface WatchReport {
  /** Events of each watch that was read. */
  readonly events: readonly number[];
  /** Bytes of each watch that was read. */
  readonly bytes: readonly number[];
  /** Bytes, encrypted, of each connection that was only counted, shared out over its watches. */
  readonly counted: readonly number[];
  /** Milliseconds from the sending of a write to its event, in the watches that were read. */
  readonly median: number;
  readonly p99: number;
  readonly cpuSeconds: number;
}

const perSession = 100;

/** A socket that hands on what it reads, until it is told only to count. */
class CountingSocket extends Duplex {
  bytes = 0;
  counting = false;
  readonly #socket: Socket;

  constructor(port: number, host: string) {
    super();
    const buffer = Buffer.allocUnsafe(256 * 1024);
    this.#socket = connectTcp({
      port,
      host,
      onread: {
        buffer,
        callback: (length, data) => {
          if (this.counting) this.bytes += length;
          else this.push(Buffer.from(data.subarray(0, length)));
          return true;
        },
      },
    });
    this.#socket.on('error', (error) => this.destroy(error));
  }

  override _read(): void {
    // It flows by itself.
  }

  override _write(chunk: Buffer, _: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#socket.write(chunk, done);
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#socket.destroy();
    done(error);
  }
}

class Reader {
  events = 0;
  bytes = 0;
  readonly latencies: number[] = [];
  readonly #stamp: string;
  #rest = '';

  constructor(stamp: string) {
    this.#stamp = stamp;
  }

  take(chunk: string): void {
    const now = process.hrtime.bigint();
    this.bytes += chunk.length;
    const lines = (this.#rest + chunk).split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) {
      const at = line.indexOf(this.#stamp);
      if (at < 0) continue;
      this.events++;
      const sent = /\d+/.exec(line.slice(at + this.#stamp.length))?.[0];
      if (sent !== undefined) this.latencies.push(Number(now - BigInt(sent)) / 1e6);
    }
  }

  forget(): void {
    this.events = 0;
    this.bytes = 0;
    this.latencies.length = 0;
  }
}

const readers: Reader[] = [];
const counted: { readonly socket: CountingSocket; readonly watches: number }[] = [];

async function open(order: WatchOrder): Promise<void> {
  const read = order.paths.filter((_, index) => index % order.readEvery === 0);
  const rest = order.paths.filter((_, index) => index % order.readEvery !== 0);
  if (order.mode === 'connections') {
    for (const path of rest) await countOnConnection(order, path);
    for (const path of read) await readOnConnection(order, path);
    return;
  }
  for (let from = 0; from < rest.length; from += perSession) await countOnSession(order, rest.slice(from, from + perSession));
  await readOnSession(order, read);
}

function secure({ connection }: WatchOrder, socket: Duplex | undefined, protocol: string): TLSSocket {
  const { hostname, port } = new URL(connection.server);
  return connectTls({
    host: hostname,
    port: Number(port),
    ...(socket === undefined ? {} : { socket }),
    ...(connection.certificateAuthority === undefined ? {} : { ca: connection.certificateAuthority }),
    ...(connection.clientCertificate === undefined ? {} : { cert: connection.clientCertificate }),
    ...(connection.clientKey === undefined ? {} : { key: connection.clientKey }),
    ALPNProtocols: [protocol],
  });
}

function countingSocket({ connection }: WatchOrder): CountingSocket {
  const { hostname, port } = new URL(connection.server);
  return new CountingSocket(Number(port), hostname);
}

async function begun(socket: TLSSocket, path: string): Promise<void> {
  socket.write(`GET ${path} HTTP/1.1\r\nHost: berth\r\nAccept: application/json\r\n\r\n`);
  const head = await new Promise<Buffer>((resolve, reject) => {
    socket.once('data', resolve);
    socket.once('error', reject);
  });
  if (!head.toString('latin1').startsWith('HTTP/1.1 200')) throw new Error(`a watch was answered ${head.toString('latin1').slice(0, 300)}`);
}

async function countOnConnection(order: WatchOrder, path: string): Promise<void> {
  const socket = countingSocket(order);
  await begun(secure(order, socket, 'http/1.1'), path);
  socket.counting = true;
  counted.push({ socket, watches: 1 });
}

async function readOnConnection(order: WatchOrder, path: string): Promise<void> {
  const reader = new Reader(order.stamp);
  readers.push(reader);
  const socket = secure(order, undefined, 'http/1.1');
  await begun(socket, path);
  socket.setEncoding('latin1');
  // The lengths of chunks stand on lines of their own.
  socket.on('data', (chunk: string) => reader.take(chunk));
}

function session(order: WatchOrder, socket: Duplex | undefined): ClientHttp2Session {
  const made = connectHttp2(order.connection.server, {
    createConnection: () => secure(order, socket, 'h2'),
    settings: { initialWindowSize: 2 ** 31 - 1 },
  });
  made.once('connect', () => made.setLocalWindowSize(2 ** 31 - 1));
  return made;
}

async function countOnSession(order: WatchOrder, paths: readonly string[]): Promise<void> {
  const socket = countingSocket(order);
  const over = session(order, socket);
  await Promise.all(
    paths.map(
      (path) =>
        new Promise((resolve, reject) => {
          const stream = over.request({ ':path': path, accept: 'application/json' });
          stream.once('response', resolve).once('error', reject).resume();
        }),
    ),
  );
  // What the server says to the opening of windows comes right after.
  await new Promise((resolve) => over.ping(resolve));
  socket.counting = true;
  counted.push({ socket, watches: paths.length });
}

async function readOnSession(order: WatchOrder, paths: readonly string[]): Promise<void> {
  const over = session(order, undefined);
  for (const path of paths) {
    const reader = new Reader(order.stamp);
    readers.push(reader);
    const stream = over.request({ ':path': path, accept: 'application/json' });
    stream.setEncoding('latin1');
    stream.on('data', (chunk: string) => reader.take(chunk));
    await new Promise((resolve, reject) => stream.once('response', resolve).once('error', reject));
  }
}

function report(): WatchReport {
  const latencies = readers.flatMap((reader) => reader.latencies);
  const { user, system } = process.cpuUsage();
  return {
    events: readers.map((reader) => reader.events),
    bytes: readers.map((reader) => reader.bytes),
    counted: counted.map(({ socket, watches }) => socket.bytes / watches),
    median: percentile(latencies, 0.5),
    p99: percentile(latencies, 0.99),
    cpuSeconds: (user + system) / 1e6,
  };
}

process.on('message', (message: WatchOrder | 'begin' | 'report' | 'end') => {
  if (message === 'begin') {
    for (const reader of readers) reader.forget();
    for (const { socket } of counted) socket.bytes = 0;
    process.send?.(report());
  } else if (message === 'report') process.send?.(report());
  else if (message === 'end') process.exit(0);
  else
    open(message).then(
      () => process.send?.(report()),
      (error: unknown) => {
        process.stderr.write(`${String(error)}\n`);
        process.exit(1);
      },
    );
});
