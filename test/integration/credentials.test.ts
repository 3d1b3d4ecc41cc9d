/** Whom the server takes a client for, over real TLS: tokens of service accounts, certificates that were asked for, and whom one may be in place of oneself. */
import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import { connect } from 'node:http2';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { KubernetesObject } from '#api/object';
import { certificateSigningRequests, configMaps, namespaces, secrets, serviceAccounts } from '#api/shapes/resources';
import type { CertificateSigningRequest } from '#api/shapes/types/certificates-v1';
import type { Secret } from '#api/shapes/types/core-v1';
import { createSigningRequest } from '#rpc/signing-request';
import { startCluster, type TestCluster } from '#server/testing';
import { eventually } from '../harness/commands.ts';
import { openSession, replyOf } from './raw-client.ts';

interface Reply {
  readonly status: number;
  readonly contentType: unknown;
  readonly body: Record<string, unknown>;
}

let cluster: TestCluster;
let admin: (method: string, path: string, body?: object, headers?: Record<string, string>) => Promise<Reply>;
let anybody: (method: string, path: string, token: string, body?: object) => Promise<Reply>;
const ends: (() => void)[] = [];

beforeAll(async () => {
  cluster = await startCluster({ components: { scheduler: false, dispatcher: false } });
  const known = openSession(cluster.connection);
  const unknown = connect(cluster.url, { ca: cluster.connection.certificateAuthority! });
  unknown.on('error', () => undefined);
  ends.push(
    () => known.close(),
    () => unknown.close(),
  );
  const send = async (
    session: typeof known,
    method: string,
    path: string,
    headers: Record<string, string>,
    body?: object,
  ): Promise<Reply> => {
    const stream = session.request({ ':method': method, ':path': path, 'content-type': 'application/json', ...headers });
    const answer = replyOf(stream);
    stream.end(body === undefined ? undefined : JSON.stringify(body));
    const { status, headers: got, text } = await answer;
    return { status, contentType: got['content-type'], body: JSON.parse(text) as Reply['body'] };
  };
  admin = (method, path, body, headers = {}) => send(known, method, path, headers, body);
  anybody = (method, path, token, body) => send(unknown, method, path, { authorization: `Bearer ${token}` }, body);
  await cluster.client.create(serviceAccounts, { metadata: { name: 'robot', namespace: 'default' } });
});
afterAll(async () => {
  for (const end of ends) end();
  await cluster.stop();
});

const pods = '/api/v1/namespaces/default/pods';
const whoami = '/apis/authentication.k8s.io/v1/selfsubjectreviews';
const name = 'system:serviceaccount:default:robot';

async function newToken(spec: object = {}): Promise<string> {
  const made = await admin('POST', '/api/v1/namespaces/default/serviceaccounts/robot/token', { spec });
  expect(made.status).toBe(201);
  return (made.body.status as { token: string }).token;
}

const unauthorized = { status: 401, body: { reason: 'Unauthorized', message: 'Unauthorized' } };

/** What is gone may be seen for a moment still. */
async function untilRefused(token: string): Promise<void> {
  const answer = await eventually('the token is refused', async () => {
    const given = await anybody('GET', '/version', token);
    return given.status === 200 ? undefined : given;
  });
  expect(answer).toMatchObject(unauthorized);
}

const review = (): object => ({ apiVersion: 'authentication.k8s.io/v1', kind: 'SelfSubjectReview', metadata: {} });

describe("a service account's token", () => {
  test('shows who makes the request', async () => {
    const token = await newToken();
    const answer = await anybody('POST', whoami, token, review());
    expect(answer.status).toBe(201);
    expect(answer.body.status).toMatchObject({
      userInfo: { username: name, groups: ['system:serviceaccounts', 'system:serviceaccounts:default', 'system:authenticated'] },
    });
  });

  test('discovers the API and its issuer, and may nothing else', async () => {
    const token = await newToken();
    for (const path of ['/version', '/api', '/apis', '/api/v1', '/openapi/v3'])
      expect((await anybody('GET', path, token)).status).toBe(200);
    expect(await anybody('GET', pods, token)).toMatchObject({
      status: 403,
      body: {
        reason: 'Forbidden',
        message: `pods is forbidden: User "${name}" cannot list resource "pods" in API group "" in the namespace "default"`,
      },
    });
    expect((await anybody('GET', '/metrics', token)).body).toMatchObject({
      message: `forbidden: User "${name}" cannot get path "/metrics"`,
    });
    const keys = await anybody('GET', '/openid/v1/jwks', token);
    expect(keys).toMatchObject({ status: 200, contentType: 'application/jwk-set+json', body: { keys: [{ kty: 'EC', alg: 'ES256' }] } });
    expect((await anybody('GET', '/.well-known/openid-configuration', token)).body).toMatchObject({
      issuer: 'https://kubernetes.default.svc.cluster.local',
      jwks_uri: `${cluster.url}/openid/v1/jwks`,
    });
    expect((await anybody('GET', '/.well-known/other', token)).status).toBe(403);
  });

  test('for another audience, changed, or of an account that is gone, is refused with nothing said', async () => {
    const token = await newToken();
    const wrong = [await newToken({ audiences: ['vault'] }), `${token.slice(0, -4)}AAAA`, 'nonsense'];
    for (const bad of wrong) expect(await anybody('GET', '/version', bad)).toMatchObject(unauthorized);
    await cluster.client.create(serviceAccounts, { metadata: { name: 'leaving', namespace: 'default' } });
    const gone = await admin('POST', '/api/v1/namespaces/default/serviceaccounts/leaving/token', { spec: {} });
    await cluster.client.delete(serviceAccounts, { name: 'leaving', namespace: 'default' });
    await untilRefused((gone.body.status as { token: string }).token);
  });

  test('stands above the certificate of the connection', async () => {
    const token = await newToken();
    expect(await admin('GET', pods, undefined, { authorization: `Bearer ${token}` })).toMatchObject({ status: 403 });
  });

  test('is found in the discovery of the API', async () => {
    const { body } = await admin('GET', '/api/v1');
    expect((body.resources as { name: string }[]).find((each) => each.name === 'serviceaccounts/token')).toEqual({
      name: 'serviceaccounts/token',
      singularName: '',
      namespaced: true,
      group: 'authentication.k8s.io',
      version: 'v1',
      kind: 'TokenRequest',
      verbs: ['create'],
    });
  });
});

describe('a secret that asks for a token', () => {
  const ask = (named: string): Promise<Secret> =>
    cluster.client.create(secrets, {
      metadata: { name: named, namespace: 'default', annotations: { 'kubernetes.io/service-account.name': 'robot' } },
      type: 'kubernetes.io/service-account-token',
    });
  const tokenIn = (named: string): Promise<string> =>
    eventually(`the token in ${named}`, async () => {
      const { data } = await cluster.client.get(secrets, { name: named, namespace: 'default' });
      return data?.token === undefined ? undefined : Buffer.from(data.token, 'base64').toString();
    });

  test('is filled with one that holds as long as the secret', async () => {
    await ask('kept');
    const token = await tokenIn('kept');
    expect((await anybody('POST', whoami, token, review())).body.status).toMatchObject({ userInfo: { username: name } });
    const { data, metadata } = await cluster.client.get(secrets, { name: 'kept', namespace: 'default' });
    const account = await cluster.client.get(serviceAccounts, { name: 'robot', namespace: 'default' });
    expect(metadata.annotations?.['kubernetes.io/service-account.uid']).toBe(account.metadata.uid);
    expect(Buffer.from(data?.['ca.crt'] ?? '', 'base64').toString()).toBe(cluster.connection.certificateAuthority);
    expect(Buffer.from(data?.namespace ?? '', 'base64').toString()).toBe('default');
    await cluster.client.delete(secrets, { name: 'kept', namespace: 'default' });
    await untilRefused(token);
  });

  test('goes with its account', async () => {
    const account = { name: 'brief', namespace: 'default' };
    await cluster.client.create(serviceAccounts, { metadata: account });
    await cluster.client.create(secrets, {
      metadata: { ...account, annotations: { 'kubernetes.io/service-account.name': 'brief' } },
      type: 'kubernetes.io/service-account-token',
    });
    await tokenIn('brief');
    await cluster.client.delete(serviceAccounts, account);
    await eventually('the secret is gone', async () => ((await cluster.client.find(secrets, account)) === undefined ? true : undefined));
  });
});

test('an impersonated service account has its groups, and whoever may not impersonate it is told so', async () => {
  const as = { 'impersonate-user': name };
  const answer = await admin('POST', whoami, review(), as);
  expect(answer.body.status).toEqual({
    userInfo: { username: name, groups: ['system:serviceaccounts', 'system:serviceaccounts:default', 'system:authenticated'] },
  });
  const token = await newToken();
  const refused = await admin('POST', whoami, review(), { ...as, authorization: `Bearer ${token}` });
  expect(refused.body).toMatchObject({
    message: `serviceaccounts "robot" is forbidden: User "${name}" cannot impersonate resource "serviceaccounts" in API group "" in the namespace "default"`,
  });
});

describe('a certificate that was asked for', () => {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const key = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  const signerName = 'kubernetes.io/kube-apiserver-client';
  const ask = (named: string, commonName: string, organization: string, more: object = {}): Promise<CertificateSigningRequest> =>
    cluster.client.create(certificateSigningRequests, {
      metadata: { name: named },
      spec: {
        request: Buffer.from(createSigningRequest(privateKey, commonName, organization)).toString('base64'),
        signerName,
        usages: ['client auth'],
        ...more,
      },
    });
  const decide = (request: CertificateSigningRequest, type: 'Approved' | 'Denied'): Promise<CertificateSigningRequest> =>
    cluster.client.updateSubresource(
      certificateSigningRequests,
      { ...request, status: { conditions: [{ type, status: 'True', reason: 'Test', message: 'by a test' }] } },
      'approval',
    );

  test('authenticates once it was approved, for as long as was asked', async () => {
    const asked = await ask('jane', 'jane', 'team', { expirationSeconds: 600 });
    expect(asked.spec).toMatchObject({ username: 'berth-admin' });
    await decide(asked, 'Approved');
    const signed = await eventually('the certificate', async () => {
      const { status } = await cluster.client.get(certificateSigningRequests, { name: 'jane' });
      return status?.certificate;
    });
    const certificate = Buffer.from(signed, 'base64').toString();
    const session = openSession({ ...cluster.connection, clientCertificate: certificate, clientKey: key });
    try {
      const stream = session.request({ ':method': 'POST', ':path': whoami, 'content-type': 'application/json' });
      const answer = replyOf(stream);
      stream.end(JSON.stringify(review()));
      const { userInfo } = (JSON.parse((await answer).text) as { status: { userInfo: object } }).status;
      expect(userInfo).toEqual({
        username: 'jane',
        groups: ['team', 'system:authenticated'],
        extra: { 'authentication.kubernetes.io/credential-id': [expect.stringMatching(/^X509SHA256=[0-9a-f]{64}$/)] },
      });
    } finally {
      session.close();
    }
    const { validFrom, validTo } = new X509Certificate(certificate);
    // From a little before, because clocks differ.
    expect(Date.parse(validTo) - Date.parse(validFrom)).toBe(900_000);
  });

  test('is not made where it was denied, or for rights that nobody could take back', async () => {
    await decide(await ask('denied', 'joe', 'team'), 'Denied');
    await decide(await ask('after', 'jim', 'team'), 'Approved');
    await eventually('what was asked for later', async () => {
      const { status } = await cluster.client.get(certificateSigningRequests, { name: 'after' });
      return status?.certificate;
    });
    expect((await cluster.client.get(certificateSigningRequests, { name: 'denied' })).status?.certificate).toBeUndefined();
    await expect(ask('masters', 'eve', 'system:masters')).rejects.toMatchObject({
      reason: 'Forbidden',
      message:
        'certificatesigningrequests.certificates.k8s.io "masters" is forbidden: use of kubernetes.io/kube-apiserver-client signer with system:masters group is not allowed',
    });
  });
});

test('every namespace has an account and whom to trust, and has them again when they were deleted', async () => {
  const { client } = cluster;
  await client.create(namespaces, { metadata: { name: 'team' }, spec: {} });
  const defaults = [
    [serviceAccounts, { namespace: 'team', name: 'default' }],
    [configMaps, { namespace: 'team', name: 'kube-root-ca.crt' }],
  ] as const;
  for (const [resource, target] of defaults) {
    const { uid } = (await eventually(target.name, () => client.find<KubernetesObject>(resource, target))).metadata;
    await client.delete(resource, target);
    await eventually(`${target.name} again`, async () => {
      const found = await client.find<KubernetesObject>(resource, target);
      return found === undefined || found.metadata.uid === uid ? undefined : found;
    });
  }
  const trusted = await client.get(configMaps, { namespace: 'team', name: 'kube-root-ca.crt' });
  expect(trusted.data?.['ca.crt']).toBe(cluster.connection.certificateAuthority);
});
