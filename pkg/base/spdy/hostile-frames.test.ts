/** Whatever bytes a peer sends, the connection goes on, or ends with a SpdyError; and it costs no more than was sent. */
import { Duplex } from 'node:stream';
import { constants, createDeflate } from 'node:zlib';
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { createHeaderDictionary } from './header-dictionary.ts';
import { SpdyConnection, type SpdyStream } from './spdy-connection.ts';

function frame(type: number, body: Uint8Array, flags = 0): Buffer {
  const head = Buffer.alloc(8);
  head.writeUInt16BE(0x8003, 0);
  head.writeUInt16BE(type, 2);
  head.writeUInt32BE(body.length, 4);
  head[4] = flags;
  return Buffer.concat([head, body]);
}

const numbers = (...values: readonly number[]): Buffer =>
  Buffer.concat(values.map((value) => Buffer.from([value >>> 24, value >>> 16, value >>> 8, value])));

/** Header blocks that one connection would send, compressed. */
async function compressed(...blocks: readonly Buffer[]): Promise<Buffer[]> {
  const deflate = createDeflate({ dictionary: createHeaderDictionary(), flush: constants.Z_SYNC_FLUSH });
  const chunks: Buffer[] = [];
  deflate.on('data', (chunk: Buffer) => chunks.push(chunk));
  const results: Buffer[] = [];
  for (const block of blocks) {
    await new Promise<void>((resolve) => void deflate.write(block, () => deflate.flush(constants.Z_SYNC_FLUSH, () => resolve())));
    results.push(Buffer.concat(chunks.splice(0)));
  }
  deflate.destroy();
  return results;
}

const headers = Buffer.concat([numbers(1, 10), Buffer.from('streamtype'), numbers(5), Buffer.from('stdin')]);
const open = (id: number, block: Buffer): Buffer => frame(1, Buffer.concat([numbers(id, 0), Buffer.alloc(2), block]));

/** The client's last word: who answers it has read all before. */
const marker = frame(6, numbers(0x7fff));

/** What a server made of the bytes: the name of the error that ended it, if one did, and the streams that it was given. `patience`: for bytes after which it may wait for more. */
async function received(
  chunks: readonly Uint8Array[],
  patience = 20_000,
): Promise<{ readonly error: string | undefined; readonly streams: number }> {
  const streams: SpdyStream[] = [];
  let answered = false;
  const socket = new Duplex({
    read: () => undefined,
    write: (chunk: Buffer, _encoding, done) => {
      answered ||= marker.equals(chunk);
      done();
    },
  });
  const connection = new SpdyConnection(socket, {
    role: 'server',
    onStream: (stream) => {
      stream.on('error', () => undefined);
      stream.resume();
      streams.push(stream);
    },
  });
  const ended = connection.closed.then(
    () => undefined,
    (error: Error) => error.name,
  );
  for (const chunk of chunks) socket.push(chunk);
  socket.push(marker);
  for (let tries = 0; tries < patience && !answered && !socket.destroyed; tries++) await new Promise((resolve) => setTimeout(resolve, 1));
  socket.destroy();
  return { error: await ended, streams: streams.length };
}

test('bytes of a connection, changed and cut', async () => {
  const [first, second] = await compressed(headers, headers);
  const data = Buffer.concat([numbers(1, 5), Buffer.from('hello')]);
  const valid = Buffer.concat([
    open(1, first!),
    open(3, second!),
    data,
    frame(6, numbers(1)),
    frame(3, numbers(3, 5)),
    frame(7, numbers(1, 0)),
    frame(4, numbers(0)),
  ]);
  expect(await received([valid])).toEqual({ error: undefined, streams: 2 });
  expect(await received([...valid].map((byte) => Uint8Array.of(byte)))).toEqual({ error: undefined, streams: 2 });
  const changes = fc.array(fc.tuple(fc.nat(valid.length - 1), fc.integer({ min: 0, max: 255 })), { maxLength: 6 });
  await fc.assert(
    fc.asyncProperty(changes, fc.nat(valid.length), async (bytes, cut) => {
      const body = Buffer.from(valid);
      for (const [at, byte] of bytes) body[at] = byte;
      for (const part of [body, body.subarray(0, cut)]) expect([undefined, 'SpdyError']).toContain((await received([part], 10)).error);
    }),
    { seed: 20_260_108, numRuns: 100 },
  );
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), async (bytes) => {
      expect([undefined, 'SpdyError']).toContain((await received([bytes], 10)).error);
    }),
    { seed: 20_260_109, numRuns: 100 },
  );
});

test('headers that unfold into megabytes, streams and pings without number end the connection', async () => {
  const [bomb] = await compressed(Buffer.concat([numbers(1, 4, 0, 8_000_000), Buffer.alloc(8_000_000, 0x61)]));
  expect(bomb!.length).toBeLessThan(20_000);
  expect(await received([open(1, bomb!)])).toEqual({ error: 'SpdyError', streams: 0 });
  const blocks = await compressed(...Array.from({ length: 2100 }, () => headers));
  expect(await received(blocks.map((block, index) => open(2 * index + 1, block)))).toEqual({ error: 'SpdyError', streams: 2000 });
  const [once, again] = await compressed(headers, headers);
  expect(await received([open(1, once!), open(1, again!)])).toEqual({ error: 'SpdyError', streams: 1 });
  expect((await received([Buffer.concat(Array.from({ length: 5000 }, () => frame(6, numbers(1))))])).error).toBe('SpdyError');
});
