/**
 * One keep-alive connection to a server over TLS, HTTP/2 or HTTP/1.1, one request at a time, that does as little as it can: so that a
 * bench measures the server. Headers go as a client of Go sends them (from the second request on by their index); replies are counted and
 * kept, not decoded. Errors are known by their Status.
 */
import { connect, type TLSSocket } from 'node:tls';
import type { ConnectionOptions } from '#client/kubeconfig';

export type Protocol = 'h2' | 'http/1.1';

export interface LeanRequest {
  readonly method: 'GET' | 'POST' | 'PUT';
  readonly path: string;
  readonly body?: Uint8Array;
}

export interface Media {
  readonly accept: string;
  readonly contentType: string;
}

const userAgent = 'bench/v0 (linux/amd64)';
const frameHead = 9;
const type = { data: 0, headers: 1, rstStream: 3, settings: 4, ping: 6, goAway: 7 } as const;
const flag = { ack: 1, endStream: 1, endHeaders: 4 } as const;
/** What the client lets the server send before it says that it has read. */
const window = 1 << 30;
const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');
/** Fields of HPACK's static table. */
const field = {
  get: 0x82,
  post: 0x83,
  method: 2,
  path: 4,
  https: 0x87,
  authority: 1,
  accept: 19,
  encoding: 16,
  length: 28,
  type: 31,
  agent: 58,
};
const statusStart = Buffer.from('{"kind":"Status"');

/** Opens a connection of its own. Rejects when the server cannot be reached or speaks another protocol. */
export async function openLean(connection: ConnectionOptions, protocol: Protocol, media: Media): Promise<LeanConnection> {
  const url = new URL(connection.server);
  const socket = connect({
    host: url.hostname,
    port: Number(url.port),
    ca: connection.certificateAuthority,
    cert: connection.clientCertificate,
    key: connection.clientKey,
    ALPNProtocols: [protocol],
  });
  await new Promise<void>((resolve, reject) => {
    socket.once('secureConnect', resolve);
    socket.once('error', reject);
  });
  socket.setNoDelay(true);
  if (socket.alpnProtocol !== protocol) throw new Error(`the server speaks ${String(socket.alpnProtocol)}, not ${protocol}`);
  return protocol === 'h2' ? new LeanHttp2(socket, url.host, media) : new LeanHttp1(socket, url.host, media);
}

export abstract class LeanConnection {
  protected readonly socket: TLSSocket;
  #waiting: { resolve(body: Buffer): void; reject(error: Error): void } | undefined;
  #unread: Buffer = Buffer.alloc(0);

  constructor(socket: TLSSocket) {
    this.socket = socket;
    socket.on('data', (chunk: Buffer) => {
      try {
        const all = this.#unread.length === 0 ? chunk : Buffer.concat([this.#unread, chunk]);
        this.#unread = all.subarray(this.read(all));
      } catch (error) {
        this.fail(error as Error);
      }
    });
    socket.on('error', (error) => this.fail(error));
    socket.on('close', () => this.fail(new Error('the server closed the connection')));
  }

  /** Gives the body of the reply. Rejects when that is a Status, or the connection breaks. */
  send(request: LeanRequest): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
      this.write(request);
    });
  }

  close(): void {
    this.#waiting = undefined;
    this.socket.destroy();
  }

  protected abstract write(request: LeanRequest): void;
  /** Takes what is whole of the bytes; gives how many it took. */
  protected abstract read(bytes: Buffer): number;

  protected answer(body: Buffer): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (body.subarray(0, statusStart.length).equals(statusStart)) waiting?.reject(new Error(`refused: ${body.toString()}`));
    else waiting?.resolve(body);
  }

  protected fail(error: Error): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.reject(error);
  }
}

class LeanHttp2 extends LeanConnection {
  readonly #first: Buffer;
  readonly #indexed: Buffer;
  #streamId = -1;
  #body: Buffer[] = [];
  #unacknowledged = 0;

  constructor(socket: TLSSocket, authority: string, { accept, contentType }: Media) {
    super(socket);
    const constant: [number, string][] = [
      [field.authority, authority],
      [field.accept, accept],
      [field.encoding, 'gzip'],
      [field.type, contentType],
      [field.agent, userAgent],
    ];
    // With incremental indexing: what came last is entry 62.
    this.#first = Buffer.concat(constant.map(([name, value]) => literal(0x40, 6, name, value)));
    this.#indexed = Buffer.from(constant.map((_, index) => 0x80 | (62 + constant.length - 1 - index)));
    const settings = Buffer.alloc(6);
    settings.writeUInt16BE(4, 0);
    settings.writeUInt32BE(window, 2);
    socket.write(Buffer.concat([preface, frame(type.settings, 0, 0, settings), windowUpdate(window - 65_535)]));
  }

  protected override write({ method, path, body }: LeanRequest): void {
    const isFirst = this.#streamId < 0;
    this.#streamId += 2;
    const parts = [
      method === 'PUT' ? literal(0, 4, field.method, method) : Buffer.from([method === 'GET' ? field.get : field.post]),
      Buffer.from([field.https]),
      literal(0, 4, field.path, path),
      isFirst ? this.#first : this.#indexed,
    ];
    if (body !== undefined) parts.push(literal(0, 4, field.length, String(body.length)));
    const end = body === undefined ? flag.endStream : 0;
    const frames = [frame(type.headers, flag.endHeaders | end, this.#streamId, Buffer.concat(parts))];
    if (body !== undefined) frames.push(frame(type.data, flag.endStream, this.#streamId, body));
    this.socket.write(Buffer.concat(frames));
  }

  protected override read(bytes: Buffer): number {
    let at = 0;
    while (bytes.length - at >= frameHead) {
      const length = bytes.readUIntBE(at, 3);
      if (bytes.length - at < frameHead + length) break;
      const payload = bytes.subarray(at + frameHead, at + frameHead + length);
      this.#take(bytes[at + 3] as number, bytes[at + 4] as number, payload);
      at += frameHead + length;
    }
    return at;
  }

  #take(kind: number, flags: number, payload: Buffer): void {
    switch (kind) {
      case type.data:
        this.#unacknowledged += payload.length;
        if (this.#unacknowledged > window / 2) {
          this.socket.write(windowUpdate(this.#unacknowledged));
          this.#unacknowledged = 0;
        }
        this.#body.push(payload);
        break;
      case type.settings:
        if ((flags & flag.ack) === 0) this.socket.write(frame(type.settings, flag.ack, 0, Buffer.alloc(0)));
        return;
      case type.ping:
        if ((flags & flag.ack) === 0) this.socket.write(frame(type.ping, flag.ack, 0, payload));
        return;
      case type.rstStream:
      case type.goAway:
        throw new Error(`the server ended the stream or the session: ${payload.toString('hex')}`);
      case type.headers:
        break;
      default:
        return;
    }
    if ((flags & flag.endStream) === 0) return;
    const whole = this.#body.length === 1 ? (this.#body[0] as Buffer) : Buffer.concat(this.#body);
    this.#body = [];
    this.answer(whole);
  }
}

class LeanHttp1 extends LeanConnection {
  readonly #constant: string;

  constructor(socket: TLSSocket, authority: string, { accept, contentType }: Media) {
    super(socket);
    this.#constant = `Host: ${authority}\r\nUser-Agent: ${userAgent}\r\nAccept: ${accept}\r\nContent-Type: ${contentType}\r\nAccept-Encoding: gzip\r\n`;
  }

  protected override write({ method, path, body }: LeanRequest): void {
    const length = body === undefined ? '' : `Content-Length: ${body.length}\r\n`;
    const head = Buffer.from(`${method} ${path} HTTP/1.1\r\n${this.#constant}${length}\r\n`, 'latin1');
    this.socket.write(body === undefined ? head : Buffer.concat([head, body]));
  }

  protected override read(bytes: Buffer): number {
    const end = bytes.indexOf('\r\n\r\n');
    if (end < 0) return 0;
    const length = Number(/content-length: (\d+)/i.exec(bytes.toString('latin1', 0, end))?.[1] ?? Number.NaN);
    if (Number.isNaN(length)) throw new Error('a reply without a length');
    const whole = end + 4 + length;
    if (bytes.length < whole) return 0;
    this.answer(Buffer.from(bytes.subarray(end + 4, whole)));
    return whole;
  }
}

function frame(kind: number, flags: number, stream: number, payload: Uint8Array): Buffer {
  const bytes = Buffer.allocUnsafe(frameHead + payload.length);
  bytes.writeUIntBE(payload.length, 0, 3);
  bytes[3] = kind;
  bytes[4] = flags;
  bytes.writeUInt32BE(stream, 5);
  bytes.set(payload, frameHead);
  return bytes;
}

function windowUpdate(by: number): Buffer {
  const payload = Buffer.alloc(4);
  payload.writeUInt32BE(by, 0);
  return frame(8, 0, 0, payload);
}

/** A field by the index of its name; `mark` and `bits` say which of HPACK's forms (RFC 7541, 6.2). */
function literal(mark: number, bits: number, name: number, value: string): Buffer {
  return Buffer.concat([integer(mark, bits, name), integer(0, 7, Buffer.byteLength(value)), Buffer.from(value)]);
}

/** RFC 7541, 5.1. */
function integer(mark: number, bits: number, value: number): Buffer {
  const most = (1 << bits) - 1;
  if (value < most) return Buffer.from([mark | value]);
  const bytes = [mark | most];
  let rest = value - most;
  for (; rest >= 128; rest >>>= 7) bytes.push((rest & 127) | 128);
  bytes.push(rest);
  return Buffer.from(bytes);
}
