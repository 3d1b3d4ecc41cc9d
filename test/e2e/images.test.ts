import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { buildImageArchive } from '#agent/runtime/images/image-archive';
import { secrets } from '#api/shapes/resources';
import type { Pod } from '#api/shapes/types/core-v1';
import { findStaticBusybox } from '../../hack/demo-image.ts';
import { missingForCluster, startTestCluster, type TestCluster } from '../harness/cluster.ts';
import { eventually } from '../harness/commands.ts';
import { missingForRegistry, registryUser, startRegistry, type TestRegistry } from '../harness/registry.ts';
import { openWorkbench, shell, sleeping, specOf, statusOf, type Workbench } from '../harness/workbench.ts';

const missing = missingForCluster() ?? missingForRegistry();

/** A shell, and a version by which two images of one name are told apart. */
async function buildVersion(folder: string, version: string): Promise<string> {
  const path = join(folder, `version-${version}.tar`);
  const archive = await buildImageArchive({
    reference: 'version:1',
    entries: [
      { path: '/bin/busybox', content: readFileSync(findStaticBusybox()!), mode: 0o755 },
      ...['sh', 'sleep', 'echo'].map((name) => ({ path: `/bin/${name}`, linkTo: 'busybox' })),
    ],
    command: ['sh', '-c', 'echo version $VERSION; exec sleep 3600'],
    environment: { PATH: '/bin', VERSION: version },
  });
  writeFileSync(path, archive);
  return path;
}

function waiting(reason: string) {
  return (pod: Pod): boolean => statusOf(pod)?.state?.waiting?.reason === reason;
}

(missing === undefined ? describe : describe.skip)('images on a node', () => {
  let cluster: TestCluster;
  let bench: Workbench;
  let open: TestRegistry;
  let closed: TestRegistry;
  let first: string;

  beforeAll(async () => {
    cluster = await startTestCluster({ demoImage: true });
    bench = await openWorkbench(cluster);
    [open, closed] = await Promise.all([startRegistry({ authenticated: false }), startRegistry({ authenticated: true })]);
    first = await buildVersion(cluster.home, '1');
    await Promise.all([open.push(first, 'common:1'), open.push(first, 'moving:1'), closed.push(first, 'private:1')]);
  });

  afterAll(async () => {
    bench?.close();
    await cluster?.stop();
    await open?.stop();
    await closed?.stop();
  });

  const plain = (image: string, imagePullPolicy?: string) =>
    specOf({ name: 'main', image, ...(imagePullPolicy === undefined ? {} : { imagePullPolicy }) });

  const login = (name: string, password: string) =>
    bench.client.create(secrets, {
      metadata: { name, namespace: 'default' },
      type: 'kubernetes.io/dockerconfigjson',
      data: {
        '.dockerconfigjson': Buffer.from(JSON.stringify({ auths: { [closed.host]: { username: registryUser.name, password } } })).toString(
          'base64',
        ),
      },
    });

  test.concurrent('Never: runs what is there, and asks no registry', async () => {
    await bench.start('never-there', specOf(shell(sleeping, { imagePullPolicy: 'Never' })));
    await bench.event('never-there', 'Pulled', /^Container image "berth.local\/hello:1" already present on machine$/);
    await bench.create('never-missing', plain(`${open.host}/common:none`, 'Never'));
    const pod = await bench.until('never-missing', 'is told why it waits', waiting('ErrImageNeverPull'));
    expect(statusOf(pod)?.state?.waiting?.message).toBe(
      `Container image "${open.host}/common:none" is not present with pull policy of Never`,
    );
    expect(pod.status?.phase).toBe('Pending');
    await bench.event('never-missing', 'ErrImageNeverPull');
  });

  test.concurrent('IfNotPresent: pulled once, then there', async () => {
    const image = `${open.host}/common:1`;
    const pod = await bench.start('pulled', plain(image, 'IfNotPresent'));
    await bench.event('pulled', 'Pulling', new RegExp(`^Pulling image "${image}"$`));
    await bench.event('pulled', 'Pulled', new RegExp(`^Successfully pulled image "${image}" in `));
    expect(statusOf(pod)?.imageID).toContain('sha256:');
    await bench.start('pulled-again', plain(image, 'IfNotPresent'));
    await bench.event('pulled-again', 'Pulled', /already present on machine$/);
  });

  test.concurrent('Always: follows the tag; IfNotPresent does not', async () => {
    const image = `${open.host}/moving:1`;
    await bench.start('moving-first', plain(image, 'Always'));
    await bench.says('moving-first', 'version 1\n');
    await open.push(await buildVersion(cluster.home, '2'), 'moving:1');
    await bench.start('moving-present', plain(image, 'IfNotPresent'));
    await bench.says('moving-present', 'version 1\n');
    await bench.start('moving-always', plain(image, 'Always'));
    await bench.says('moving-always', 'version 2\n');
    expect(statusOf((await bench.find('moving-first'))!)?.restartCount).toBe(0);
  });

  test.concurrent('a private registry: with no login, a wrong one, the right one', async () => {
    const image = `${closed.host}/private:1`;
    await login('right', registryUser.password);
    await login('wrong', 'guess');
    await Promise.all([
      bench.create('private-none', plain(image)),
      bench.create('private-wrong', { ...plain(image), imagePullSecrets: [{ name: 'wrong' }] }),
    ]);
    for (const name of ['private-none', 'private-wrong']) {
      const pod = await bench.until(name, 'is refused', (now) => /ImagePull/.test(statusOf(now)?.state?.waiting?.reason ?? ''));
      expect(statusOf(pod)?.state?.waiting?.message).toMatch(/authorization|authentication|unauthorized/i);
      await bench.event(name, 'Failed', new RegExp(`^Failed to pull image "${image}": .*(authorization|authentication|unauthorized)`, 'i'));
    }
    await bench.start('private-right', { ...plain(image), imagePullSecrets: [{ name: 'wrong' }, { name: 'right' }] });
    await bench.says('private-right', 'version 1\n');
  });

  test.concurrent('an image that does not exist: says so, backs off, and runs once it is there', async () => {
    const image = `${open.host}/late:1`;
    await bench.create('late', plain(image));
    const refused = await bench.until('late', 'says that the pull failed', waiting('ErrImagePull'));
    expect(statusOf(refused)?.state?.waiting?.message).toContain(`${open.host}/late:1`);
    expect(statusOf(refused)?.state?.waiting?.message).toMatch(/not found/);
    const backingOff = await bench.until('late', 'backs off', waiting('ImagePullBackOff'));
    expect(statusOf(backingOff)?.state?.waiting?.message).toMatch(new RegExp(`^Back-off pulling image "${image}".*not found`));
    await bench.event('late', 'Failed', /not found/);
    await bench.event('late', 'Failed', /^Error: ErrImagePull$/);
    await bench.event('late', 'BackOff', new RegExp(`^Back-off pulling image "${image}"`));
    await open.push(first, 'late:1');
    await bench.ready('late');
    const told = await eventually('its second pull is told', async () => {
      const all = await bench.eventsOf('late');
      return (all.find(({ reason }) => reason === 'Pulling')?.count ?? 1) > 1 ? all : undefined;
    });
    for (const reason of ['BackOff', 'Pulling']) expect(told.filter((event) => event.reason === reason)).toHaveLength(1);
  });

  test.concurrent('a registry that cannot be reached, and a name that is none', async () => {
    await bench.create('unreachable', plain('127.0.0.1:9/thing:1'));
    const pod = await bench.until('unreachable', 'says so', (now) => /ImagePull/.test(statusOf(now)?.state?.waiting?.reason ?? ''));
    expect(statusOf(pod)?.state?.waiting?.message).toMatch(/connection refused/);
    await bench.create('nonsense', plain('Not:A:Name'));
    const nonsense = await bench.until('nonsense', 'says so', waiting('InvalidImageName'));
    expect(statusOf(nonsense)?.state?.waiting?.message).toContain('Not:A:Name');
    await bench.event('nonsense', 'InspectFailed', /Not:A:Name/);
  });
});
