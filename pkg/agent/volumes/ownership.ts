import { chmod, chown, lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Pod } from '#api/shapes/types/core-v1';

/**
 * Gives a volume's content to the pod's `fsGroup` (nothing without one): group-owned, group-writable, folders passing the group on. With
 * `fsGroupChangePolicy: OnRootMismatch`, only if the top does not have it yet.
 */
export async function giveToGroup(directory: string, pod: Pod): Promise<void> {
  const { fsGroup, fsGroupChangePolicy } = pod.spec.securityContext ?? {};
  if (fsGroup === undefined) return;
  if (fsGroupChangePolicy === 'OnRootMismatch' && (await lstat(directory)).gid === fsGroup) return;
  await give(directory, fsGroup);
}

async function give(path: string, group: number): Promise<void> {
  const stat = await lstat(path);
  if (stat.isSymbolicLink()) return;
  if (stat.isDirectory()) for (const entry of await readdir(path)) await give(join(path, entry), group);
  await chown(path, -1, group);
  await chmod(path, (stat.mode & 0o7777) | (stat.isDirectory() ? 0o2770 : 0o660));
}
