import { chmodSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { makeFolders } from './make-folders.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'make-folders-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

test('makes what is missing, also when several do at once, and leaves what is there', async () => {
  const path = join(folder, 'a/b/c');
  await Promise.all([makeFolders(path, 0o700), makeFolders(path, 0o700), makeFolders(join(folder, 'a/b/d'), 0o700)]);
  expect(statSync(path).mode & 0o777).toBe(0o700);
  chmodSync(path, 0o755);
  await makeFolders(path, 0o700);
  expect(statSync(path).mode & 0o777).toBe(0o755);
});

test('rejects where nothing can be made, and does not try for ever', async () => {
  await expect(makeFolders('/proc/none/below', 0o755)).rejects.toMatchObject({ code: 'ENOENT' });
  await expect(makeFolders('/proc/none', 0o755)).rejects.toMatchObject({ code: 'ENOENT' });
  writeFileSync(join(folder, 'file'), '');
  await expect(makeFolders(join(folder, 'file/below'), 0o755)).rejects.toMatchObject({ code: 'ENOTDIR' });
});
