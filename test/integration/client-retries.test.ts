/** What the client does with refusals that say when to come again. The server is played, because the real one cannot be made to say all of them at will. */
import { createServer, type Http2Server, type ServerHttp2Session } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { configMaps } from '#api/shapes/resources';
import { ManualClock } from '#base/manual-clock';
import type { Client } from '#client/client';
import { createHttpTransport, type HttpTransport } from '#client/http-transport';
import { createClient } from '#client/typed-client';

interface Refusal {
  readonly code: number;
  readonly retryAfter?: string;
}

const object = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'one', namespace: 'default' } };
let server: Http2Server;
let transport: HttpTransport;
let client: Client;
let clock: ManualClock;
let refusals: Refusal[];
let bodies: string[];
const sessions = new Set<ServerHttp2Session>();

beforeEach(async () => {
  [refusals, bodies] = [[], []];
  server = createServer();
  server.on('session', (session) => void sessions.add(session));
  server.on('stream', (stream) => {
    const chunks: Buffer[] = [];
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.on('end', () => {
      bodies.push(Buffer.concat(chunks).toString());
      const refusal = refusals.shift();
      const code = refusal?.code ?? 200;
      stream.respond({ ':status': code, ...(refusal?.retryAfter === undefined ? {} : { 'retry-after': refusal.retryAfter }) });
      stream.end(
        refusal === undefined
          ? JSON.stringify(object)
          : JSON.stringify({ kind: 'Status', code, reason: 'TooManyRequests', message: 'later' }),
      );
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  clock = new ManualClock();
  transport = createHttpTransport({ server: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }, { clock });
  client = createClient(transport);
});
afterEach(async () => {
  await transport.close();
  for (const session of sessions) session.destroy();
  sessions.clear();
  await new Promise((resolve) => server.close(resolve));
});

/** Until the client waits for its time to ask again. */
async function untilItWaits(): Promise<void> {
  for (let tries = 0; tries < 2000 && clock.waiting === 0; tries++) await new Promise((resolve) => setTimeout(resolve, 5));
  expect(clock.waiting).toBe(1);
}

test('a write that was refused with 429 is sent again, whole, when the server said', async () => {
  refusals = [
    { code: 429, retryAfter: '1' },
    { code: 429, retryAfter: '2' },
  ];
  const created = client.create(configMaps, object);
  for (const [seconds, sent] of [
    [1, 1],
    [2, 2],
  ] as const) {
    await untilItWaits();
    await clock.advance(seconds * 1000 - 1);
    expect(bodies).toHaveLength(sent);
    await clock.advance(1);
  }
  expect((await created).metadata.name).toBe('one');
  expect(new Set(bodies).size).toBe(1);
  expect(JSON.parse(bodies[2]!)).toMatchObject(object);
});

test('a read that found no store is sent again, a write is not', async () => {
  refusals = [{ code: 503, retryAfter: '1' }];
  const read = client.get(configMaps, { name: 'one', namespace: 'default' });
  await untilItWaits();
  await clock.advance(1000);
  expect((await read).metadata.name).toBe('one');
  refusals = [{ code: 503, retryAfter: '1' }];
  await expect(client.create(configMaps, object)).rejects.toMatchObject({ code: 503 });
  refusals = [{ code: 429 }];
  await expect(client.create(configMaps, object)).rejects.toMatchObject({ code: 429, message: 'later' });
});

test('a watch waits too, and whoever gives up need not wait', async () => {
  refusals = [
    { code: 429, retryAfter: '1' },
    { code: 429, retryAfter: '50' },
  ];
  const stop = new AbortController();
  const watching = (async () => {
    for await (const event of client.watch(configMaps, {}, stop.signal)) throw new Error(`there is no event, but ${event.type}`);
  })();
  await untilItWaits();
  await clock.advance(1000);
  await untilItWaits();
  stop.abort();
  await watching;
  expect(bodies).toHaveLength(2);
  refusals = [{ code: 429, retryAfter: '50' }];
  const gone = new AbortController();
  const request = { verb: 'get', resource: configMaps, namespace: 'default', name: 'one' } as const;
  const read = transport.send(request, gone.signal);
  await untilItWaits();
  gone.abort(new Error('enough'));
  await expect(read).rejects.toThrow('enough');
});
