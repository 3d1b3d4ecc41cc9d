/** Logs and streams of pods over real TLS, to a node that is played here: what reaches it, what comes back, what is refused before. */
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { request as httpsRequest } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Duplex, PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { type TLSSocket, connect as tlsConnect } from 'node:tls';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { Registry } from 'prom-client';
import { namespaces, pods } from '#api/shapes/resources';
import { systemClock } from '#base/clock';
import { StatusError } from '#base/errors';
import { silentLogger } from '#base/logging';
import type { NodeConnector, StreamTarget } from '#client/node-connector';
import { openPki, type Pki } from '../auth/pki.ts';
import { createAuthorizers } from '../authorization/index.ts';
import { type MemoryApi, startMemoryApi } from '../memory-api.ts';
import { createApiServer } from './create-api-server.ts';

/** The node's end of the last stream, with all that was written to it. */
interface Played {
  readonly nodeName: string;
  readonly target: StreamTarget;
  readonly received: Buffer[];
  readonly stream: Duplex;
}

let folder: string;
let pki: Pki;
let api: MemoryApi;
let port: number;
let played: Played | undefined;
let failure: StatusError | undefined;
const stop = new AbortController();
let running: Promise<void>;

const connector: NodeConnector = {
  connect: async (nodeName, target) => {
    if (failure !== undefined) throw failure;
    const received: Buffer[] = [];
    const stream = target.type === 'logs' ? new PassThrough() : echo(received);
    played = { nodeName, target, received, stream };
    return stream;
  },
};

/** Switches protocols when the upgrade request has come, and then says everything again. */
function echo(received: Buffer[]): Duplex {
  let upgraded = false;
  return new Duplex({
    read: () => undefined,
    write(chunk: Buffer, _, done) {
      received.push(chunk);
      if (upgraded) this.push(chunk);
      else if (Buffer.concat(received).includes('\r\n\r\n')) {
        upgraded = true;
        this.push('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n\r\n');
      }
      done();
    },
    final(done) {
      this.push(null);
      done();
    },
  });
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'berth-pod-streams-'));
  pki = await openPki({ directory: folder, hosts: ['127.0.0.1'], clock: systemClock });
  api = startMemoryApi();
  const server = createApiServer({
    verbs: api.verbs,
    authorizers: createAuthorizers(async () => []),
    connector,
    certificate: pki.serving,
    clientAuthority: pki.authority.certificatePem,
    host: '127.0.0.1',
    port: 0,
    clock: systemClock,
    log: silentLogger,
    registry: new Registry(),
    health: { healthz: [], livez: [], readyz: [] },
    berthVersion: '0.0.0',
  });
  ({ port } = await server.listen());
  running = server.run(stop.signal);
  const client = api.client();
  await client.create(namespaces, { metadata: { name: 'default' }, spec: {} });
  const containers = [
    { name: 'web', image: 'i' },
    { name: 'side', image: 'i' },
  ];
  const pod = await client.create(pods, { metadata: { name: 'p', namespace: 'default' }, spec: { containers, nodeName: 'node-1' } });
  await client.updateStatus(pods, { ...pod, status: { ...pod.status, phase: 'Running' } });
  await client.create(pods, { metadata: { name: 'waiting', namespace: 'default' }, spec: { containers } });
  const ended = await client.create(pods, { metadata: { name: 'ended', namespace: 'default' }, spec: { containers, nodeName: 'node-1' } });
  await client.updateStatus(pods, { ...ended, status: { ...ended.status, phase: 'Succeeded' } });
});
afterAll(async () => {
  stop.abort();
  await running;
  await api.stop();
  await rm(folder, { recursive: true, force: true });
});
beforeEach(() => {
  played = undefined;
  failure = undefined;
});

const tls = () => ({ ca: pki.authority.certificatePem, cert: pki.admin.certificate, key: pki.admin.privateKey });
const base = '/api/v1/namespaces/default/pods';

/** The stream that the request under way has opened. */
async function opened(): Promise<Played> {
  for (;;) {
    const now = played;
    if (now !== undefined) return now;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

async function get(path: string): Promise<{ code: number; body: string }> {
  const request = httpsRequest({ host: '127.0.0.1', port, path, ...tls() });
  request.end();
  const [response] = (await once(request, 'response')) as [import('node:http').IncomingMessage];
  return { code: response.statusCode ?? 0, body: await text(response) };
}

/** Sends an upgrade request by hand, and gives the socket with the head of the answer. */
async function upgrade(
  path: string,
  headers: readonly string[],
  options: { method?: string; after?: string; credentials?: object } = {},
): Promise<{ socket: TLSSocket; head: string }> {
  const socket = tlsConnect({ host: '127.0.0.1', port, ALPNProtocols: ['http/1.1'], ...(options.credentials ?? tls()) });
  await once(socket, 'secureConnect');
  const lines = [`${options.method ?? 'POST'} ${path} HTTP/1.1`, 'Host: 127.0.0.1', 'Connection: Upgrade', ...headers, '', ''];
  socket.write(lines.join('\r\n') + (options.after ?? ''));
  const [first] = (await once(socket, 'data')) as [Buffer];
  return { socket, head: first.toString() };
}

const spdy = ['Upgrade: SPDY/3.1', 'X-Stream-Protocol-Version: v4.channel.k8s.io', 'X-Stream-Protocol-Version: v3.channel.k8s.io'];

describe('log', () => {
  test('passes on what was asked and what comes', async () => {
    const reading = get(`${base}/p/log?container=side&follow=True&tailLines=5&timestamps=1&limitBytes=100&sinceTime=2026-01-01T00:00:00Z`);
    const { stream } = await opened();
    stream.write('one\n');
    stream.end('two\n');
    expect(await reading).toEqual({ code: 200, body: 'one\ntwo\n' });
    expect(played).toMatchObject({
      nodeName: 'node-1',
      target: {
        type: 'logs',
        namespace: 'default',
        pod: 'p',
        container: 'side',
        follow: true,
        previous: false,
        timestamps: true,
        tailLines: 5,
        limitBytes: 100,
        sinceMilliseconds: Date.UTC(2026, 0, 1),
      },
    });
  });

  test('of a pod without a node is empty', async () => {
    expect(await get(`${base}/waiting/log`)).toEqual({ code: 200, body: '' });
  });

  test.each([
    ['/nothing/log', 404, 'pods "nothing" not found'],
    ['/p/log?container=none', 400, 'container none is not valid for pod p'],
    ['/p/log?tailLines=-1', 422, 'tailLines'],
    ['/p/log?sinceSeconds=1&sinceTime=2026-01-01T00:00:00Z', 422, 'at most one of'],
    ['/p/log?sinceTime=yesterday', 422, 'sinceTime'],
    ['/p/log?stream=Stderr', 422, 'stream'],
  ])('%s is refused with %i', async (path, code, message) => {
    const reply = await get(base + path);
    expect(reply.code).toBe(code);
    expect(JSON.parse(reply.body)).toMatchObject({ kind: 'Status', message: expect.stringContaining(message) });
  });

  test('says what the node says', async () => {
    failure = new StatusError('ServiceUnavailable', 'node node-1 is not connected');
    expect(await get(`${base}/p/log`)).toMatchObject({ code: 503, body: expect.stringContaining('node node-1 is not connected') });
  });

  test('that breaks off does not look like one that ended', async () => {
    const reading = get(`${base}/p/log`);
    const { stream } = await opened();
    stream.write('half a li');
    stream.destroy(new Error('gone'));
    await expect(reading).rejects.toMatchObject({ code: 'ECONNRESET' });
  });

  test('stops on the node when its reader goes', async () => {
    const request = httpsRequest({ host: '127.0.0.1', port, path: `${base}/p/log?follow=true`, ...tls() });
    request.on('error', () => undefined);
    request.end();
    await once(request, 'response');
    request.destroy();
    if (!played!.stream.destroyed) await once(played!.stream, 'close');
    expect(played!.stream.destroyed).toBe(true);
  });
});

describe('exec', () => {
  const path = `${base}/p/exec?command=ls&command=-l&stdin=true&stdout=true&stderr=true`;

  test('hands the request to the node as it came, and then bytes both ways, until both sides have ended', async () => {
    const { socket, head } = await upgrade(path, spdy, { after: 'early' });
    expect(head).toMatch(/^HTTP\/1\.1 101 /);
    expect(played).toMatchObject({
      nodeName: 'node-1',
      target: { type: 'exec', container: 'web', command: ['ls', '-l'], stdin: true, stdout: true, stderr: true, tty: false },
    });
    socket.write('hello');
    let heard = head.slice(head.indexOf('\r\n\r\n') + 4);
    while (!heard.endsWith('hello')) heard += String(((await once(socket, 'data')) as [Buffer])[0]);
    expect(heard).toBe('earlyhello');
    const sent = Buffer.concat(played!.received).toString();
    expect(sent).toContain(`POST ${path} HTTP/1.1\r\n`);
    expect(sent.match(/X-Stream-Protocol-Version/g)).toHaveLength(2);
    socket.end();
    await once(socket, 'close');
    expect(played!.stream.destroyed).toBe(true);
  });

  test('over WebSocket is taken with the first protocol that is known, and refused without any', async () => {
    const webSocket = (protocols: string): string[] => [
      'Upgrade: websocket',
      'Sec-WebSocket-Version: 13',
      `Sec-WebSocket-Key: ${Buffer.alloc(16).toString('base64')}`,
      `Sec-WebSocket-Protocol: ${protocols}`,
    ];
    const newer = await upgrade(path, webSocket('v5.channel.k8s.io, v4.channel.k8s.io'), { method: 'GET' });
    expect(newer.head).toMatch(/^HTTP\/1\.1 101 [\s\S]*Sec-WebSocket-Protocol: v5\.channel\.k8s\.io\r\n/);
    expect(Buffer.concat(played!.received).toString('latin1')).toMatch(
      /^POST [\s\S]*Upgrade: SPDY\/3\.1[\s\S]*X-Stream-Protocol-Version: v4\.channel\.k8s\.io/,
    );
    newer.socket.destroy();
    const token = `base64url.bearer.authorization.k8s.io.${Buffer.from('a token').toString('base64url')}`;
    const older = await upgrade(path, webSocket('v4.channel.k8s.io, v5.channel.k8s.io'), { method: 'GET' });
    expect(older.head).toMatch(/^HTTP\/1\.1 101 /);
    expect(Buffer.concat(played!.received).toString()).toContain('Sec-WebSocket-Protocol: v4.channel.k8s.io, v5.channel.k8s.io\r\n');
    older.socket.destroy();
    const { head } = await upgrade(path, webSocket('v9.channel.k8s.io'), { method: 'GET' });
    expect(head).toMatch(/^HTTP\/1\.1 400 /);
    expect(head).toContain('"kind":"Status"');
    // No token is known here, but this is where one would be.
    expect((await upgrade(path, webSocket(`${token}, v4.channel.k8s.io`), { method: 'GET' })).head).toMatch(/^HTTP\/1\.1 401 /);
  });

  test.each([
    ['/p/exec?stdout=true', 400, 'at least one command'],
    ['/p/exec?command=ls', 400, 'at least 1 of stdin, stdout, stderr'],
    ['/p/exec?command=ls&stdout=1&container=none', 400, 'container none is not valid for pod p'],
    ['/ended/exec?command=ls&stdout=1', 400, 'cannot exec into a container in a completed pod; current phase is Succeeded'],
    ['/waiting/exec?command=ls&stdout=1', 400, 'does not have a host assigned'],
    ['/nothing/exec?command=ls&stdout=1', 404, 'pods \\"nothing\\" not found'],
    ['/p/portforward?ports=0', 400, 'is not a number from 1 to 65535'],
    ['/p/log', 404, 'could not find'],
    ['/p/proxy', 404, 'could not find'],
  ])('%s is refused with %i', async (target, code, message) => {
    const { head } = await upgrade(base + target, spdy);
    expect(head).toMatch(new RegExp(`^HTTP/1\\.1 ${code} `));
    expect(head).toContain(message);
  });

  test('needs credentials, and an upgrade', async () => {
    const { head } = await upgrade(path, spdy, { credentials: { ca: pki.authority.certificatePem } });
    expect(head).toMatch(/^HTTP\/1\.1 401 /);
    expect(await get(path)).toMatchObject({ code: 400, body: expect.stringContaining('Upgrade request required') });
    expect((await upgrade(path, ['Upgrade: h2c'])).head).toMatch(/^HTTP\/1\.1 400 /);
  });

  test('says what the node says, before the connection is taken over', async () => {
    failure = new StatusError('NotFound', 'container web is not running');
    expect((await upgrade(path, spdy)).head).toMatch(/^HTTP\/1\.1 404 [\s\S]*container web is not running/);
  });
});

describe('attach and port-forward', () => {
  test('reach the node as what they are', async () => {
    const attach = await upgrade(`${base}/p/attach?container=side&stdout=true&tty=true&stderr=true`, spdy);
    expect(played?.target).toMatchObject({ type: 'attach', container: 'side', stdout: true, stderr: false, tty: true });
    attach.socket.destroy();
    const forward = await upgrade(`${base}/p/portforward?ports=80&ports=443,8080`, spdy);
    expect(played?.target).toMatchObject({ type: 'portForward', ports: [80, 443, 8080] });
    forward.socket.destroy();
  });
});
