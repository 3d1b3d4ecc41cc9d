/**
 * Writes a set of files so that a reader sees all of the old or all of the new: the files stand in a folder with a time in its name, `..data` is
 * a link to it that is replaced in one step, and what a container opens are links through `..data`.
 */
import { chmod, chown, mkdir, mkdtemp, readdir, readFile, readlink, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { codeOf } from '#base/errors';
import type { Payload } from './payload.ts';

const dataLink = '..data';

/** Returns whether anything was written: what is there already with the same content stays untouched. */
export async function writeAtomically(directory: string, payload: Payload, group: number | undefined): Promise<boolean> {
  await mkdir(directory, { recursive: true, mode: 0o755 });
  const old = await readlink(join(directory, dataLink)).catch(() => undefined);
  if (old !== undefined && (await hasExactly(join(directory, old), payload))) return false;

  const fresh = await mkdtemp(join(directory, '..version_'));
  await chmod(fresh, 0o755);
  for (const [path, { content, mode }] of payload) {
    const target = join(fresh, path);
    await mkdir(dirname(target), { recursive: true, mode: 0o755 });
    await writeFile(target, content);
    if (group !== undefined) await chown(target, -1, group);
    // After chown, which may clear bits; a group that is to read gets to read.
    await chmod(target, group === undefined ? mode : mode | 0o040);
  }

  const next = join(directory, '..data_next');
  await rm(next, { force: true });
  await symlink(fresh.slice(directory.length + 1), next);
  await rename(next, join(directory, dataLink));

  const tops = new Set([...payload.keys()].map((path) => path.split('/')[0]!));
  for (const top of tops) {
    await symlink(join(dataLink, top), join(directory, top)).catch((error: unknown) => {
      if (codeOf(error) !== 'EEXIST') throw error;
    });
  }
  for (const entry of await readdir(directory)) {
    const keep = entry.startsWith('..') ? entry === dataLink || join(directory, entry) === fresh : tops.has(entry);
    if (!keep) await rm(join(directory, entry), { recursive: true, force: true });
  }
  return true;
}

async function hasExactly(directory: string, payload: Payload): Promise<boolean> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true }).catch(() => []);
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name).slice(directory.length + 1));
  if (files.length !== payload.size) return false;
  for (const path of files) {
    const wanted = payload.get(path);
    if (wanted === undefined || !(await readFile(join(directory, path))).equals(wanted.content)) return false;
  }
  return true;
}
