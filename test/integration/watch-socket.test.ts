/** Watches over WebSockets, by a client that speaks the protocol by hand. */
import type { IncomingHttpHeaders } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { Duplex } from 'node:stream';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { MemoryBackend } from '#storage/memory/memory-backend';
import { until } from './raw-client.ts';
import { type Face, startFace, type WireEvent } from './read-rules/face.ts';

let face: Face;
const collection = '/api/v1/namespaces/default/configmaps';

beforeAll(async () => {
  face = await startFace(new MemoryBackend());
  await face.create('/api/v1/namespaces', { metadata: { name: 'default' } });
  await face.create(collection, { metadata: { name: 'a' } });
});
afterAll(() => face.stop());

interface Socket {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** Of an answer that is no upgrade. */
  readonly text: string;
  readonly socket: Duplex | undefined;
  /** Messages and the code of the closing, as they come. */
  readonly frames: { readonly opcode: number; readonly payload: Buffer }[];
  readonly events: () => WireEvent[];
  send(opcode: number, payload?: string): void;
}

function open(path: string, headers: object = {}): Promise<Socket> {
  const { server, certificateAuthority: ca, clientCertificate: cert, clientKey: key } = face.connection;
  return new Promise((resolve, reject) => {
    const request = httpsRequest(`${server}${path}`, {
      ca,
      cert,
      key,
      agent: false,
      headers: {
        connection: 'Upgrade',
        upgrade: 'websocket',
        'sec-websocket-version': '13',
        'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
        ...headers,
      },
    });
    request.on('error', reject);
    request.on('response', (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () => {
        const none = { socket: undefined, frames: [], events: () => [], send: () => undefined };
        resolve({ status: response.statusCode ?? 0, headers: response.headers, text: Buffer.concat(chunks).toString(), ...none });
      });
    });
    request.on('upgrade', (response, socket, head) => {
      const frames: { opcode: number; payload: Buffer }[] = [];
      let buffer = Buffer.from(head);
      const read = (chunk: Buffer): void => {
        buffer = Buffer.concat([buffer, chunk]);
        for (;;) {
          const short = (buffer[1] ?? 0) & 127;
          const size = short === 126 ? 4 : short === 127 ? 10 : 2;
          if (buffer.length < size) return;
          const length = short === 126 ? buffer.readUInt16BE(2) : short === 127 ? Number(buffer.readBigUInt64BE(2)) : short;
          if (buffer.length < size + length) return;
          frames.push({ opcode: buffer[0]! & 15, payload: buffer.subarray(size, size + length) });
          buffer = buffer.subarray(size + length);
        }
      };
      read(Buffer.alloc(0));
      socket.on('data', read);
      socket.on('error', () => undefined);
      resolve({
        status: response.statusCode ?? 0,
        headers: response.headers,
        text: '',
        socket,
        frames,
        events: () => frames.filter(({ opcode }) => opcode === 1).map(({ payload }) => JSON.parse(payload.toString()) as WireEvent),
        // A mask of zeros leaves the payload as it is.
        send: (opcode, payload = '') =>
          socket.write(Buffer.concat([Buffer.from([0x80 | opcode, 0x80 | payload.length, 0, 0, 0, 0]), Buffer.from(payload)])),
      });
    });
    request.end();
  });
}

const told = (socket: Socket): string =>
  socket
    .events()
    .map(({ type, object }) => `${type} ${object.metadata.name ?? object.kind}`)
    .join(', ');

test('each event is a text message; pings are answered; it ends when its time is up', async () => {
  const watch = await open(`${collection}?watch=true&resourceVersion=0&timeoutSeconds=60`);
  expect([watch.status, watch.headers['sec-websocket-accept'], watch.headers['sec-websocket-protocol']]).toEqual([
    101,
    's3pPLMBiTxaQ9kYGzzhZRbK+xOo=',
    undefined,
  ]);
  expect(await until('ADDED a', () => told(watch))).toBe('ADDED a');
  for (const name of ['b', 'c', 'd']) await face.create(collection, { metadata: { name }, data: { text: `${name}\n`.repeat(100_000) } });
  await face.remove(`${collection}/b`);
  expect(await until('ADDED a, ADDED b, ADDED c, ADDED d, DELETED b', () => told(watch))).toBe(
    'ADDED a, ADDED b, ADDED c, ADDED d, DELETED b',
  );
  watch.send(9, 'there?');
  expect(await until('there?', () => watch.frames.find(({ opcode }) => opcode === 10)?.payload.toString())).toBe('there?');
  face.clock.skip(61_000);
  expect(await until(1000, () => watch.frames.find(({ opcode }) => opcode === 8)?.payload.readUInt16BE(0))).toBe(1000);
  watch.socket?.destroy();
});

test('forms, protocols and the old spelling of the path are as over HTTP', async () => {
  const accept = 'application/json;as=Table;v=v1;g=meta.k8s.io';
  const table = await open('/api/v1/watch/namespaces/default/configmaps/a', {
    accept,
    'sec-websocket-protocol': 'base64.binary.k8s.io, other',
  });
  expect(table.headers['sec-websocket-protocol']).toBe('base64.binary.k8s.io');
  expect(await until('ADDED Table', () => told(table))).toBe('ADDED Table');
  const future = await open(`${collection}?watch=1&resourceVersion=999999999`);
  expect(await until('ERROR Status', () => told(future))).toBe('ERROR Status');
  expect(await until(true, () => future.frames.some(({ opcode }) => opcode === 8))).toBe(true);
  for (const { socket } of [table, future]) socket?.destroy();
});

test('what is refused is refused before the upgrade', async () => {
  for (const [path, headers, code] of [
    [`${collection}?watch=1&resourceVersion=abc`, {}, 400],
    [`${collection}?watch=1&sendInitialEvents=true`, {}, 422],
    [`${collection}?watch=1`, { accept: 'application/yaml' }, 406],
    [`${collection}?watch=1`, { 'sec-websocket-version': '8' }, 400],
    [`${collection}?watch=1`, { upgrade: 'SPDY/3.1', 'sec-websocket-key': '' }, 400],
    ['/api/v1/nothing?watch=1', {}, 404],
    [collection, {}, 404],
  ] as const) {
    const reply = await open(path, headers);
    expect([path, reply.status, (JSON.parse(reply.text) as { kind?: string }).kind]).toEqual([path, code, 'Status']);
  }
});

test('a client that goes, by its word or without, ends the watch for the server too', async () => {
  const watchers = (): number => face.store.cache.resource({ group: '', plural: 'secrets' }).watchers;
  const polite = await open('/api/v1/secrets?watch=1&resourceVersion=0');
  const rude = await open('/api/v1/secrets?watch=1&resourceVersion=0');
  expect(await until(2, watchers)).toBe(2);
  polite.send(8);
  rude.socket?.destroy();
  expect(await until(0, watchers)).toBe(0);
  polite.socket?.destroy();
});
