import type { Stats } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { codeOf, messageOf } from '#base/errors';
import { makeFolders } from './make-folders.ts';
import { VolumeError, type VolumePlugin } from './volume-plugin.ts';

/** A path of the host itself; `type` says what must be there or may be made. */
export const hostPath: VolumePlugin = {
  name: 'hostPath',
  live: false,
  async setUp(volume) {
    const { path = '', type = '' } = volume.hostPath ?? {};
    await checkHostPath(path, type);
    return { hostPath: path, readOnly: false };
  },
};

const checks: Readonly<Record<string, { readonly what: string; readonly holds: (stats: Stats) => boolean }>> = {
  Directory: { what: 'a directory', holds: (stats) => stats.isDirectory() },
  File: { what: 'a file', holds: (stats) => stats.isFile() },
  Socket: { what: 'a socket', holds: (stats) => stats.isSocket() },
  CharDevice: { what: 'a character device', holds: (stats) => stats.isCharacterDevice() },
  BlockDevice: { what: 'a block device', holds: (stats) => stats.isBlockDevice() },
};

/** Throws `VolumeError`. */
export async function checkHostPath(path: string, type: string): Promise<void> {
  if (!path.startsWith('/')) throw new VolumeError(`hostPath "${path}" must be absolute`);
  if (path.split('/').includes('..')) throw new VolumeError(`hostPath "${path}" must not contain ".."`);
  if (type === 'DirectoryOrCreate') await makeFolder(path);
  if (type === 'FileOrCreate') await (await open(path, 'a', 0o644)).close();
  const check = checks[type === 'DirectoryOrCreate' ? 'Directory' : type === 'FileOrCreate' ? 'File' : type];
  try {
    const stats = await stat(path);
    if (check !== undefined && !check.holds(stats)) throw new VolumeError(`hostPath type check failed: ${path} is not ${check.what}`);
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error;
    if (check !== undefined) throw new VolumeError(`hostPath type check failed: ${path} does not exist on the node`);
    // No type: as with a plain bind mount, a folder is made.
    await makeFolder(path);
  }
}

async function makeFolder(path: string): Promise<void> {
  try {
    await makeFolders(path, 0o755);
  } catch (error) {
    throw new VolumeError(`hostPath "${path}" does not exist on the node, and cannot be made: ${messageOf(error)}`);
  }
}
