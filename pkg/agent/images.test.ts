import { describe, expect, test } from '@jest/globals';
import type { Container, Pod, Secret } from '#api/shapes/types/core-v1';
import { ManualClock } from '#base/manual-clock';
import { createEvents, type RecordedEvent } from './events.ts';
import { createImages, credentialsFor, normalizeReference, pullPolicyOf } from './images.ts';
import { FakeRuntime } from './runtime/fake/fake-runtime.ts';
import type { FakeImage } from './runtime/fake/script.ts';

const pod: Pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'web', namespace: 'default', uid: 'u' }, spec: { containers: [] } };

function setUp(images: Record<string, FakeImage>) {
  const clock = new ManualClock();
  const events: RecordedEvent[] = [];
  const runtime = new FakeRuntime({ clock, script: { images } });
  const manager = createImages({
    runtime,
    clock,
    events: createEvents({ clock, publish: (event) => events.push(event) }),
    signal: new AbortController().signal,
  });
  let changes = 0;
  const changed = (): void => void changes++;
  const ensure = (container: Container, owner = pod) => manager.ensure({ pod: owner, container, pullSecrets: [], changed });
  return { clock, events, ensure, changes: () => changes };
}

const image = 'registry.example/app:1';

describe('an image', () => {
  test('that is present is used, and pulled again only when the policy says Always', async () => {
    const { ensure, clock, changes } = setUp({ [image]: { present: true } });
    expect(await ensure({ name: 'a', image })).toMatchObject({ state: 'Present' });
    expect(await ensure({ name: 'b', image, imagePullPolicy: 'Always' })).toMatchObject({ state: 'Pulling' });
    await clock.advance(1);
    expect(changes()).toBe(1);
    expect(await ensure({ name: 'b', image, imagePullPolicy: 'Always' })).toMatchObject({ state: 'Present' });
    expect(await ensure({ name: 'b', image, imagePullPolicy: 'Always' })).toMatchObject({ state: 'Pulling' });
  });

  test('that cannot be pulled says so first, then backs off, 10 s and 20 s', async () => {
    const { ensure, clock, events } = setUp({ [image]: { pullFailure: { code: 'NotFound', message: 'no such manifest' } } });
    const look = (): ReturnType<typeof ensure> => ensure({ name: 'a', image });
    await look();
    await clock.advance(1);
    expect(await look()).toMatchObject({ failure: { reason: 'ErrImagePull', message: 'no such manifest' } });
    const waiting = await look();
    expect(waiting).toMatchObject({ failure: { reason: 'ImagePullBackOff' } });
    expect(waiting.state === 'Failed' && waiting.failure.retryAt - clock.now()).toBeGreaterThan(9_000);
    await clock.advance(10_000);
    expect(await look()).toMatchObject({ state: 'Pulling' });
    await clock.advance(1);
    await look();
    const again = await look();
    expect(again.state === 'Failed' && again.failure.retryAt - clock.now()).toBeGreaterThan(19_000);
    expect(events.map(({ reason }) => reason)).toEqual(expect.arrayContaining(['Pulling', 'Failed', 'BackOff']));
  });

  test('that is never to be pulled, or has no name, is an error of its own', async () => {
    const { ensure } = setUp({});
    expect(await ensure({ name: 'a', image, imagePullPolicy: 'Never' })).toMatchObject({ failure: { reason: 'ErrImageNeverPull' } });
    expect(await ensure({ name: 'a', image: 'Not A Name' })).toMatchObject({ failure: { reason: 'InvalidImageName' } });
  });
});

describe('a reference', () => {
  test.each([
    ['nginx', 'docker.io/library/nginx:latest'],
    ['user/app', 'docker.io/user/app:latest'],
    ['localhost/app:2', 'localhost/app:2'],
    ['registry.example:5000/a/b', 'registry.example:5000/a/b:latest'],
    [`app@sha256:${'a'.repeat(64)}`, `docker.io/library/app@sha256:${'a'.repeat(64)}`],
  ])('%s is %s', (short, full) => {
    expect(normalizeReference(short)).toBe(full);
  });

  test.each(['', 'UPPER', 'a//b', 'a:', 'a b', 'a@sha256:zz'])('%p is none', (text) => {
    expect(() => normalizeReference(text)).toThrow('invalid reference format');
  });

  test('without a tag, or with latest, is pulled always', () => {
    expect(pullPolicyOf({ name: 'a', image: 'nginx' })).toBe('Always');
    expect(pullPolicyOf({ name: 'a', image: 'registry.example:5000/nginx' })).toBe('Always');
    expect(pullPolicyOf({ name: 'a', image: 'nginx:1' })).toBe('IfNotPresent');
  });
});

test('logins come from pull secrets, for the registry of the image alone', () => {
  const secret = (auths: object): Secret => ({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 's' },
    data: { '.dockerconfigjson': Buffer.from(JSON.stringify({ auths })).toString('base64') },
  });
  const secrets = [
    secret({ 'https://registry.example/v2/': { auth: Buffer.from('ann:pa:ss').toString('base64') } }),
    secret({ 'index.docker.io': { username: 'bob', password: 'x' } }),
    { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'broken' }, data: { '.dockerconfigjson': 'bm8=' } },
  ];
  expect(credentialsFor('registry.example/app:1', secrets)).toEqual([{ username: 'ann', password: 'pa:ss' }]);
  expect(credentialsFor('docker.io/library/nginx:1', secrets)).toEqual([{ username: 'bob', password: 'x' }]);
  expect(credentialsFor('other.example/app:1', secrets)).toEqual([undefined]);
});
