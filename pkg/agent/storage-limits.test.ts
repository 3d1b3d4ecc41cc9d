import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import type { Pod, PodSpec } from '#api/shapes/types/core-v1';
import { diskUsage, excess } from './storage-limits.ts';

function pod(spec: Partial<PodSpec>): Pod {
  return { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'p', namespace: 'default', uid: 'u' }, spec: { containers: [], ...spec } };
}

const using = (bytes: Readonly<Record<string, number>>) => ({
  folder: async (name: string) => bytes[name] ?? 0,
  container: async (name: string) => bytes[name] ?? 0,
});

describe('what a pod takes of the disk', () => {
  const limit = (value: string) => ({ resources: { limits: { 'ephemeral-storage': value } } });

  test.each<[string, Partial<PodSpec>, Record<string, number>, string | undefined]>([
    ['a folder within its limit', { volumes: [{ name: 'v', emptyDir: { sizeLimit: '1Ki' } }] }, { v: 1024 }, undefined],
    [
      'a folder beyond it',
      { volumes: [{ name: 'v', emptyDir: { sizeLimit: '1Ki' } }] },
      { v: 1025 },
      'Usage of EmptyDir volume "v" exceeds the limit "1Ki".',
    ],
    ['a folder in memory', { volumes: [{ name: 'v', emptyDir: { medium: 'Memory', sizeLimit: '1' } }] }, { v: 2 }, undefined],
    ['a folder without a limit', { volumes: [{ name: 'v', emptyDir: {} }] }, { v: 1e9 }, undefined],
    [
      'a container beyond its limit',
      { containers: [{ name: 'c', ...limit('1k') }] },
      { c: 1001 },
      'Container c exceeded its local ephemeral storage limit "1k".',
    ],
    [
      'all of it together',
      { containers: [{ name: 'c', ...limit('1k') }], volumes: [{ name: 'v', emptyDir: {} }] },
      { c: 600, v: 600 },
      'Pod ephemeral local storage usage exceeds the total limit of containers 1000.',
    ],
    ['a container without a limit', { containers: [{ name: 'c', ...limit('1k') }, { name: 'free' }] }, { c: 10, free: 1e9 }, undefined],
  ])('%s', async (_, spec, bytes, expected) => {
    expect(await excess(pod(spec), using(bytes))).toBe(expected);
  });

  test('is counted by the blocks of its files, at any depth', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'disk-usage-'));
    try {
      const before = await diskUsage(folder);
      await mkdir(join(folder, 'a/b'), { recursive: true });
      await writeFile(join(folder, 'a/b/file'), Buffer.alloc(1 << 20, 1));
      expect((await diskUsage(folder)) - before).toBeGreaterThanOrEqual(1 << 20);
      expect(await diskUsage(join(folder, 'missing'))).toBe(0);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
