/** Clients that are slow, broken or not who they say: each is answered or dropped, noted once, and nothing of it is left. */
import { createPublicKey } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { type ClientHttp2Session, constants } from 'node:http2';
import { connect as tcpConnect } from 'node:net';
import { dirname, join } from 'node:path';
import { type TLSSocket, connect as tlsConnect } from 'node:tls';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { createAuthority, generatePrivateKey, issueCertificate, type KeyPair } from '#apiserver/auth/certificates';
import type { Logger, LogLevel } from '#base/logging';
import { startCluster, type TestCluster } from '#server/testing';
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
  await Promise.all(
    ['GET / HTTP/1.1\r\n\r\n', '\x16\x03\x01\x00\x05hello', '\0\0\0\0'].map(
      (bytes) =>
        new Promise<void>((resolve) => {
          const socket = tcpConnect(port, '127.0.0.1', () => socket.write(Buffer.from(bytes, 'latin1')));
          socket.on('error', () => undefined);
          socket.on('close', () => resolve());
          socket.resume();
        }),
    ),
  );
  expect(await until(before + 3, notes)).toBe(before + 3);
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
