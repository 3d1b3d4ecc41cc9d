import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { namespaces, pods, secrets, serviceAccounts, tokenReviews } from '#api/shapes/resources';
import type { TokenRequest, TokenReview } from '#api/shapes/types/authentication-v1';
import type { ServiceAccount } from '#api/shapes/types/core-v1';
import { ManualClock } from '#base/manual-clock';
import type { WriteOptions } from '#client/transport';
import { administrator, type MemoryApi, startMemoryApi } from '../memory-api.ts';
import type { UserInfo } from '../request-context.ts';
import { generatePrivateKey } from './certificates.ts';
import { TokenSigner } from './token-signer.ts';

const issuer = 'https://kubernetes.default.svc.cluster.local';
const namespace = 'default';

describe('signed tokens', () => {
  const clock = new ManualClock();
  const privateKey = generatePrivateKey();
  const signer = new TokenSigner({ privateKey, issuer, clock });
  const subject = { namespace, serviceaccount: { name: 'robot', uid: 'u1' } };

  test('are read back as they were issued, by every server with the same key', () => {
    const { token, claims } = signer.issue(subject, ['a', 'b'], 600);
    const other = new TokenSigner({ privateKey, issuer, clock });
    expect(other.read(token)).toEqual(claims);
    expect(claims).toMatchObject({ sub: 'system:serviceaccount:default:robot', aud: ['a', 'b'], 'kubernetes.io': subject });
    expect(claims.exp - claims.iat).toBe(600);
  });

  test('are refused once any part is changed, or with another key, issuer or algorithm', () => {
    const { token } = signer.issue(subject, [issuer], 600);
    const [head = '', body = '', signature = ''] = token.split('.');
    const claims = JSON.parse(Buffer.from(body, 'base64url').toString()) as object;
    const changed = Buffer.from(JSON.stringify({ ...claims, sub: 'system:serviceaccount:default:other' })).toString('base64url');
    const none = Buffer.from('{"alg":"none"}').toString('base64url');
    const forged = new TokenSigner({ privateKey: generatePrivateKey(), issuer, clock }).issue(subject, [issuer], 600).token;
    const foreign = new TokenSigner({ privateKey, issuer: 'https://other', clock }).issue(subject, [issuer], 600).token;
    const wrong = [
      `${head}.${changed}.${signature}`,
      `${none}.${body}.`,
      `${head}.${body}.`,
      `${token}x.y`,
      forged,
      foreign,
      '',
      'a.b.c',
      '..',
      'x'.repeat(100_000),
    ];
    for (const bad of wrong) expect(() => signer.read(bad)).toThrow(expect.objectContaining({ reason: 'Unauthorized' }));
  });

  test('can be checked with the published keys alone', async () => {
    const { token } = signer.issue(subject, [issuer], 600);
    const [head = '', body = '', signature = ''] = token.split('.');
    const { keys } = signer.keySet() as { keys: Record<string, string>[] };
    expect(keys[0]).toMatchObject({
      alg: 'ES256',
      use: 'sig',
      kid: (JSON.parse(Buffer.from(head, 'base64url').toString()) as { kid: string }).kid,
    });
    const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
    const key = await crypto.subtle.importKey('jwk', keys[0]!, algorithm, false, ['verify']);
    const signed = Buffer.from(`${head}.${body}`);
    expect(await crypto.subtle.verify(algorithm, key, Buffer.from(signature, 'base64url'), signed)).toBe(true);
    expect(JSON.stringify(keys)).not.toContain('"d"');
  });
});

describe('tokens of service accounts', () => {
  let clock: ManualClock;
  let api: MemoryApi;

  beforeEach(async () => {
    clock = new ManualClock();
    api = startMemoryApi({ clock });
    await api.client().create(namespaces, { metadata: { name: namespace }, spec: {} });
    await api.client().create(serviceAccounts, { metadata: { name: 'robot', namespace } });
  });
  afterEach(() => api.stop());

  async function request(spec: Partial<TokenRequest['spec']> = {}, more: object = {}, options: WriteOptions = {}): Promise<TokenRequest> {
    const object = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', metadata: {}, spec, ...more };
    const target = { resource: serviceAccounts, namespace, name: 'robot', subresource: 'token' };
    const answer = await api.verbs.send({ user: administrator, warn: () => undefined }, { verb: 'create', ...target, object, options });
    if (answer.type !== 'object') throw new Error('no object');
    return answer.object.object as TokenRequest;
  }

  const tokenFor = async (spec: Partial<TokenRequest['spec']> = {}): Promise<string> => (await request(spec)).status?.token ?? '';

  async function review(token: string, audiences?: string[]): Promise<TokenReview['status']> {
    const made = await api
      .client()
      .create(tokenReviews, { metadata: {}, spec: { token, ...(audiences === undefined ? {} : { audiences }) } });
    return made.status;
  }

  /** What is gone may be seen for a moment still. */
  async function untilRefused(token: string, why: RegExp): Promise<void> {
    for (let turn = 0; turn < 1000 && (await review(token))?.authenticated === true; turn++)
      await new Promise((resolve) => setImmediate(resolve));
    expect(await review(token)).toEqual({ user: {}, error: expect.stringMatching(why) });
  }

  const account = (): Promise<ServiceAccount> => api.client().get(serviceAccounts, { name: 'robot', namespace });

  test('are for the API and an hour unless asked otherwise', async () => {
    const { spec, status } = await request();
    expect(spec).toEqual({ audiences: [issuer], expirationSeconds: 3600 });
    expect(Date.parse(status?.expirationTimestamp ?? '')).toBe(Math.floor(clock.now() / 1000) * 1000 + 3_600_000);
    expect(await review(status?.token ?? '')).toEqual({
      authenticated: true,
      audiences: [issuer],
      user: {
        username: 'system:serviceaccount:default:robot',
        uid: (await account()).metadata.uid,
        groups: ['system:serviceaccounts', 'system:serviceaccounts:default', 'system:authenticated'],
        extra: { 'authentication.kubernetes.io/credential-id': [expect.stringMatching(/^JTI=[0-9a-f-]{36}$/)] },
      },
    });
  });

  test('end in their time', async () => {
    const token = await tokenFor({ expirationSeconds: 600 });
    await clock.advance(599_000);
    expect(await review(token)).toMatchObject({ authenticated: true });
    await clock.advance(1000);
    expect(await review(token)).toEqual({ user: {}, error: 'the token has expired' });
  });

  test('hold for their audiences alone', async () => {
    const token = await tokenFor({ audiences: ['vault', 'mail'] });
    expect(await review(token, ['mail', 'web'])).toMatchObject({ authenticated: true, audiences: ['mail'] });
    expect(await review(token)).toMatchObject({ error: expect.stringMatching(/for the audiences \["vault","mail"\]/) });
  });

  test('end with their account, also when there is one of its name again', async () => {
    const token = await tokenFor();
    await api.client().delete(serviceAccounts, { name: 'robot', namespace });
    await untilRefused(token, /ServiceAccount "robot".* is gone/);
    await api.client().create(serviceAccounts, { metadata: { name: 'robot', namespace } });
    expect(await review(token)).toMatchObject({ error: expect.stringMatching(/is gone/) });
    expect(await review(await tokenFor())).toMatchObject({ authenticated: true });
  });

  test('bound to a pod tell of it and end with it', async () => {
    const pod = await api.client().create(pods, {
      metadata: { name: 'p', namespace },
      spec: { serviceAccountName: 'robot', containers: [{ name: 'c', image: 'i' }] },
    });
    const token = await tokenFor({ boundObjectRef: { apiVersion: 'v1', kind: 'Pod', name: 'p' } });
    expect((await review(token))?.user?.extra).toMatchObject({
      'authentication.kubernetes.io/pod-name': ['p'],
      'authentication.kubernetes.io/pod-uid': [pod.metadata.uid],
    });
    await api.client().delete(pods, { name: 'p', namespace }, { gracePeriodSeconds: 0 });
    await untilRefused(token, /Pod "p".* is gone/);
  });

  test('bound to a secret end with it', async () => {
    await api.client().create(secrets, { metadata: { name: 's', namespace } });
    const token = await tokenFor({ boundObjectRef: { apiVersion: 'v1', kind: 'Secret', name: 's' } });
    expect(await review(token)).toMatchObject({ authenticated: true });
    await api.client().delete(secrets, { name: 's', namespace });
    await untilRefused(token, /Secret "s".* is gone/);
  });

  test('are refused in the words of Kubernetes', async () => {
    await api.client().create(pods, { metadata: { name: 'p', namespace }, spec: { containers: [{ name: 'c', image: 'i' }] } });
    await expect(request({ expirationSeconds: 300 })).rejects.toMatchObject({
      reason: 'Invalid',
      message:
        'TokenRequest.authentication.k8s.io "" is invalid: spec.expirationSeconds: Invalid value: 300: may not specify a duration less than 10 minutes',
    });
    await expect(request({ expirationSeconds: 2 ** 32 + 1 })).rejects.toMatchObject({ reason: 'Invalid' });
    const bound = (kind: string, name: string, uid?: string) =>
      request({ boundObjectRef: { apiVersion: 'v1', kind, name, ...(uid === undefined ? {} : { uid }) } });
    await expect(bound('Pod', 'none')).rejects.toMatchObject({ reason: 'NotFound', message: 'pods "none" not found' });
    await expect(bound('Pod', 'p')).rejects.toMatchObject({
      reason: 'BadRequest',
      message: 'cannot bind token for serviceaccount "robot" to pod running with different serviceaccount name "default".',
    });
    await expect(bound('ConfigMap', 'x')).rejects.toMatchObject({ message: 'cannot bind token to object of type v1, Kind=ConfigMap' });
    await api.client().create(secrets, { metadata: { name: 's', namespace } });
    await expect(bound('Secret', 's', 'other')).rejects.toMatchObject({ reason: 'Conflict' });
    await expect(request({}, { metadata: { name: 'other' } })).rejects.toMatchObject({
      message: 'the name of the object (other) does not match the name on the URL (robot)',
    });
  });

  test('of a dry run are none', async () => {
    expect((await request({}, {}, { dryRun: true })).status?.token).toBe('');
  });

  test('give no more rights than everyone has', async () => {
    const robot: UserInfo = {
      name: 'system:serviceaccount:default:robot',
      groups: ['system:serviceaccounts', 'system:serviceaccounts:default', 'system:authenticated'],
    };
    await expect(api.client(robot).list(pods, { namespace })).rejects.toMatchObject({
      reason: 'Forbidden',
      message:
        'pods is forbidden: User "system:serviceaccount:default:robot" cannot list resource "pods" in API group "" in the namespace "default"',
    });
    await expect(api.client(robot).create(tokenReviews, { metadata: {}, spec: { token: 'x' } })).rejects.toMatchObject({
      reason: 'Forbidden',
    });
  });
});
