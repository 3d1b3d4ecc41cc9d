/** Whoever speaks to the agents' port without being an agent is refused in gRPC's way or cut off; nothing of it is left, and nothing but a debug line noted. */
import { type ClientHttp2Session, connect as connectHttp2 } from 'node:http2';
import { connect as connectTcp } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { codeOf } from '#base/errors';
import type { Logger, LogLevel } from '#base/logging';
import { RenewRequest } from '#rpc/generated/agent';
import { startCluster, type TestCluster } from '#server/testing';
import { openSockets, until } from './raw-client.ts';

const records: { readonly level: LogLevel; readonly message: string }[] = [];
let cluster: TestCluster;
let port: number;
let session: ClientHttp2Session;

function recorder(): Logger {
  const at = (level: LogLevel) => (message: string) => void records.push({ level, message });
  return { error: at('error'), warn: at('warn'), info: at('info'), debug: at('debug'), enabled: () => true, with: recorder };
}

const trust = (): { ca: string | undefined; checkServerIdentity: () => undefined } => ({
  ca: cluster.connection.certificateAuthority,
  checkServerIdentity: () => undefined,
});

beforeAll(async () => {
  cluster = await startCluster({ components: { scheduler: false, controllers: false }, log: recorder() });
  port = cluster.server.agentPort ?? 0;
  session = connectHttp2(`https://127.0.0.1:${port}`, trust());
  session.on('error', () => undefined);
});
afterAll(async () => {
  session.destroy();
  expect(await until(0, openSockets)).toBe(0);
  await cluster.stop();
});
afterEach(() => {
  expect(records.filter(({ level }) => level === 'error' || level === 'warn')).toEqual([]);
});

/** Both ends of the one session stay. */
async function nothingIsLeft(): Promise<void> {
  expect(await until(2, openSockets)).toBe(2);
}

interface Outcome {
  readonly http: number | undefined;
  readonly grpc: string | undefined;
}

/** One call with this as its body. */
function call(path: string, body: Uint8Array, headers: Readonly<Record<string, string>> = {}): Promise<Outcome> {
  const stream = session.request({ ':method': 'POST', ':path': path, 'content-type': 'application/grpc', te: 'trailers', ...headers });
  const said: Record<string, unknown> = {};
  stream.on('response', (given) => Object.assign(said, given));
  stream.on('trailers', (given) => Object.assign(said, given));
  stream.on('error', () => undefined);
  stream.resume();
  stream.end(body);
  return new Promise((resolve) => {
    stream.on('close', () => resolve({ http: said[':status'] as number | undefined, grpc: said['grpc-status'] as string | undefined }));
  });
}

function message(bytes: Uint8Array, compressed = 0): Buffer {
  const head = Buffer.alloc(5);
  head[0] = compressed;
  head.writeUInt32BE(bytes.length, 1);
  return Buffer.concat([head, bytes]);
}

test('what is no TLS, or not HTTP/2, gets no further', async () => {
  const closed = (bytes: string): Promise<string> =>
    new Promise((resolve) => {
      let text = '';
      const socket = connectTcp(port, '127.0.0.1', () => socket.end(Buffer.from(bytes, 'latin1')));
      socket.on('error', () => undefined);
      socket.on('data', (chunk: Buffer) => {
        text += chunk.toString('latin1');
      });
      socket.on('close', () => resolve(text));
    });
  expect(await closed('GET / HTTP/1.1\r\nhost: a\r\n\r\n')).not.toContain('200');
  expect(await closed('\0\0\0\0')).toBe('');
  const code = await new Promise((resolve) => {
    connectTls({ ...trust(), port, host: '127.0.0.1', ALPNProtocols: ['http/1.1'] }).on('error', (error) => resolve(codeOf(error)));
  });
  expect(code).toBe('ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL');
  const garbage = connectTls({ ...trust(), port, host: '127.0.0.1', ALPNProtocols: ['h2'] }, () => garbage.write(Buffer.alloc(100)));
  garbage.on('error', () => undefined).resume();
  await new Promise((resolve) => void garbage.on('close', resolve));
  await nothingIsLeft();
});

test('calls that are none, or no one may make, are refused each in its way', async () => {
  const enroll = '/berth.agent.v1.Enrollment/Enroll';
  const agent = '/berth.agent.v1.Agent';
  // UNIMPLEMENTED, UNAUTHENTICATED, INTERNAL (it cannot be read), RESOURCE_EXHAUSTED.
  expect(await call('/nobody/Knows', message(Buffer.alloc(0)))).toEqual({ http: 200, grpc: '12' });
  expect(await call(enroll, message(Buffer.alloc(0)))).toEqual({ http: 200, grpc: '16' });
  expect(await call(enroll, message(Buffer.alloc(100, 0xff)))).toEqual({ http: 200, grpc: '13' });
  expect(await call(enroll, Buffer.from([0, 255, 255, 255, 255, 1]))).toEqual({ http: 200, grpc: '8' });
  expect(await call(enroll, message(Buffer.alloc(4), 1), { 'grpc-encoding': 'gzip' })).toEqual({ http: 200, grpc: '13' });
  expect(await call(enroll, message(Buffer.alloc(0)), { 'content-type': 'text/html' })).toEqual({ http: 415, grpc: undefined });
  expect(await call(`${agent}/Connect`, message(Buffer.alloc(0)))).toEqual({ http: 200, grpc: '16' });
  expect(await call(`${agent}/Tunnel`, message(Buffer.alloc(0)), { 'stream-id': '__proto__' })).toEqual({ http: 200, grpc: '16' });
  // A renewal needs no certificate, for that may have ended, but a request that proves the node's key: INVALID_ARGUMENT.
  expect(await call(`${agent}/Renew`, message(Buffer.alloc(0)))).toEqual({ http: 200, grpc: '3' });
  const certificateRequest = RenewRequest.encode(RenewRequest.fromPartial({ nodeName: 'a', signingRequest: '-----BEGIN' })).finish();
  for (const bytes of fc.sample(fc.uint8Array({ maxLength: 300 }), { seed: 20_260_111, numRuns: 50 })) {
    for (const body of [bytes, Buffer.concat([certificateRequest, bytes])]) {
      expect(['3', '13', '16']).toContain((await call(`${agent}/Renew`, message(body))).grpc);
    }
    const request = RenewRequest.encode(
      RenewRequest.fromPartial({
        nodeName: 'a',
        signingRequest: `-----BEGIN CERTIFICATE REQUEST-----\n${Buffer.from(bytes).toString('base64')}\n-----END CERTIFICATE REQUEST-----\n`,
      }),
    ).finish();
    expect((await call(`${agent}/Renew`, message(request))).grpc).toBe('3');
  }
  await nothingIsLeft();
});

test('streams that are reset without end leave the port serving', async () => {
  for (let number = 0; number < 500; number++) {
    const stream = session.request({ ':method': 'POST', ':path': '/berth.agent.v1.Agent/Connect', 'content-type': 'application/grpc' });
    stream.on('error', () => undefined);
    stream.close(8);
  }
  expect(await call('/nobody/Knows', message(Buffer.alloc(0)))).toEqual({ http: 200, grpc: '12' });
  await nothingIsLeft();
});
