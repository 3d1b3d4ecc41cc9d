import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { SpdyConnection, type SpdyStream } from './spdy-connection.ts';

describe('SpdyConnection', () => {
  let listener: Server;
  let client: SpdyConnection;
  let server: SpdyConnection;
  let sockets: Socket[];
  const opened: SpdyStream[] = [];
  const arrivals: (() => void)[] = [];

  beforeEach(async () => {
    opened.length = 0;
    listener = createServer().listen(0, '127.0.0.1');
    await once(listener, 'listening');
    const accepted = once(listener, 'connection');
    const socket = connect((listener.address() as AddressInfo).port, '127.0.0.1');
    const [peer] = (await accepted) as [Socket];
    sockets = [socket, peer];
    client = new SpdyConnection(socket, { role: 'client' });
    server = new SpdyConnection(peer, {
      role: 'server',
      onStream: (stream) => {
        opened.push(stream);
        for (const arrived of arrivals.splice(0)) arrived();
      },
    });
  });

  afterEach(async () => {
    for (const socket of sockets) socket.destroy();
    listener.close();
    await Promise.allSettled([client.closed, server.closed]);
  });

  async function accept(count: number): Promise<SpdyStream[]> {
    while (opened.length < count) await new Promise<void>((resolve) => arrivals.push(resolve));
    return opened.slice(0, count);
  }

  async function collect(stream: SpdyStream): Promise<Buffer> {
    const chunks: Buffer[] = [];
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    await once(stream, 'end');
    return Buffer.concat(chunks);
  }

  test('carries several streams with their headers, both ways', async () => {
    const [one, two] = [client.createStream({ streamtype: 'error' }), client.createStream({ streamtype: 'stdin', port: '80' })];
    const [first, second] = await accept(2);
    expect({ ...first?.headers }).toEqual({ streamtype: 'error' });
    expect({ ...second?.headers }).toEqual({ streamtype: 'stdin', port: '80' });
    two.end('hello');
    first?.end('bye');
    expect((await collect(second!)).toString()).toBe('hello');
    expect((await collect(one)).toString()).toBe('bye');
  });

  test('half-closes: the other direction goes on', async () => {
    const stream = client.createStream({ streamtype: 'stdin' });
    const [peer] = await accept(1);
    stream.end('question');
    expect((await collect(peer!)).toString()).toBe('question');
    peer!.end('answer');
    expect((await collect(stream)).toString()).toBe('answer');
  });

  test('carries much data through a slow reader whole', async () => {
    const stream = client.createStream({ streamtype: 'stdout' });
    const [peer] = await accept(1);
    const data = Buffer.alloc(5_000_000, 'abcdefg');
    peer!.end(data);
    expect((await collect(stream)).equals(data)).toBe(true);
  });

  test('a stream that ended while its reader was behind holds the others up no longer', async () => {
    const [slow, other] = [client.createStream({ streamtype: 'a' }), client.createStream({ streamtype: 'b' })];
    const [peerSlow, peerOther] = await accept(2);
    slow.on('data', () => undefined).pause();
    // Data and end come together.
    sockets[1]!.cork();
    const written = new Promise((resolve) => peerSlow!.end(Buffer.alloc(30_000), () => resolve(undefined)));
    setImmediate(() => sockets[1]!.uncork());
    await written;
    while (slow.readableLength < 30_000) await new Promise((resolve) => setImmediate(resolve));
    slow.resume();
    await once(slow, 'end');
    peerOther!.end('later');
    expect((await collect(other)).toString()).toBe('later');
  });

  test('a reset stream ends alone', async () => {
    const doomed = client.createStream({ streamtype: 'a' });
    const other = client.createStream({ streamtype: 'b' });
    const [peerDoomed, peerOther] = await accept(2);
    const ended = collect(peerDoomed!);
    doomed.destroy(new Error('enough'));
    doomed.on('error', () => undefined);
    expect((await ended).length).toBe(0);
    other.end('still here');
    expect((await collect(peerOther!)).toString()).toBe('still here');
  });

  test('what is no SPDY breaks the connection and nothing else', async () => {
    sockets[0]!.write(Buffer.from('8003000100ffffff0000000100000000000041414141', 'hex'));
    sockets[0]!.end();
    const results = await Promise.allSettled([client.closed, server.closed]);
    expect(results).toHaveLength(2);
  });
});
