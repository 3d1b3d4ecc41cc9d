/** Whom the server takes a client for, over real TLS: tokens of service accounts, and whom they may be shown instead. */
import { connect } from 'node:http2';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { serviceAccounts } from '#api/shapes/resources';
import { startCluster, type TestCluster } from '#server/testing';
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
  cluster = await startCluster({ components: { scheduler: false, controllers: false, dispatcher: false } });
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
    await cluster.client.create(serviceAccounts, { metadata: { name: 'leaving', namespace: 'default' } });
    const gone = await admin('POST', '/api/v1/namespaces/default/serviceaccounts/leaving/token', { spec: {} });
    await cluster.client.delete(serviceAccounts, { name: 'leaving', namespace: 'default' });
    wrong.push((gone.body.status as { token: string }).token);
    for (const bad of wrong) {
      expect(await anybody('GET', '/version', bad)).toMatchObject({
        status: 401,
        body: { reason: 'Unauthorized', message: 'Unauthorized' },
      });
    }
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
