import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { SpdyConnection, type SpdyStream } from '#base/spdy/spdy-connection';
import type { ExecTarget, PortForwardTarget } from '#client/node-connector';
import { convert } from './stream-conversion.ts';

let listener: Server;
const sockets: Socket[] = [];

beforeEach(async () => {
  listener = createServer({ allowHalfOpen: true }).listen(0, '127.0.0.1');
  await once(listener, 'listening');
});
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy();
  listener.close();
});

async function pair(): Promise<[Socket, Socket]> {
  const accepted = once(listener, 'connection');
  const near = connect({ port: (listener.address() as AddressInfo).port, host: '127.0.0.1', allowHalfOpen: true });
  const [far] = (await accepted) as [Socket];
  for (const socket of [near, far]) socket.on('error', () => undefined);
  sockets.push(near, far);
  return [near, far];
}

const key = Buffer.alloc(16, 7).toString('base64');
const request = { headers: { 'sec-websocket-key': key, 'sec-websocket-version': '13' } } as unknown as IncomingMessage;
const exec: ExecTarget = { type: 'exec', podUid: 'u', container: 'c', command: ['x'], stdin: true, stdout: true, stderr: true, tty: false };
const portForward: PortForwardTarget = { type: 'portForward', podUid: 'u', ports: [] };

/** A masked frame, as a client sends it. */
function frame(opcode: number, payload: Uint8Array, options: { final?: boolean; mask?: boolean } = {}): Buffer {
  const { final = true, mask = true } = options;
  const length = payload.length;
  const size = length < 126 ? Buffer.from([length]) : Buffer.alloc(length < 65_536 ? 3 : 9);
  if (size.length === 3) size.writeUInt16BE(length, 1);
  if (size.length === 9) size.writeBigUInt64BE(BigInt(length), 1);
  if (size.length > 1) size[0] = size.length === 3 ? 126 : 127;
  size[0]! |= mask ? 0x80 : 0;
  const bits = mask ? randomBytes(4) : Buffer.alloc(0);
  const masked = Buffer.from(payload.map((byte, at) => (mask ? byte ^ bits[at & 3]! : byte)));
  return Buffer.concat([Buffer.from([(final ? 0x80 : 0) | opcode]), size, bits, masked]);
}

interface Message {
  readonly opcode: number;
  readonly payload: Buffer;
}

/** What the server says, message by message, after its answer's head. */
async function* messages(socket: Socket): AsyncGenerator<Message> {
  let bytes = Buffer.alloc(0);
  let begun = false;
  for await (const chunk of socket as AsyncIterable<Buffer>) {
    bytes = Buffer.concat([bytes, chunk]);
    if (!begun) {
      const end = bytes.indexOf('\r\n\r\n');
      if (end < 0) continue;
      const accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
      expect(bytes.toString('latin1', 0, end)).toContain(`Sec-WebSocket-Accept: ${accept}`);
      bytes = bytes.subarray(end + 4);
      begun = true;
    }
    while (bytes.length >= 2) {
      const short = bytes[1]!;
      const size = short === 127 ? 8 : short === 126 ? 2 : 0;
      if (bytes.length < 2 + size) break;
      const length = size === 8 ? Number(bytes.readBigUInt64BE(2)) : size === 2 ? bytes.readUInt16BE(2) : short;
      if (bytes.length < 2 + size + length) break;
      yield { opcode: bytes[0]! & 0x0f, payload: bytes.subarray(2 + size, 2 + size + length) };
      bytes = bytes.subarray(2 + size + length);
    }
  }
}

async function next(of: AsyncGenerator<Message>): Promise<Message> {
  const { value, done } = await of.next();
  if (done === true) throw new Error('the server says no more');
  return value;
}

/** Answers the upgrade on the node's side with this, and gives what was asked. */
async function answerUpgrade(node: Socket, answer = 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: SPDY/3.1\r\n\r\n'): Promise<string> {
  let asked = '';
  while (!asked.includes('\r\n\r\n')) asked += String(((await once(node, 'data')) as [Buffer])[0]);
  node.pause();
  node.write(answer);
  return asked;
}

interface Conversation {
  readonly client: Socket;
  readonly said: AsyncGenerator<Message>;
  readonly node: Socket;
  readonly asked: string;
  readonly over: Promise<void>;
}

async function converse(target: ExecTarget | PortForwardTarget, head: Buffer = Buffer.alloc(0)): Promise<Conversation> {
  const [[client, ours], [towards, node]] = [await pair(), await pair()];
  const [join, asked] = await Promise.all([convert(request, towards, target), answerUpgrade(node)]);
  return { client, said: messages(client), node, asked, over: join(ours, head) };
}

/** The runtime: takes the streams, by their types. */
async function runtime(node: Socket, types: readonly string[]): Promise<Record<string, SpdyStream>> {
  const streams: Record<string, SpdyStream> = {};
  await new Promise<void>((resolve) => {
    void new SpdyConnection(node, {
      role: 'server',
      onStream: (stream) => {
        streams[stream.headers.streamtype ?? ''] = stream;
        if (types.every((type) => type in streams)) resolve();
      },
    });
    node.resume();
  });
  return streams;
}

const channel = (number: number, data: string | Buffer): Buffer => Buffer.concat([Buffer.from([number]), Buffer.from(data)]);

describe('exec over v5.channel.k8s.io', () => {
  test('carries each standard stream, the end of the input, and the result', async () => {
    const { client, said, node, asked, over } = await converse(exec, frame(2, channel(0, 'early ')));
    expect(asked).toMatch(/Upgrade: SPDY\/3\.1[\s\S]*X-Stream-Protocol-Version: v4\.channel\.k8s\.io/);
    const { stdin, stdout, stderr, error } = await runtime(node, ['error', 'stdin', 'stdout', 'stderr']);
    const input = text(stdin!);
    client.write(Buffer.concat([frame(2, channel(0, 'and late')), frame(2, Buffer.from([255, 0]))]));
    expect(await input).toBe('early and late');
    expect((await next(said)).payload).toEqual(Buffer.from([1]));
    stdout!.end('out');
    expect((await next(said)).payload).toEqual(channel(1, 'out'));
    stderr!.end('err');
    expect((await next(said)).payload).toEqual(channel(2, 'err'));
    error!.end('{"status":"Success"}');
    expect((await next(said)).payload).toEqual(channel(3, '{"status":"Success"}'));
    const last = await next(said);
    expect([last.opcode, last.payload.readUInt16BE(0)]).toEqual([8, 1000]);
    client.end();
    await over;
  });

  test('opens the streams that were asked for alone, and carries the size of a terminal', async () => {
    const { client, node } = await converse({ ...exec, stderr: false, tty: true });
    const streams = await runtime(node, ['error', 'stdin', 'stdout', 'resize']);
    expect(Object.keys(streams)).not.toContain('stderr');
    client.write(frame(2, channel(4, '{"Width":80,"Height":24}')));
    const [size] = (await once(streams.resize!, 'data')) as [Buffer];
    expect(size.toString()).toBe('{"Width":80,"Height":24}');
  });

  test('however the messages are cut into frames, and the frames into packets, what is said is the same', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.uint8Array({ minLength: 1, maxLength: 300 }), { minLength: 1, maxLength: 8 }),
        fc.integer({ min: 1, max: 40 }),
        fc.integer({ min: 1, max: 70 }),
        async (inputs, frameSize, packetSize) => {
          const { client, node } = await converse(exec);
          const { stdin } = await runtime(node, ['error', 'stdin', 'stdout', 'stderr']);
          const received = text(stdin!.setEncoding('hex'));
          const frames = inputs.flatMap((input) => {
            const whole = channel(0, Buffer.from(input));
            const parts: Buffer[] = [];
            for (let at = 0; at < whole.length; at += frameSize) {
              // Between the parts of a message there may be pings.
              if (at > 0) parts.push(frame(9, Buffer.from('?')));
              parts.push(frame(at === 0 ? 2 : 0, whole.subarray(at, at + frameSize), { final: at + frameSize >= whole.length }));
            }
            return parts;
          });
          const bytes = Buffer.concat([...frames, frame(2, Buffer.from([255, 0]))]);
          for (let at = 0; at < bytes.length; at += packetSize) client.write(bytes.subarray(at, at + packetSize));
          expect(await received).toBe(Buffer.concat(inputs).toString('hex'));
          for (const socket of sockets.splice(0)) socket.destroy();
        },
      ),
      { seed: 11, numRuns: 25 },
    );
  });

  test('answers pings, and what is against the protocol with its end', async () => {
    const { client, said } = await converse(exec);
    await next(said);
    client.write(frame(9, Buffer.from('are you there')));
    expect(await next(said)).toEqual({ opcode: 10, payload: Buffer.from('are you there') });
    for (const wrong of [
      frame(2, channel(0, 'x'), { mask: false }),
      frame(0, channel(0, 'x')),
      frame(3, Buffer.alloc(0)),
      frame(9, Buffer.alloc(126)),
      frame(8, Buffer.alloc(2), { final: false }),
      Buffer.concat([Buffer.from([0xc2]), frame(2, channel(0, 'x')).subarray(1)]),
    ]) {
      const one = await converse(exec);
      await next(one.said);
      one.client.write(wrong);
      const answer = await next(one.said);
      expect([answer.opcode, answer.payload.readUInt16BE(0)]).toEqual([8, 1002]);
      one.client.end();
      await one.over;
    }
  });

  test('ends on both sides when one of them goes', async () => {
    const first = await converse(exec);
    first.client.destroy();
    await Promise.all([first.over, once(first.node.resume(), 'end')]);
    const second = await converse(exec);
    second.node.destroy();
    for await (const { opcode, payload } of second.said) if (opcode === 8) expect(payload.readUInt16BE(0)).toBe(1000);
    second.client.end();
    await second.over;
  });
});

describe('port-forward over SPDY in messages', () => {
  test('carries all bytes both ways, past readers that are slow', async () => {
    const { client, said, node, asked } = await converse(portForward);
    expect(asked).toContain('X-Stream-Protocol-Version: portforward.k8s.io');
    const data = randomBytes(3_000_000);
    node.pipe(node);
    for (let at = 0; at < data.length; at += 100_000) client.write(frame(2, data.subarray(at, at + 100_000)));
    const back: Buffer[] = [];
    let length = 0;
    while (length < data.length) {
      const { payload } = await next(said);
      back.push(Buffer.from(payload));
      length += payload.length;
    }
    expect(Buffer.concat(back).equals(data)).toBe(true);
  });
});

describe('what cannot be converted', () => {
  test('is refused when the runtime refuses, with what it says', async () => {
    const [towards, node] = await pair();
    const converting = convert(request, towards, exec);
    await answerUpgrade(node, 'HTTP/1.1 404 Not Found\r\n\r\nno such session');
    await expect(converting).rejects.toMatchObject({
      reason: 'InternalError',
      message: 'the runtime opened no stream: HTTP/1.1 404 Not Found no such session',
    });
  });

  test('is refused when the runtime goes, or the request is no WebSocket', async () => {
    const [towards, node] = await pair();
    const converting = convert(request, towards, exec);
    node.destroy();
    await expect(converting).rejects.toMatchObject({ reason: 'InternalError' });
    await expect(convert({ headers: {} } as IncomingMessage, towards, exec)).rejects.toMatchObject({ reason: 'BadRequest' });
  });
});
