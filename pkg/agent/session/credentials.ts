/**
 * The node's identity: a key that never leaves the machine, and a certificate for it. Joins once with a token, renews by itself well before the
 * end, and also after it (a node that was off for months), for the server knows the key.
 */
import { createPrivateKey, generateKeyPairSync, X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { credentials, Metadata, type ServiceError } from '@grpc/grpc-js';
import type { Clock } from '#base/clock';
import { codeOf, messageOf } from '#base/errors';
import { AgentClient, EnrollmentClient, type EnrollResponse } from '#rpc/generated/agent';
import { authorityHash, type JoinToken } from '#rpc/join-token';
import { createSigningRequest } from '#rpc/signing-request';
import { writeDurably } from '../durable-file.ts';

export interface NodeCredentials {
  /** All PEM. */
  readonly privateKey: string;
  readonly certificate: string;
  readonly certificateAuthority: string;
  readonly clusterId: string;
}

const files = { privateKey: 'node.key', certificate: 'node.crt', certificateAuthority: 'ca.crt', clusterId: 'cluster-id' } as const;
const callTimeout = 15_000;

/** Undefined when this node has not joined. */
export async function readCredentials(directory: string): Promise<NodeCredentials | undefined> {
  try {
    const [privateKey, certificate, certificateAuthority, clusterId] = await Promise.all(
      [files.privateKey, files.certificate, files.certificateAuthority, files.clusterId].map((file) =>
        readFile(join(directory, file), 'utf8'),
      ),
    );
    if (privateKey === undefined || certificate === undefined || certificateAuthority === undefined || clusterId === undefined)
      return undefined;
    return { privateKey, certificate, certificateAuthority, clusterId };
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** Throws with what to do: a wrong server, a token that is unknown or has ended, a name that is taken. */
export async function joinCluster(directory: string, server: string, token: JoinToken, nodeName: string): Promise<NodeCredentials> {
  const authority = await fetchAuthority(server, token.authorityHash);
  const privateKey = await ownKey(directory);
  const client = new EnrollmentClient(server, credentials.createSsl(Buffer.from(authority)), channelOptions);
  try {
    const request = { token: `${token.id}.${token.secret}`, nodeName, signingRequest: signingRequestOf(privateKey, nodeName) };
    const response = await call<EnrollResponse>((done) => client.enroll(request, new Metadata(), deadline(), done));
    return await store(directory, privateKey, response);
  } finally {
    client.close();
  }
}

/** Whether less than a third of the certificate's life is left. */
export function shouldRenew(certificatePem: string, clock: Clock): boolean {
  const certificate = new X509Certificate(certificatePem);
  const from = Date.parse(certificate.validFrom);
  const to = Date.parse(certificate.validTo);
  return clock.now() > to - (to - from) / 3;
}

export async function renewCredentials(
  directory: string,
  server: string,
  current: NodeCredentials,
  nodeName: string,
  clock: Clock,
): Promise<NodeCredentials> {
  const ended = clock.now() >= Date.parse(new X509Certificate(current.certificate).validTo);
  const client = new AgentClient(server, channelCredentials(current, ended), channelOptions);
  try {
    const request = { signingRequest: signingRequestOf(current.privateKey, nodeName), nodeName };
    const response = await call<EnrollResponse>((done) => client.renew(request, new Metadata(), deadline(), done));
    return await store(directory, current.privateKey, response);
  } finally {
    client.close();
  }
}

export function channelCredentials(own: NodeCredentials, withoutCertificate = false): ReturnType<typeof credentials.createSsl> {
  const authority = Buffer.from(own.certificateAuthority);
  if (withoutCertificate) return credentials.createSsl(authority);
  return credentials.createSsl(authority, Buffer.from(own.privateKey), Buffer.from(own.certificate));
}

/** A name that the certificate of every server of the cluster bears: agents may dial addresses that it does not list. */
const serverName = 'kubernetes';

export const channelOptions = {
  'grpc.ssl_target_name_override': serverName,
  'grpc.initial_reconnect_backoff_ms': 200,
  'grpc.max_reconnect_backoff_ms': 2000,
  'grpc.keepalive_time_ms': 20_000,
  'grpc.keepalive_timeout_ms': 10_000,
  'grpc.max_receive_message_length': 64 * 1024 * 1024,
} as const;

function deadline(): { deadline: number } {
  return { deadline: Date.now() + callTimeout };
}

function signingRequestOf(privateKey: string, nodeName: string): string {
  return createSigningRequest(createPrivateKey(privateKey), `system:node:${nodeName}`, 'system:nodes');
}

/** Kept from the first try on, so that a join whose answer was lost can be tried again under the same name. */
async function ownKey(directory: string): Promise<string> {
  const path = join(directory, files.privateKey);
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error;
  }
  const key = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  await writeDurably(path, key, 0o600);
  return key;
}

async function store(directory: string, privateKey: string, response: EnrollResponse): Promise<NodeCredentials> {
  const { certificate, certificateAuthority, clusterId } = response;
  await writeDurably(join(directory, files.certificateAuthority), certificateAuthority, 0o600);
  await writeDurably(join(directory, files.clusterId), clusterId, 0o600);
  await writeDurably(join(directory, files.certificate), certificate, 0o600);
  return { privateKey, certificate, certificateAuthority, clusterId };
}

/** The authority that the server shows, once it has been found to be the one that the token names. */
async function fetchAuthority(server: string, wantedHash: string): Promise<string> {
  const { host, port } = splitAddress(server);
  const chain = await new Promise<string[]>((resolve, reject) => {
    const socket = connect({ host, port, rejectUnauthorized: false, ALPNProtocols: ['h2'], timeout: callTimeout }, () => {
      const shown: string[] = [];
      const seen = new Set<string>();
      for (
        let next = socket.getPeerX509Certificate();
        next !== undefined && !seen.has(next.fingerprint256);
        next = next.issuerCertificate
      ) {
        seen.add(next.fingerprint256);
        shown.push(next.toString());
      }
      socket.destroy();
      resolve(shown);
    });
    socket.once('timeout', () => socket.destroy(new Error('it does not answer')));
    socket.once('error', (error) => reject(new Error(`cannot reach the server at ${server}: ${error.message}`, { cause: error })));
  });
  const authority = chain.find((certificate) => authorityHash(certificate) === wantedHash);
  if (authority !== undefined) return authority;
  throw new Error(
    `the server at ${server} does not belong to the cluster of this token (its authority is another one): check the address, or make a token on that server`,
  );
}

/** `host:port`, `[v6]:port`. */
export function splitAddress(address: string): { host: string; port: number } {
  const colon = address.lastIndexOf(':');
  const port = Number(address.slice(colon + 1));
  if (colon <= 0 || !Number.isInteger(port) || port <= 0 || port > 65_535) throw new Error(`"${address}" is not of the form host:port`);
  return { host: address.slice(0, colon).replace(/^\[|\]$/g, ''), port };
}

function call<T>(start: (done: (error: ServiceError | null, response: T) => void) => unknown): Promise<T> {
  return new Promise((resolve, reject) => {
    start((error, response) => {
      if (error === null) resolve(response);
      else reject(new Error(error.details === '' ? messageOf(error) : error.details, { cause: error }));
    });
  });
}
