import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { connectionOf, kubeconfigPaths, loadKubeconfig, saveConnection } from './kubeconfig.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'berth-kubeconfig-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const connection = {
  server: 'https://127.0.0.1:6443',
  certificateAuthority: 'CA',
  clientCertificate: 'CERT',
  clientKey: 'KEY',
};

describe('a saved connection', () => {
  test('reads back as it was, from a file for the owner alone, and is not written twice', async () => {
    const path = join(folder, 'deep', 'kubeconfig');
    expect(await saveConnection(path, 'berth', connection, true)).toBe(true);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect(await connectionOf(await loadKubeconfig([path]))).toEqual(connection);
    expect(await saveConnection(path, 'berth', connection, true)).toBe(false);
  });

  test('leaves what else is in the file, and the current context unless asked', async () => {
    const path = join(folder, 'config');
    await saveConnection(path, 'other', { server: 'https://other', token: 't' }, true);
    await writeFile(path, `${await readFile(path, 'utf8')}preferences: {colors: true}\n`);
    await saveConnection(path, 'berth', connection, false);
    const config = await loadKubeconfig([path]);
    expect(config.currentContext).toBe('other');
    expect(await connectionOf(config)).toEqual({ server: 'https://other', token: 't' });
    expect(await connectionOf(config, 'berth')).toEqual(connection);
    expect(await readFile(path, 'utf8')).toContain('colors: true');
  });
});

describe('several files', () => {
  test('are merged, the first that names a thing wins, missing ones are left out', async () => {
    const [first, second] = [join(folder, 'a'), join(folder, 'b')];
    await saveConnection(first, 'x', { server: 'https://first' }, true);
    await saveConnection(second, 'x', { server: 'https://second' }, true);
    await saveConnection(second, 'y', { server: 'https://y' }, true);
    const config = await loadKubeconfig([join(folder, 'missing'), first, second]);
    expect(config.currentContext).toBe('x');
    expect(await connectionOf(config)).toEqual({ server: 'https://first' });
    expect(await connectionOf(config, 'y')).toEqual({ server: 'https://y' });
  });

  test('come from the flag, the environment, or the defaults', () => {
    expect(kubeconfigPaths('given', 'a:b', ['d'])).toEqual(['given']);
    expect(kubeconfigPaths(undefined, 'a::b', ['d'])).toEqual(['a', 'b']);
    expect(kubeconfigPaths(undefined, '', ['d'])).toEqual(['d']);
  });
});

describe('files that a kubeconfig refers to', () => {
  test('are found beside it', async () => {
    await writeFile(join(folder, 'ca.pem'), 'PEM');
    await writeFile(join(folder, 'token'), 'secret\n');
    const path = join(folder, 'config');
    await writeFile(
      path,
      `clusters: [{name: c, cluster: {server: 'https://s', certificate-authority: ca.pem}}]
users: [{name: u, user: {tokenFile: token}}]
contexts: [{name: k, context: {cluster: c, user: u, namespace: n}}]
current-context: k
`,
    );
    expect(await connectionOf(await loadKubeconfig([path]))).toEqual({
      server: 'https://s',
      certificateAuthority: 'PEM',
      token: 'secret',
      namespace: 'n',
    });
  });
});

describe('what cannot be used', () => {
  test.each([
    ['', /sets no current-context/],
    ['current-context: k', /has no context "k"; it has: none/],
    ['{current-context: k, contexts: [{name: k, context: {cluster: c}}]}', /has no cluster "c"/],
    ['{current-context: k, contexts: [{name: k, context: {cluster: c}}], clusters: [{name: c}]}', /cluster "c" has no server/],
    [
      '{current-context: k, contexts: [{name: k, context: {cluster: c, user: u}}], clusters: [{name: c, cluster: {server: s}}], users: [{name: u, user: {exec: {}}}]}',
      /signs in by exec, which is not supported/,
    ],
    ['clusters: 5', /clusters must be a list/],
    ['a: [', /config: /],
    ['- a', /is a mapping/],
  ])('%s', async (content, message) => {
    const path = join(folder, 'config');
    await writeFile(path, content);
    await expect(loadKubeconfig([path]).then((config) => connectionOf(config))).rejects.toThrow(message);
  });
});
