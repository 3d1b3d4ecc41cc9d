/** Looks into the cgroups of this machine, whichever version it has. */
import { type Dirent, existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { codeOf } from '#base/errors';

const mountPoint = '/sys/fs/cgroup';

/** Folders of this pod, in every hierarchy. */
export function cgroupsOfPod(uid: string): string[] {
  const found: string[] = [];
  const look = (folder: string, depth: number): void => {
    for (const entry of entriesOf(folder)) {
      if (!entry.isDirectory()) continue;
      const path = join(folder, entry.name);
      if (entry.name === `pod${uid}`) found.push(path);
      else if (depth > 0) look(path, depth - 1);
    }
  };
  for (const root of hierarchies()) {
    const parent = join(root, 'kubepods');
    if (existsSync(parent)) look(parent, 3);
  }
  return found;
}

/** None of a folder that was removed while it was looked for: pods come and go. */
function entriesOf(folder: string): Dirent[] {
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return [];
    throw error;
  }
}

export interface CgroupLimits {
  readonly memoryBytes: number;
  /** Thousandths of a CPU. */
  readonly milliCpu: number;
}

/** What bounds the pod, or one of its containers. */
export function limitsOf(uid: string, containerId?: string): CgroupLimits {
  const folders = cgroupsOfPod(uid).map((folder) => (containerId === undefined ? folder : join(folder, containerId)));
  const read = (file: string): string | undefined => {
    const folder = folders.find((candidate) => existsSync(join(candidate, file)));
    return folder === undefined ? undefined : readFileSync(join(folder, file), 'utf8').trim();
  };
  const [quota, period] = (read('cpu.max') ?? `${read('cpu.cfs_quota_us')} ${read('cpu.cfs_period_us')}`).split(' ').map(Number);
  return {
    memoryBytes: Number(read('memory.max') ?? read('memory.limit_in_bytes')),
    milliCpu: (quota! * 1000) / period!,
  };
}

/** Process ids of a container, as this machine has them. */
export function processesOf(uid: string, containerId: string): number[] {
  for (const folder of cgroupsOfPod(uid)) {
    const file = join(folder, containerId, 'cgroup.procs');
    const found = existsSync(file)
      ? readFileSync(file, 'utf8')
          .split('\n')
          .filter((line) => line !== '')
      : [];
    if (found.length > 0) return found.map(Number);
  }
  return [];
}

/** Ids of the pod's containers (its sandbox too) that have processes. */
export function runningContainersOf(uid: string): string[] {
  const [folder] = cgroupsOfPod(uid);
  if (folder === undefined) return [];
  const entries = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  return entries.map(({ name }) => name).filter((id) => processesOf(uid, id).length > 0);
}

function hierarchies(): string[] {
  if (existsSync(join(mountPoint, 'cgroup.controllers'))) return [mountPoint];
  return readdirSync(mountPoint).map((name) => join(mountPoint, name));
}
