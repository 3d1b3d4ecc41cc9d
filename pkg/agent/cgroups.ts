/**
 * The cgroups of pods, which CRI runtimes use and never remove: made with the pod's limits before its sandbox, removed after it. Below
 * one parent, with a folder for each class of service. Works on cgroup v1 (also hybrid) and v2.
 */
import { mkdir, readdir, rmdir, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { milliOf, unitsOf } from '#api/quantity';
import type { Pod } from '#api/shapes/types/core-v1';
import { codeOf } from '#base/errors';
import { sharesOf } from './container-config.ts';
import { identityOf, initContainersOf, isSidecar, qosClassOf } from './pod.ts';

export interface Cgroups {
  /** What the runtime is told; see `SandboxConfig.cgroupParent`. */
  pathOf(pod: Pod): string;
  /** Makes the pod's cgroup and sets its limits. */
  create(pod: Pod): Promise<void>;
  /** Removes the pod's cgroup, whatever its class; of a missing one: nothing. Throws while processes are in it. */
  remove(uid: string): Promise<void>;
  /** Removes the parent of all, for an agent that is taken off its machine. */
  removeParent(): Promise<void>;
  /** Uids of all pods that have one. */
  list(): Promise<readonly string[]>;
}

export interface CgroupsOptions {
  /** Where cgroups are mounted; `/sys/fs/cgroup` unless given. */
  readonly mountPoint?: string;
  /** The parent of all, this agent's alone: what is below it and belongs to no pod is removed. e.g. `/kubepods/berth-1a2b3c4d`. */
  readonly parent: string;
}

const parents = ['', 'burstable', 'besteffort'];
/** The v1 hierarchies in which pods have limits; the runtime makes what it needs in the others. */
const limiting = /[/,](cpu|memory)(,|$)/;

export async function openCgroups(options: CgroupsOptions): Promise<Cgroups> {
  const mountPoint = options.mountPoint ?? '/sys/fs/cgroup';
  const { parent } = options;
  const unified = await exists(join(mountPoint, 'cgroup.controllers'));
  const roots = unified ? [mountPoint] : await controllers(mountPoint);
  const path = (qos: string, uid: string): string => join(parent, qos, `pod${uid}`);
  const pathOf = (pod: Pod): string => {
    const qos = qosClassOf(pod);
    return path(qos === 'Guaranteed' ? '' : qos.toLowerCase(), identityOf(pod).uid);
  };
  return {
    pathOf,
    async create(pod) {
      const limits = podLimits(pod);
      if (unified) await createUnified(mountPoint, pathOf(pod), limits);
      else for (const root of roots) if (limiting.test(root)) await createSplit(root, pathOf(pod), limits);
    },
    async remove(uid) {
      for (const root of roots) for (const qos of parents) await removeTree(join(root, path(qos, uid)));
    },
    async removeParent() {
      for (const root of roots) {
        await removeTree(join(root, parent));
        // What is above it may be others' too: it goes only if nothing is left in it.
        for (let above = dirname(parent); above !== '/' && above !== '.'; above = dirname(above))
          await rmdir(join(root, above)).catch(() => undefined);
      }
    },
    async list() {
      const found = new Set<string>();
      for (const root of roots) {
        for (const qos of parents) {
          for (const entry of await readdir(join(root, parent, qos)).catch(() => []))
            if (entry.startsWith('pod')) found.add(entry.slice(3));
        }
      }
      return [...found];
    },
  };
}

/** For simulated nodes: names without anything behind them. */
export const noCgroups: Cgroups = {
  pathOf: (pod) => `/kubepods/pod${identityOf(pod).uid}`,
  create: async () => undefined,
  remove: async () => undefined,
  removeParent: async () => undefined,
  list: async () => [],
};

interface PodLimits {
  readonly cpuShares: number;
  /** Microseconds in each 100 ms; undefined: not bounded. */
  readonly cpuQuota: number | undefined;
  readonly memoryBytes: number | undefined;
}

/** Sums over the containers; a pod in which one has no limit has none. Init containers run before, so the larger of both counts. */
export function podLimits(pod: Pod): PodLimits {
  const running = [...pod.spec.containers, ...initContainersOf(pod).filter(isSidecar)];
  const sum = (of: 'requests' | 'limits', resource: string, read: (text: string) => number): number | undefined => {
    let total = 0;
    for (const { resources } of running) {
      const value = resources?.[of]?.[resource] ?? (of === 'requests' ? resources?.limits?.[resource] : undefined);
      if (value === undefined && of === 'limits') return undefined;
      total += value === undefined ? 0 : read(value);
    }
    let largest = total;
    for (const { resources } of initContainersOf(pod)) {
      const value = resources?.[of]?.[resource] ?? (of === 'requests' ? resources?.limits?.[resource] : undefined);
      if (value === undefined && of === 'limits') return undefined;
      if (value !== undefined) largest = Math.max(largest, read(value));
    }
    return largest;
  };
  const cpu = sum('limits', 'cpu', milliOf);
  const memory = sum('limits', 'memory', unitsOf);
  return {
    cpuShares: sharesOf(sum('requests', 'cpu', milliOf) ?? 0),
    cpuQuota: cpu === undefined || cpu === 0 ? undefined : Math.max(1000, cpu * 100),
    memoryBytes: memory === undefined || memory === 0 ? undefined : memory,
  };
}

async function createSplit(root: string, path: string, limits: PodLimits): Promise<void> {
  const directory = join(root, path);
  await mkdir(directory, { recursive: true });
  await write(join(directory, 'cpu.shares'), String(limits.cpuShares));
  if (limits.cpuQuota !== undefined) {
    await write(join(directory, 'cpu.cfs_period_us'), '100000');
    await write(join(directory, 'cpu.cfs_quota_us'), String(limits.cpuQuota));
  }
  if (limits.memoryBytes !== undefined) await write(join(directory, 'memory.limit_in_bytes'), String(limits.memoryBytes));
}

async function createUnified(root: string, path: string, limits: PodLimits): Promise<void> {
  let directory = root;
  for (const part of path.split('/').filter((name) => name !== '')) {
    await write(join(directory, 'cgroup.subtree_control'), '+cpu +memory +pids +io +cpuset').catch(() =>
      write(join(directory, 'cgroup.subtree_control'), '+cpu +memory +pids'),
    );
    directory = join(directory, part);
    await mkdir(directory, { recursive: true });
  }
  // The kernel's own conversion of shares into weights.
  await write(join(directory, 'cpu.weight'), String(Math.floor(1 + ((limits.cpuShares - 2) * 9999) / 262_142)));
  if (limits.cpuQuota !== undefined) await write(join(directory, 'cpu.max'), `${limits.cpuQuota} 100000`);
  if (limits.memoryBytes !== undefined) await write(join(directory, 'memory.max'), String(limits.memoryBytes));
}

/** A file that this hierarchy does not have is not there: the limit belongs to another controller. */
async function write(path: string, value: string): Promise<void> {
  if (await exists(path)) await writeFile(path, value);
}

/** The mounted v1 hierarchies (`cpu,cpuacct` is one), and `unified` in hybrid mode: each pod has a folder in every one. */
async function controllers(mountPoint: string): Promise<string[]> {
  const entries = await readdir(mountPoint, { withFileTypes: true }).catch(() => []);
  return entries.filter((entry) => entry.isDirectory()).map((entry) => join(mountPoint, entry.name));
}

async function removeTree(directory: string): Promise<void> {
  const entries = await readdir(directory, { withFileTypes: true }).catch(() => undefined);
  if (entries === undefined) return;
  for (const entry of entries) if (entry.isDirectory()) await removeTree(join(directory, entry.name));
  try {
    await rmdir(directory);
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error;
  }
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
