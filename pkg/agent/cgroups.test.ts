import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { Container, Pod } from '#api/shapes/types/core-v1';
import { openCgroups, podLimits } from './cgroups.ts';

const container = (name: string, limits?: Record<string, string>, requests?: Record<string, string>): Container => ({
  name,
  image: 'i',
  resources: { ...(limits === undefined ? {} : { limits }), ...(requests === undefined ? {} : { requests }) },
});

function podOf(containers: Container[], initContainers: Container[] = []): Pod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'web', namespace: 'default', uid: 'u1' },
    spec: { containers, initContainers },
  };
}

describe("a pod's limits", () => {
  test('are the sum of its containers’, or an init container’s if that is more', () => {
    const pod = podOf(
      [container('a', { cpu: '500m', memory: '64Mi' }), container('b', { cpu: '1', memory: '64Mi' })],
      [container('i', { cpu: '4', memory: '1Mi' })],
    );
    expect(podLimits(pod)).toEqual({ cpuShares: 4096, cpuQuota: 400_000, memoryBytes: 128 * 1024 ** 2 });
  });

  test('are none when one container has none', () => {
    expect(podLimits(podOf([container('a', { memory: '64Mi' }), container('b', undefined, { cpu: '100m' })]))).toEqual({
      cpuShares: 102,
      cpuQuota: undefined,
      memoryBytes: undefined,
    });
  });
});

describe('cgroups', () => {
  let root: string;
  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'agent-cgroups-'));
  });
  afterEach(() => rm(root, { recursive: true, force: true }));

  test('stand in every hierarchy under the class of the pod, and are gone afterwards, whatever the runtime made below', async () => {
    for (const hierarchy of ['cpu,cpuacct', 'memory', 'pids', 'cpuset']) await mkdir(join(root, hierarchy));
    const cgroups = await openCgroups({ mountPoint: root, parent: '/kubepods/berth-1' });
    const pod = podOf([container('a', undefined, { cpu: '100m' })]);
    expect(cgroups.pathOf(pod)).toBe('/kubepods/berth-1/burstable/podu1');
    await cgroups.create(pod);
    const path = 'kubepods/berth-1/burstable/podu1';
    expect(await readdir(join(root, 'memory', path))).toEqual([]);
    expect(await readdir(join(root, 'cpuset'))).toEqual([]);
    await mkdir(join(root, 'pids', path, 'container/deep'), { recursive: true });
    expect(await cgroups.list()).toEqual(['u1']);
    await cgroups.remove('u1');
    expect(await cgroups.list()).toEqual([]);
    await cgroups.removeParent();
    expect(await readdir(join(root, 'memory'))).toEqual([]);
  });

  test('of version 2 get weights and maxima where the kernel has the files', async () => {
    await writeFile(join(root, 'cgroup.controllers'), 'cpu memory pids');
    const path = join(root, 'kubepods/berth-1/podu1');
    await mkdir(path, { recursive: true });
    for (const file of ['cpu.weight', 'cpu.max', 'memory.max']) await writeFile(join(path, file), '');
    const cgroups = await openCgroups({ mountPoint: root, parent: '/kubepods/berth-1' });
    await cgroups.create(podOf([container('a', { cpu: '2', memory: '64Mi' })]));
    expect(await Promise.all(['cpu.weight', 'cpu.max', 'memory.max'].map((file) => readFile(join(path, file), 'utf8')))).toEqual([
      '79',
      '200000 100000',
      String(64 * 1024 ** 2),
    ]);
  });
});
