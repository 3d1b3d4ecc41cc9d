/**
 * The server's end of a WebSocket (RFC 6455) on a connection that was upgraded to it: messages come in pieces as they arrive, so that none is held whole in
 * memory; pings are answered. What messages mean is the caller's. Invariant: nothing is read while `pause` holds, and after `close` nothing more is said.
 */
import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { StatusError } from '#base/errors';

const opcodes = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;
const closeCodes = { normal: 1000, protocolError: 1002, internalError: 1011 } as const;
/** RFC 6455, 1.3. */
const keySuffix = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
/** Of control frames. */
const controlLimit = 125;

export interface WebSocketListener {
  /** A piece of a message, `begins` for its first one; pieces may be empty. */
  onPiece(piece: Buffer, begins: boolean): void;
  /** The connection is over, however it ended. Called once. */
  onClose(): void;
}

/** The head of the answer that accepts the request, with this protocol where one was offered. Throws `BadRequest` for one that is no WebSocket's. */
export function acceptanceOf(request: IncomingMessage, protocol: string | undefined): Buffer {
  const key = request.headers['sec-websocket-key'];
  if (request.headers['sec-websocket-version'] !== '13' || key === undefined || Buffer.from(key, 'base64').length !== 16)
    throw new StatusError('BadRequest', 'the WebSocket needs version 13 and a key of 16 bytes');
  const accept = createHash('sha1').update(`${key}${keySuffix}`).digest('base64');
  const lines = ['HTTP/1.1 101 Switching Protocols', 'Upgrade: websocket', 'Connection: Upgrade', `Sec-WebSocket-Accept: ${accept}`];
  if (protocol !== undefined) lines.push(`Sec-WebSocket-Protocol: ${protocol}`);
  return Buffer.from([...lines, '', ''].join('\r\n'));
}

/** A frame that is being read. */
interface Frame {
  readonly opcode: number;
  readonly final: boolean;
  readonly mask: Buffer;
  /** Bytes of its payload that are still to come, and that have come. */
  left: number;
  done: number;
}

export class WebSocketConnection {
  readonly #socket: Duplex;
  readonly #listener: WebSocketListener;
  #buffer: Buffer = Buffer.alloc(0);
  #frame: Frame | undefined;
  /** Of the message that frames go on with; undefined between messages. */
  #message: 'begun' | 'begins' | undefined;
  #control: Buffer[] = [];
  #closing = false;
  #paused = false;

  /** `head`: what has come after the request. */
  constructor(socket: Duplex, head: Buffer, listener: WebSocketListener) {
    this.#socket = socket;
    this.#listener = listener;
    socket.on('error', () => undefined);
    socket.once('close', () => listener.onClose());
    socket.once('end', () => socket.end());
    if (head.length > 0) socket.unshift(head);
    socket.on('data', (chunk: Buffer) => this.#receive(chunk));
  }

  /** Sends a binary message. False: the client does not keep up; `onDrain` says when it has. */
  send(...parts: readonly Uint8Array[]): boolean {
    return this.#closing || this.#write(opcodes.binary, parts);
  }

  /** Like `send`, a text message; `parts` are UTF-8. */
  sendText(...parts: readonly Uint8Array[]): boolean {
    return this.#closing || this.#write(opcodes.text, parts);
  }

  /** Calls back once what was sent is on its way, or at once where it is. */
  onDrain(callback: () => void): void {
    if (this.#socket.writableNeedDrain) this.#socket.once('drain', callback);
    else callback();
  }

  pause(): void {
    this.#paused = true;
    this.#socket.pause();
  }

  resume(): void {
    this.#paused = false;
    this.#receive(Buffer.alloc(0));
    if (!this.#paused) this.#socket.resume();
  }

  /** Says that it is over; the client closes the connection. */
  close(code: keyof typeof closeCodes = 'normal', reason = ''): void {
    if (this.#closing) return;
    const status = Buffer.alloc(2);
    status.writeUInt16BE(closeCodes[code]);
    this.#write(opcodes.close, [status, Buffer.from(reason).subarray(0, controlLimit - 2)]);
    this.#closing = true;
    this.#socket.end();
    this.#socket.resume();
  }

  #write(opcode: number, parts: readonly Uint8Array[]): boolean {
    const length = parts.reduce((sum, part) => sum + part.length, 0);
    let head: Buffer;
    if (length < 126) head = Buffer.from([0, length]);
    else if (length < 0x10000) {
      head = Buffer.from([0, 126, 0, 0]);
      head.writeUInt16BE(length, 2);
    } else {
      head = Buffer.from([0, 127, 0, 0, 0, 0, 0, 0, 0, 0]);
      head.writeBigUInt64BE(BigInt(length), 2);
    }
    head[0] = 0x80 | opcode;
    return this.#socket.write(Buffer.concat([head, ...parts]));
  }

  #receive(chunk: Buffer): void {
    this.#buffer = this.#buffer.length === 0 ? chunk : Buffer.concat([this.#buffer, chunk]);
    while (!this.#closing && !this.#paused) {
      this.#frame ??= this.#begin();
      if (this.#frame === undefined || !this.#advance(this.#frame)) return;
    }
    if (this.#closing) this.#buffer = Buffer.alloc(0);
  }

  /** The next frame, once its whole head is there. */
  #begin(): Frame | undefined {
    const buffer = this.#buffer;
    if (buffer.length < 2) return undefined;
    const [first, second] = [buffer[0]!, buffer[1]!];
    const short = second & 0x7f;
    const opcode = first & 0x0f;
    const final = (first & 0x80) !== 0;
    const isControl = opcode >= opcodes.close;
    const known = (Object.values(opcodes) as number[]).includes(opcode);
    const inTurn = isControl || (opcode === opcodes.continuation) === (this.#message !== undefined);
    // A client's frames are masked; control frames are short and whole.
    if ((first & 0x70) !== 0 || (second & 0x80) === 0 || !known || !inTurn || (isControl && (short > controlLimit || !final))) {
      this.close('protocolError');
      return undefined;
    }
    const size = short === 127 ? 8 : short === 126 ? 2 : 0;
    if (buffer.length < 2 + size + 4) return undefined;
    const length = size === 8 ? Number(buffer.readBigUInt64BE(2)) : size === 2 ? buffer.readUInt16BE(2) : short;
    this.#buffer = buffer.subarray(2 + size + 4);
    if (opcode === opcodes.binary || opcode === opcodes.text) this.#message = 'begins';
    return { opcode, final, mask: buffer.subarray(2 + size, 2 + size + 4), left: length, done: 0 };
  }

  /** Takes what there is of the frame; false when more must come. */
  #advance(frame: Frame): boolean {
    const piece = Buffer.from(this.#buffer.subarray(0, frame.left));
    this.#buffer = this.#buffer.subarray(piece.length);
    for (let at = 0; at < piece.length; at++) piece[at]! ^= frame.mask[(frame.done + at) & 3]!;
    frame.left -= piece.length;
    frame.done += piece.length;
    const whole = frame.left === 0;
    if (whole) this.#frame = undefined;
    if (frame.opcode >= opcodes.close) {
      this.#control.push(piece);
      if (whole) this.#answer(frame.opcode, Buffer.concat(this.#control.splice(0)));
      return whole;
    }
    const begins = this.#message === 'begins';
    if (piece.length > 0 || whole) {
      this.#message = whole && frame.final ? undefined : 'begun';
      this.#listener.onPiece(piece, begins);
    }
    return whole;
  }

  #answer(opcode: number, payload: Buffer): void {
    if (opcode === opcodes.ping) this.#write(opcodes.pong, [payload]);
    else if (opcode === opcodes.close) this.close();
  }
}
