/**
 * Holds pods to what they may take of the node's disk: the `sizeLimit` of their empty folders and the `ephemeral-storage` limits of their containers
 * (what they write beside their volumes, and their logs). A pod that takes more is evicted. Only pods that have such limits cost anything.
 */
import { lstat, opendir } from 'node:fs/promises';
import { join } from 'node:path';
import { unitsOf } from '#api/quantity';
import type { EmptyDirVolumeSource, Pod } from '#api/shapes/types/core-v1';
import { messageOf } from '#base/errors';
import type { Runnable } from '#base/lifecycle';
import type { NodeContext } from './node-context.ts';
import { identityOf } from './pod.ts';
import type { PodWorkers } from './pod-workers.ts';
import { volumeDirectory } from './volumes/pod-volumes.ts';

export interface StorageLimitsOptions {
  readonly node: Pick<NodeContext, 'runtime' | 'directories' | 'clock' | 'log'>;
  readonly workers: Pick<PodWorkers, 'owned' | 'pod' | 'evict'>;
}

/** Between two looks, milliseconds. */
const interval = 10_000;
const ephemeral = 'ephemeral-storage';

export function createStorageLimits({ node, workers }: StorageLimitsOptions): Runnable {
  const look = async (): Promise<void> => {
    const limited = [...workers.owned].flatMap((uid) => workers.pod(uid) ?? []).filter(isLimited);
    const written = new Map<string, number>();
    if (limited.some(hasLimitedContainer)) {
      for (const { pod, name, diskUsedBytes } of await node.runtime.stats()) written.set(`${pod.uid}/${name}`, diskUsedBytes);
    }
    for (const pod of limited) {
      const { uid } = identityOf(pod);
      const message = await excess(pod, {
        folder: (volume) => diskUsage(volumeDirectory(node.directories.pod(uid), 'emptyDir', volume)),
        container: async (name) => (written.get(`${uid}/${name}`) ?? 0) + (await diskUsage(join(node.directories.logs(pod), name))),
      });
      if (message !== undefined) workers.evict(uid, message);
    }
  };
  return {
    name: 'storage limits',
    async run(signal) {
      while (!signal.aborted) {
        await look().catch((error: unknown) => node.log.warn('cannot see what pods take of the disk', { error: messageOf(error) }));
        await node.clock.sleep(interval, signal).catch(() => undefined);
      }
    },
  };
}

function isLimited(pod: Pod): boolean {
  return hasLimitedContainer(pod) || (pod.spec.volumes ?? []).some(({ emptyDir }) => diskLimitOf(emptyDir) !== undefined);
}

function hasLimitedContainer({ spec }: Pod): boolean {
  return spec.containers.some(({ resources }) => resources?.limits?.[ephemeral] !== undefined);
}

/** Of a folder in memory the kernel itself holds the limit. */
function diskLimitOf(emptyDir: EmptyDirVolumeSource | undefined): string | undefined {
  return emptyDir?.medium === 'Memory' || emptyDir?.sizeLimit === '0' ? undefined : emptyDir?.sizeLimit;
}

/** Bytes. */
export interface DiskUsage {
  folder(volume: string): Promise<number>;
  container(name: string): Promise<number>;
}

/** Which limit the pod is beyond, in Kubernetes' words; undefined: none. */
export async function excess(pod: Pod, usage: DiskUsage): Promise<string | undefined> {
  let total = 0;
  for (const { name, emptyDir } of pod.spec.volumes ?? []) {
    if (emptyDir === undefined || emptyDir.medium === 'Memory') continue;
    const used = await usage.folder(name);
    total += used;
    const limit = diskLimitOf(emptyDir);
    if (limit !== undefined && used > unitsOf(limit)) return `Usage of EmptyDir volume "${name}" exceeds the limit "${limit}".`;
  }
  if (!hasLimitedContainer(pod)) return undefined;
  let allowed = 0;
  for (const { name, resources } of pod.spec.containers) {
    const limit = resources?.limits?.[ephemeral];
    const used = await usage.container(name);
    total += used;
    if (limit !== undefined && used > unitsOf(limit)) return `Container ${name} exceeded its local ephemeral storage limit "${limit}".`;
    allowed += limit === undefined ? Number.POSITIVE_INFINITY : unitsOf(limit);
  }
  return total > allowed ? `Pod ephemeral local storage usage exceeds the total limit of containers ${allowed}.` : undefined;
}

/** What the files below a folder take of the disk, in bytes; of a missing one 0. What goes while it is looked at does not count. */
export async function diskUsage(path: string): Promise<number> {
  const stats = await lstat(path).catch(() => undefined);
  if (stats === undefined) return 0;
  let total = stats.blocks * 512;
  const entries = stats.isDirectory() ? await opendir(path).catch(() => undefined) : undefined;
  if (entries === undefined) return total;
  for await (const entry of entries) total += await diskUsage(join(path, entry.name));
  return total;
}
