import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { codeOf } from '#base/errors';

/**
 * Makes the folder and those above it that are missing; one that is there is left as it is. `path` is absolute. Rejects with the system's error.
 * Node's own `recursive` is not for paths that users give: where making a folder fails with ENOENT, as in /proc, it tries again for ever and keeps a
 * thread of the process.
 */
export async function makeFolders(path: string, mode: number): Promise<void> {
  try {
    await mkdir(path, { mode });
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return;
    const above = dirname(path);
    if (codeOf(error) !== 'ENOENT' || above === path) throw error;
    await makeFolders(above, mode);
    await mkdir(path, { mode }).catch((again: unknown) => {
      if (codeOf(again) !== 'EEXIST') throw again;
    });
  }
}
