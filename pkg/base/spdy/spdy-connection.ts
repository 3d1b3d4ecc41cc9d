/**
 * SPDY/3.1 framing over a byte stream that was upgraded to it, as far as Kubernetes' streams (exec, attach, port-forward) use it: streams with headers, data both ways,
 * half-close, reset, ping, going away. Windows are not enforced: the peers that speak this (moby/spdystream) send no window updates.
 * Source: draft-mbelshe-httpbis-spdy-00 and the SPDY/3.1 draft. Invariant: frames leave in the order in which they were asked for, for the
 * compressor of headers has one state for the whole connection.
 */
import { Duplex } from 'node:stream';
import { constants, createDeflate, createInflate, type Deflate, type Inflate } from 'node:zlib';
import { createHeaderDictionary } from './header-dictionary.ts';

const frameTypes = { synStream: 1, synReply: 2, rstStream: 3, settings: 4, ping: 6, goAway: 7, windowUpdate: 9 } as const;
const finFlag = 1;
const maximumFrame = 16 * 1024 * 1024 - 1;
const chunkBytes = 32 * 1024;
/** What one peer may ask for: bytes of a stream's headers, streams open at once, pings that wait for their answer to be taken. */
const maximumHeaderBytes = 256 * 1024;
const maximumStreams = 2000;
const maximumPings = 1000;

export type SpdyHeaders = Readonly<Record<string, string>>;

export class SpdyError extends Error {
  override readonly name = 'SpdyError';
}

/** One stream; ending it half-closes, destroying it resets. */
export class SpdyStream extends Duplex {
  readonly id: number;
  readonly headers: SpdyHeaders;
  readonly #connection: SpdyConnection;

  constructor(id: number, headers: SpdyHeaders, connection: SpdyConnection) {
    super({ allowHalfOpen: true });
    this.id = id;
    this.headers = headers;
    this.#connection = connection;
  }

  override _read(): void {
    this.#connection.resume(this.id);
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#connection.sendData(this.id, chunk, false, done);
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#connection.sendData(this.id, Buffer.alloc(0), true, done);
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#connection.forget(this.id, error !== null || !this.writableFinished);
    done(error);
  }
}

export interface SpdyConnectionOptions {
  /** Clients open streams with odd numbers, servers with even ones. */
  readonly role: 'client' | 'server';
  /** A stream that the peer opened; it is accepted with a SYN_REPLY before this is called. */
  readonly onStream?: (stream: SpdyStream) => void;
}

export class SpdyConnection {
  readonly #socket: Duplex;
  readonly #options: SpdyConnectionOptions;
  readonly #streams = new Map<number, SpdyStream>();
  readonly #blocked = new Set<number>();
  readonly #finished = new WeakSet<SpdyStream>();
  readonly #deflate: HeaderCodec;
  readonly #inflate: HeaderCodec;
  #nextId: number;
  #buffer: Buffer = Buffer.alloc(0);
  /** What has come after `#buffer`, until there is enough of it to go on. */
  readonly #later: Buffer[] = [];
  #missing = 0;
  #pings = 0;
  #sending: Promise<void> = Promise.resolve();
  #receiving: Promise<void> = Promise.resolve();
  /** Resolves when the connection is over; rejects when it broke. */
  readonly closed: Promise<void>;

  constructor(socket: Duplex, options: SpdyConnectionOptions) {
    this.#socket = socket;
    this.#options = options;
    this.#nextId = options.role === 'client' ? 1 : 2;
    const dictionary = createHeaderDictionary();
    this.#deflate = new HeaderCodec(createDeflate({ dictionary, flush: constants.Z_SYNC_FLUSH }));
    this.#inflate = new HeaderCodec(createInflate({ dictionary, flush: constants.Z_SYNC_FLUSH }));
    this.closed = new Promise((resolve, reject) => {
      socket.once('close', () => {
        this.#endStreams(undefined);
        resolve();
      });
      socket.once('error', (error: Error) => {
        this.#endStreams(error);
        reject(error);
      });
    });
    this.closed.catch(() => undefined);
    socket.on('data', (chunk: Buffer) => {
      socket.pause();
      this.#receiving = this.#receiving
        .then(() => this.#receive(chunk))
        .then(
          () => void (this.#blocked.size === 0 && socket.resume()),
          (error: Error) => void socket.destroy(error),
        );
    });
    socket.on('end', () => {
      this.#receiving = this.#receiving.then(() => this.#endStreams(undefined));
    });
  }

  /** Opens a stream with these headers (names in lower case). */
  createStream(headers: SpdyHeaders): SpdyStream {
    const stream = new SpdyStream(this.#nextId, headers, this);
    this.#nextId += 2;
    this.#streams.set(stream.id, stream);
    this.#enqueue(async () => {
      const block = await this.#deflate.run(encodeHeaders(headers));
      const head = Buffer.alloc(10);
      head.writeUInt32BE(stream.id, 0);
      return controlFrame(frameTypes.synStream, 0, Buffer.concat([head, block]));
    });
    return stream;
  }

  /** For SpdyStream alone. */
  sendData(id: number, data: Buffer, fin: boolean, done: (error?: Error | null) => void): void {
    this.#enqueue(async () => {
      const frames: Buffer[] = [];
      for (let offset = 0; offset < data.length || (offset === 0 && fin); offset += chunkBytes) {
        const part = data.subarray(offset, offset + chunkBytes);
        const head = Buffer.alloc(8);
        head.writeUInt32BE(id, 0);
        head.writeUInt32BE(part.length, 4);
        if (fin && offset + chunkBytes >= data.length) head[4] = finFlag;
        frames.push(head, part);
      }
      return Buffer.concat(frames);
    }, done);
  }

  /** For SpdyStream alone: its reader wants more. */
  resume(id: number): void {
    if (this.#blocked.delete(id) && this.#blocked.size === 0) this.#socket.resume();
  }

  /** For SpdyStream alone: it is over; `reset` tells the peer so. */
  forget(id: number, reset: boolean): void {
    if (!this.#streams.delete(id)) return;
    this.resume(id);
    if (!reset || this.#socket.destroyed) return;
    const body = Buffer.alloc(8);
    body.writeUInt32BE(id, 0);
    body.writeUInt32BE(5, 4);
    this.#enqueue(async () => controlFrame(frameTypes.rstStream, 0, body));
  }

  close(): void {
    this.#sending = this.#sending.then(() => void this.#socket.end());
  }

  #enqueue(make: () => Promise<Buffer>, done?: (error?: Error | null) => void): void {
    this.#sending = this.#sending
      .then(make)
      .then(
        (frame) =>
          new Promise<void>((resolve) => {
            this.#socket.write(frame, (error) => {
              done?.(error);
              resolve();
            });
          }),
      )
      .catch((error: Error) => {
        done?.(error);
        this.#socket.destroy(error);
      });
  }

  async #receive(chunk: Buffer): Promise<void> {
    this.#later.push(chunk);
    this.#missing -= chunk.length;
    if (this.#missing > 0) return;
    this.#buffer = Buffer.concat([this.#buffer, ...this.#later.splice(0)]);
    this.#missing = 0;
    while (this.#buffer.length >= 8) {
      const length = this.#buffer.readUIntBE(5, 3);
      if (length > maximumFrame) throw new SpdyError(`a frame of ${length} bytes is too long`);
      if (this.#buffer.length < 8 + length) {
        this.#missing = 8 + length - this.#buffer.length;
        return;
      }
      const frame = this.#buffer.subarray(0, 8 + length);
      this.#buffer = this.#buffer.subarray(8 + length);
      if ((frame[0]! & 0x80) === 0) this.#receiveData(frame);
      else await this.#receiveControl(frame);
    }
  }

  #receiveData(frame: Buffer): void {
    const id = frame.readUInt32BE(0);
    const stream = this.#streams.get(id);
    if (stream === undefined) return;
    const data = frame.subarray(8);
    if (data.length > 0 && !stream.push(Buffer.from(data))) this.#blocked.add(id);
    if ((frame[4]! & finFlag) !== 0) this.#finish(stream);
  }

  /** The peer sends no more on it. */
  #finish(stream: SpdyStream | undefined): void {
    if (stream === undefined || this.#finished.has(stream)) return;
    this.#finished.add(stream);
    stream.push(null);
    // It takes no more, however much of it is still to be read; and of what has ended nobody asks for more.
    this.resume(stream.id);
  }

  async #receiveControl(frame: Buffer): Promise<void> {
    const type = frame.readUInt16BE(2);
    const flags = frame[4]!;
    const body = frame.subarray(8);
    const id = body.length >= 4 ? body.readUInt32BE(0) & 0x7fffffff : 0;
    if (type === frameTypes.synStream) {
      if (body.length < 10 || id === 0 || this.#streams.has(id)) throw new SpdyError(`a stream cannot be opened as ${id}`);
      if (this.#streams.size >= maximumStreams) throw new SpdyError(`more than ${maximumStreams} streams are open`);
      const headers = decodeHeaders(await this.#inflate.run(body.subarray(10)));
      const stream = new SpdyStream(id, headers, this);
      this.#streams.set(id, stream);
      this.#enqueue(async () => {
        const head = Buffer.alloc(4);
        head.writeUInt32BE(id, 0);
        return controlFrame(frameTypes.synReply, 0, Buffer.concat([head, await this.#deflate.run(encodeHeaders({}))]));
      });
      if ((flags & finFlag) !== 0) this.#finish(stream);
      this.#options.onStream?.(stream);
    } else if (type === frameTypes.synReply) {
      await this.#inflate.run(body.subarray(4));
      if ((flags & finFlag) !== 0) this.#finish(this.#streams.get(id));
    } else if (type === frameTypes.rstStream) {
      // Runtimes reset the streams that they have done with, after their last data: an end, as moby/spdystream takes it.
      const stream = this.#streams.get(id);
      this.#streams.delete(id);
      this.#finish(stream);
    } else if (type === frameTypes.ping) {
      // A ping that we did not send is one to answer; odd ones are the client's.
      if ((id % 2 === 1) === (this.#options.role === 'client')) return;
      if (++this.#pings > maximumPings) throw new SpdyError(`more than ${maximumPings} pings wait to be answered`);
      this.#enqueue(
        async () => Buffer.from(frame),
        () => void this.#pings--,
      );
    }
    // SETTINGS, GOAWAY, WINDOW_UPDATE and frames of later drafts change nothing here.
  }

  #endStreams(error: Error | undefined): void {
    for (const stream of this.#streams.values()) {
      if (error !== undefined) stream.destroy(error);
      else this.#finish(stream);
    }
    this.#blocked.clear();
  }
}

/** zlib with one state for all header blocks of a connection, flushed at the end of each. */
class HeaderCodec {
  readonly #codec: Deflate | Inflate;
  readonly #output: Buffer[] = [];
  #size = 0;
  #failure: Error | undefined;

  constructor(codec: Deflate | Inflate) {
    this.#codec = codec;
    codec.on('data', (chunk: Buffer) => {
      this.#size += chunk.length;
      if (this.#size <= maximumHeaderBytes) this.#output.push(chunk);
      else codec.destroy(new Error(`they take more than ${maximumHeaderBytes} bytes`));
    });
    codec.on('error', (error: Error) => {
      this.#failure = error;
    });
  }

  async run(input: Buffer): Promise<Buffer> {
    this.#size = 0;
    if (this.#failure === undefined) await this.#pass(input);
    if (this.#failure !== undefined) throw new SpdyError(`the headers cannot be read: ${this.#failure.message}`);
    return Buffer.concat(this.#output.splice(0));
  }

  async #pass(input: Buffer): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#codec.once('error', resolve);
      this.#codec.write(input, () => {
        this.#codec.flush(constants.Z_SYNC_FLUSH, () => {
          this.#codec.off('error', resolve);
          resolve();
        });
      });
    });
  }
}

function controlFrame(type: number, flags: number, body: Buffer): Buffer {
  const head = Buffer.alloc(8);
  head.writeUInt16BE(0x8003, 0);
  head.writeUInt16BE(type, 2);
  head.writeUInt32BE(body.length, 4);
  head[4] = flags;
  return Buffer.concat([head, body]);
}

function encodeHeaders(headers: SpdyHeaders): Buffer {
  const entries = Object.entries(headers);
  const parts = [uint32(entries.length)];
  for (const text of entries.flat()) parts.push(uint32(Buffer.byteLength(text)), Buffer.from(text));
  return Buffer.concat(parts);
}

function decodeHeaders(block: Buffer): SpdyHeaders {
  const headers: Record<string, string> = Object.create(null) as Record<string, string>;
  let offset = 4;
  const count = (at: number): number => {
    if (at + 4 > block.length) throw new SpdyError('the headers are cut off');
    return block.readUInt32BE(at);
  };
  const next = (): string => {
    const length = count(offset);
    if (offset + 4 + length > block.length) throw new SpdyError('the headers are cut off');
    const text = block.toString('utf8', offset + 4, offset + 4 + length);
    offset += 4 + length;
    return text;
  };
  for (let left = count(0); left > 0; left--) {
    const name = next();
    headers[name] = next();
  }
  return headers;
}

function uint32(value: number): Buffer {
  const buffer = Buffer.alloc(4);
  buffer.writeUInt32BE(value);
  return buffer;
}
