import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { openPki, type Pki } from '#apiserver/auth/pki';
import { systemClock } from '#base/clock';
import { silentLogger } from '#base/logging';
import { MemoryBackend } from '#storage/memory/memory-backend';
import { clusterKeysKey, openSharedPki } from './cluster-keys.ts';

let folder: string;
let backend: MemoryBackend;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'berth-cluster-keys-'));
  backend = new MemoryBackend();
});
afterEach(async () => {
  await backend.close();
  await rm(folder, { recursive: true });
});

const home = (name: string): string => join(folder, name);
async function open(name: string, token?: string): Promise<Pki> {
  const directory = join(home(name), 'pki');
  const pki = { directory, hosts: ['localhost'], clock: systemClock };
  return await openSharedPki({ home: home(name), directory, backend, token, log: silentLogger }, () => openPki(pki));
}
const tokenOf = async (name: string): Promise<string> => (await readFile(join(home(name), 'server-token'), 'utf8')).trim();
const pkiFile = (name: string, file: string): string => join(home(name), 'pki', file);

describe('the keys of a cluster', () => {
  test('come to a further server by the token, and are in the store in no form that can be read without it', async () => {
    const first = await open('a');
    const token = await tokenOf('a');
    expect((await stat(join(home('a'), 'server-token'))).mode & 0o777).toBe(0o600);
    const second = await open('b', token);
    expect(second.authority.certificatePem).toBe(first.authority.certificatePem);
    expect(second.tokenKey).toBe(first.tokenKey);
    expect((await stat(pkiFile('b', 'ca.key'))).mode & 0o777).toBe(0o600);
    expect(second.serving.privateKey).not.toBe(first.serving.privateKey);
    const stored = Buffer.from((await backend.get(clusterKeysKey)).item?.value ?? []).toString('latin1');
    for (const file of ['ca.key', 'sa.key']) {
      const lines = (await readFile(pkiFile('a', file), 'utf8')).split('\n').filter((line) => line !== '' && !line.startsWith('---'));
      for (const line of lines) {
        expect(stored).not.toContain(line);
        expect(stored).not.toContain(Buffer.from(line).toString('base64').slice(4, -4));
      }
    }
    expect(stored).not.toContain(token);
    // Known servers start without a token, and write nothing.
    const { revision } = await backend.get(clusterKeysKey);
    await rm(join(home('b'), 'server-token'));
    await open('a');
    await open('b');
    expect((await backend.get(clusterKeysKey)).revision).toBe(revision);
  });

  test('are refused to one with no token, a wrong one, or one that can be guessed, and nothing is left in its folder', async () => {
    await open('a');
    await expect(open('b')).rejects.toThrow('has servers already: start this one with --server-token-file');
    await expect(open('b', 'x'.repeat(40))).rejects.toThrow('the server token is not the one of the cluster');
    await expect(open('b', 'short')).rejects.toThrow('at least 32 characters');
    await expect(readdir(join(home('b'), 'pki'))).rejects.toMatchObject({ code: 'ENOENT' });
  });

  test('of another cluster are never put over those of this one, nor the other way round', async () => {
    await open('a');
    const token = await tokenOf('a');
    const store = backend;
    backend = new MemoryBackend();
    await open('b');
    await backend.close();
    backend = store;
    const before = await readFile(pkiFile('b', 'ca.key'), 'utf8');
    await expect(open('b', token)).rejects.toThrow('is not the authority of the cluster in the store');
    expect(await readFile(pkiFile('b', 'ca.key'), 'utf8')).toBe(before);
  });

  test('are those of one of them when several begin at once with one token; without one, the others say what to do', async () => {
    const token = 'a token that was chosen by its operator';
    const all = await Promise.all(['a', 'b', 'c'].map((name) => open(name, token)));
    expect(new Set(all.map(({ authority }) => authority.certificatePem)).size).toBe(1);
    expect(new Set(all.map(({ tokenKey }) => tokenKey)).size).toBe(1);
    backend = new MemoryBackend();
    const tried = await Promise.allSettled(['d', 'e'].map((name) => open(name)));
    const refused = tried.findIndex(({ status }) => status === 'rejected');
    expect(tried.filter(({ status }) => status === 'rejected')).toHaveLength(1);
    expect((tried[refused] as PromiseRejectedResult).reason).toMatchObject({ message: expect.stringContaining('--server-token-file') });
    const [loser, winner] = refused === 0 ? ['d', 'e'] : ['e', 'd'];
    await open(loser, await tokenOf(winner));
    expect(await tokenOf(loser)).toBe(await tokenOf(winner));
  });

  test('that a later version adds are added, and taken by those that have made their own', async () => {
    const first = await open('a');
    const token = await tokenOf('a');
    await open('b', token);
    await writeFile(pkiFile('b', 'sa.key'), (await open('a')).serving.privateKey);
    expect((await open('b')).tokenKey).toBe(first.tokenKey);
    // A server that was begun before there was such a record, and then has one.
    backend = new MemoryBackend();
    await rm(pkiFile('a', 'sa.key'));
    const again = await open('a');
    expect(again.authority.certificatePem).toBe(first.authority.certificatePem);
    expect((await open('b')).tokenKey).toBe(again.tokenKey);
  });

  test('that were cut short on their way to the folder are taken again', async () => {
    const first = await open('a');
    const token = await tokenOf('a');
    await open('b', token);
    await rm(pkiFile('b', 'ca.crt'));
    expect((await open('b', token)).authority.certificatePem).toBe(first.authority.certificatePem);
  });
});
