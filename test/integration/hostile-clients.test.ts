/** Clients that are slow, broken or not who they say: each is answered or dropped, noted once, and nothing of it is left. */
import { createPublicKey } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { type ClientHttp2Session, constants } from 'node:http2';
import { connect as tcpConnect } from 'node:net';
import { dirname, join } from 'node:path';
import { type TLSSocket, connect as tlsConnect } from 'node:tls';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { configMaps } from '#api/shapes/resources';
import { createAuthority, generatePrivateKey, issueCertificate, type KeyPair } from '#apiserver/auth/certificates';
import { codeOf } from '#base/errors';
import type { Logger, LogLevel } from '#base/logging';
import { startCluster, type TestCluster } from '#server/testing';
import { flood, frame, frameTypes, getRoot } from './http2-frames.ts';
import { ask, metric, openBody, openSession, openSockets, replyOf, until } from './raw-client.ts';

const collection = '/api/v1/namespaces/default/configmaps';
const records: { readonly level: LogLevel; readonly message: string }[] = [];
let cluster: TestCluster;
let session: ClientHttp2Session;

function recorder(): Logger {
  const at = (level: LogLevel) => (message: string) => void records.push({ level, message });
  return { error: at('error'), warn: at('warn'), info: at('info'), debug: at('debug'), enabled: () => true, with: recorder };
}

beforeAll(async () => {
  cluster = await startCluster({ components: { scheduler: false, controllers: false, dispatcher: false }, log: recorder() });
  session = openSession(cluster.connection);
});
afterAll(async () => {
  session.destroy();
  await until(0, openSockets);
  await cluster.stop();
});

/** What stays after all that a test did: its one session, both ends of it. */
async function nothingIsLeft(): Promise<void> {
  expect((await ask(session, '/healthz')).text).toBe('ok');
  expect(await until(0, () => metric(session, 'apiserver_longrunning_requests'))).toBe(0);
  expect(await until(1, () => metric(session, 'apiserver_flowcontrol_current_executing_requests'))).toBe(1);
  expect(await until(1, () => metric(session, 'apiserver_current_inflight_requests'))).toBe(1);
  expect(await until(2, openSockets)).toBe(2);
  expect(records.filter(({ level }) => level === 'error' || level === 'warn')).toEqual([]);
}

function openTls(options: { readonly pair?: KeyPair; readonly protocol?: string } = {}): Promise<TLSSocket> {
  const { port } = cluster.server;
  return new Promise((resolve) => {
    const socket = tlsConnect(
      {
        port,
        host: '127.0.0.1',
        ca: cluster.connection.certificateAuthority,
        ALPNProtocols: [options.protocol ?? 'http/1.1'],
        ...(options.pair && { cert: options.pair.certificate, key: options.pair.privateKey }),
      },
      () => resolve(socket),
    );
    socket.on('error', () => undefined);
  });
}

function textOf(socket: TLSSocket): Promise<string> {
  return new Promise((resolve) => {
    let text = '';
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString();
    });
    socket.on('close', () => resolve(text));
  });
}

test('headers and bodies that come drop by drop hold up nobody', async () => {
  const slow = await Promise.all(Array.from({ length: 50 }, () => openTls()));
  for (const socket of slow) socket.write('GET /api HTTP/1.1\r\nhost: berth\r\nx-slow: ');
  const bodies = Array.from({ length: 100 }, () => openBody(session, collection));
  for (let number = 0; number < 5; number++) {
    expect((await ask(session, collection)).status).toBe(200);
    for (const socket of slow) socket.write('a');
    for (const body of bodies) body.write(' ');
  }
  for (const socket of slow) socket.destroy();
  for (const body of bodies) body.close(constants.NGHTTP2_CANCEL);
  await nothingIsLeft();
});

test('malformed requests are answered with 400 and their connections closed', async () => {
  for (const text of [
    'nonsense\r\n\r\n',
    'GET / HTTP/9.9\r\n\r\n',
    'GET /api HTTP/1.1\r\nhost: a\r\ncontent-length: -1\r\n\r\n',
    'POST /api HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\nabc',
    `GET /${'a'.repeat(100_000)} HTTP/1.1\r\nhost: a\r\n\r\n`,
    'GET /api HTTP/1.1\r\nhost: a\r\nbad header: x\r\n\r\n',
  ]) {
    const socket = await openTls();
    const answer = textOf(socket);
    socket.write(text);
    expect(await answer).toMatch(/^HTTP\/1\.1 4\d\d /);
  }
  for (const bytes of ['', '\0'.repeat(64), 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\xff\xff\xff\xff\xff\xff\xff\xff\xff']) {
    const socket = await openTls({ protocol: 'h2' });
    const answer = textOf(socket);
    socket.end(Buffer.from(bytes, 'latin1'));
    await answer;
  }
  await nothingIsLeft();
});

test('targets, lengths and encodings that are odd are read in one way, or refused', async () => {
  const pair = { certificate: cluster.connection.clientCertificate!, privateKey: cluster.connection.clientKey! };
  const head = (line: string, ...headers: readonly string[]): string =>
    [line, 'host: a', 'connection: close', ...headers, '', ''].join('\r\n');
  const post = `POST ${collection} HTTP/1.1`;
  const json = 'content-type: application/json';
  for (const [text, answer] of [
    [head(`GET https://other.example${collection}?limit=1 HTTP/1.1`), /^HTTP\/1.1 200 .*ConfigMapList/s],
    [head('GET http://other.example HTTP/1.1'), /^HTTP\/1.1 200 .*"paths"/s],
    [head('GET * HTTP/1.1'), /^HTTP\/1.1 400 .*must be a path/s],
    [head('OPTIONS * HTTP/1.1'), /^HTTP\/1.1 400 /],
    [head('GET //api/v1/pods HTTP/1.1'), /^HTTP\/1.1 404 /],
    [head('GET /api/v1/../../healthz HTTP/1.1'), /^HTTP\/1.1 404 /],
    [head(`GET ${collection}/a%2fb HTTP/1.1`), /^HTTP\/1.1 400 .*slash/s],
    [head('GET /api/v1/namespaces/a%00b/configmaps HTTP/1.1'), /^HTTP\/1.1 400 .*control character/s],
    [head('GET /api/v1/namespaces/%zz/pods HTTP/1.1'), /^HTTP\/1.1 400 .*percent-encoding/s],
    ['GET /version HTTP/1.1\r\n\r\n', /^HTTP\/1.1 400 /],
    [head('TRACE /api HTTP/1.1'), /^HTTP\/1.1 405 /],
    [head('FROB /api HTTP/1.1'), /^HTTP\/1.1 400 /],
    [head('GET /api HTTP/1.1', ...Array.from({ length: 3000 }, (_, index) => `x-${index}: a`)), /^HTTP\/1.1 431 /],
    [head('GET /api HTTP/1.1', `x: ${'a'.repeat(20_000)}`), /^HTTP\/1.1 431 /],
    [`${head(post, json, 'content-encoding: gzip', 'content-length: 2')}{}`, /^HTTP\/1.1 415 .*send it as it is/s],
    [`${head(post, json, 'expect: a miracle', 'content-length: 2')}{}`, /^HTTP\/1.1 417 /],
    [`${head(post, json, 'content-length: 2', 'content-length: 3')}{}x`, /^HTTP\/1.1 400 /],
    [`${head(post, json, 'transfer-encoding: chunked', 'content-length: 3')}0\r\n\r\n`, /^HTTP\/1.1 400 /],
    [`${head(post, json, 'transfer-encoding: xchunked')}0\r\n\r\n`, /^HTTP\/1.1 400 /],
    // Longer than it says: the object is answered for, and what follows is no request.
    [
      `${post}\r\nhost: a\r\n${json}\r\ncontent-length: 2\r\n\r\n{}GARBAGE\r\n\r\n`,
      /HTTP\/1.1 400 Bad Request\r\nConnection: close\r\n\r\n$/,
    ],
  ] as const) {
    const socket = await openTls({ pair });
    const all = textOf(socket);
    socket.write(text);
    expect(await all).toMatch(answer);
  }
  // Shorter than it says.
  const short = await openTls({ pair });
  const answer = textOf(short);
  short.end(`${post}\r\nhost: a\r\n${json}\r\ncontent-length: 100\r\n\r\n{"a":`);
  expect(await answer).toMatch(/^HTTP\/1.1 400 /);
  await nothingIsLeft();
});

test('floods of frames end with the connection they came by', async () => {
  const pair = { certificate: cluster.connection.clientCertificate!, privateKey: cluster.connection.clientKey! };
  const times = (count: number, make: (index: number) => Buffer): Iterable<Buffer> =>
    (function* () {
      for (let index = 0; index < count; index++) yield make(index);
    })();
  const { headers, reset, continuation, settings, ping, windowUpdate } = frameTypes;
  const open = (index: number): Buffer => frame(headers, 5, 2 * index + 1, getRoot);
  const cancel = (index: number): Buffer => frame(reset, 0, 2 * index + 1, Buffer.from([0, 0, 0, 8]));
  // A name and value that are kept in the table for compression, and then repeated.
  const bomb = Buffer.concat([getRoot, Buffer.from([0x40, 1, 0x78, 0x7f, 0x81, 0x1e]), Buffer.alloc(4000, 0x61), Buffer.alloc(4000, 0xbe)]);
  const floods: readonly Iterable<Buffer>[] = [
    times(5000, (index) => Buffer.concat([open(index), cancel(index)])),
    [frame(headers, 1, 1, getRoot), ...times(2000, () => frame(continuation, 0, 1, Buffer.alloc(16_000, 0x40)))],
    [frame(headers, 1, 1, getRoot), ...times(20_000, () => frame(continuation, 0, 1))],
    times(20_000, () => frame(settings)),
    times(10_000, () => frame(ping, 0, 0, Buffer.alloc(8))),
    times(500, (index) => frame(headers, 5, 2 * index + 1, bomb)),
    [frame(windowUpdate, 0, 0, Buffer.from([0x7f, 0xff, 0xff, 0xff]))],
    times(2000, (index) => open(index)),
  ];
  for (const chunks of floods) {
    await flood(await openTls({ pair, protocol: 'h2' }), chunks);
    // Others are served meanwhile and after.
    expect((await ask(session, '/healthz')).status).toBe(200);
  }
  await nothingIsLeft();
});

test('a client that never reads its list holds its own connection up, and no other', async () => {
  const text = 'x'.repeat(200_000);
  for (let number = 0; number < 20; number++) {
    await cluster.client.create(configMaps, { metadata: { name: `large-${number}`, namespace: 'default' }, data: { text } });
  }
  const deaf = openSession(cluster.connection);
  const lists = Array.from({ length: 20 }, () => deaf.request({ ':path': collection }));
  await Promise.all(lists.map((stream) => new Promise((resolve) => void stream.on('error', () => undefined).once('response', resolve))));
  const pair = { certificate: cluster.connection.clientCertificate!, privateKey: cluster.connection.clientKey! };
  const sockets = await Promise.all(Array.from({ length: 10 }, () => openTls({ pair })));
  for (const socket of sockets) socket.pause().write(`GET ${collection} HTTP/1.1\r\nhost: a\r\n\r\n`);
  for (let number = 0; number < 5; number++) {
    const { status, text: list } = await ask(session, collection);
    expect(status).toBe(200);
    expect((JSON.parse(list) as { items: unknown[] }).items).toHaveLength(20);
  }
  deaf.destroy();
  for (const socket of sockets) socket.destroy();
  await nothingIsLeft();
});

test('streams that are reset or half closed, and connections that break, leave nothing', async () => {
  const broken = openSession(cluster.connection);
  const watches = Array.from({ length: 50 }, () => broken.request({ ':path': `${collection}?watch=1` }));
  await Promise.all(watches.map((stream) => new Promise((resolve) => void stream.on('error', () => undefined).once('response', resolve))));
  for (const stream of watches.slice(0, 25)) stream.close(constants.NGHTTP2_CANCEL);
  for (let number = 0; number < 20; number++) openBody(broken, collection).close(constants.NGHTTP2_INTERNAL_ERROR);
  for (let number = 0; number < 20; number++) {
    const half = openBody(broken, collection, '{"apiVersion":');
    const reply = replyOf(half);
    half.end();
    expect((await reply).status).toBe(400);
  }
  expect(await until(25, () => metric(session, 'apiserver_longrunning_requests'))).toBe(25);
  broken.destroy();
  const watching = await openTls({
    pair: { certificate: cluster.connection.clientCertificate!, privateKey: cluster.connection.clientKey! },
  });
  watching.write(`GET ${collection}?watch=1 HTTP/1.1\r\nhost: berth\r\n\r\n`);
  await new Promise((resolve) => void watching.once('data', resolve));
  watching.destroy();
  await nothingIsLeft();
});

test('a failed handshake is noted once, and its connection closed', async () => {
  const { port } = cluster.server;
  const notes = (): number => records.filter(({ message }) => message === 'a TLS handshake failed').length;
  const before = notes();
  const answers = ['GET / HTTP/1.1\r\n\r\n', '\x16\x03\x01\x00\x05hello', '\0\0\0\0'].map(
    (bytes) =>
      new Promise<string>((resolve) => {
        let text = '';
        const socket = tcpConnect(port, '127.0.0.1', () => socket.write(Buffer.from(bytes, 'latin1')));
        socket.on('error', () => undefined);
        socket.on('data', (chunk: Buffer) => {
          text += chunk.toString('latin1');
        });
        socket.on('close', () => resolve(text));
      }),
  );
  const refusals = (['TLSv1', 'TLSv1.1'] as const).map(
    (version) =>
      new Promise<string | undefined>((resolve) => {
        const socket = tlsConnect({ port, host: '127.0.0.1', minVersion: version, maxVersion: version, ciphers: 'ALL:@SECLEVEL=0' });
        socket.on('error', (error) => resolve(codeOf(error)));
      }),
  );
  expect((await Promise.all(answers))[0]).toContain('400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.');
  expect(await Promise.all(refusals)).toEqual(Array.from({ length: 2 }, () => 'ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION'));
  expect(await until(before + 5, notes)).toBe(before + 5);
  await nothingIsLeft();
});

test('a certificate that has ended, begins later or is of others is answered with 401', async () => {
  const folder = join(dirname(cluster.kubeconfig), 'pki');
  const own: KeyPair = {
    certificate: await readFile(join(folder, 'ca.crt'), 'utf8'),
    privateKey: await readFile(join(folder, 'ca.key'), 'utf8'),
  };
  const hour = 3_600_000;
  const now = Date.now();
  const other = createAuthority('berth-ca', now - hour, now + hour);
  for (const [authority, notBefore, notAfter, status] of [
    [own, now - hour, now + hour, 200],
    [own, now - 2 * hour, now - hour, 401],
    [own, now + hour, now + 2 * hour, 401],
    [other, now - hour, now + hour, 401],
  ] as const) {
    const privateKey = generatePrivateKey();
    const certificate = issueCertificate(authority, createPublicKey(privateKey), {
      subject: { commonName: 'eve', organizations: ['system:masters'] },
      hosts: [],
      usages: ['client'],
      notBefore,
      notAfter,
    });
    const client = openSession({ ...cluster.connection, clientCertificate: certificate, clientKey: privateKey });
    expect((await ask(client, collection)).status).toBe(status);
    client.destroy();
  }
  await nothingIsLeft();
});
