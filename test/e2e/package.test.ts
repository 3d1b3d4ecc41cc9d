import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { repository } from '../harness/cluster.ts';
import { runCommand } from '../harness/commands.ts';

describe('the package that npm pack makes', () => {
  const folder = mkdtempSync(join(tmpdir(), 'berth-package-'));
  const berth = join(folder, 'global/bin/berth');
  let files: readonly string[];

  beforeAll(async () => {
    expect(await runCommand('npm', ['pack', '--silent', '--pack-destination', folder], { cwd: repository })).toMatchObject({ code: 0 });
    const archive = join(folder, readdirSync(folder).find((name) => name.endsWith('.tgz')) ?? '');
    files = (await runCommand('tar', ['tzf', archive])).stdout.split('\n');
    const install = ['install', '--global', '--prefix', join(folder, 'global'), archive];
    expect(await runCommand('npm', install, { timeout: 150_000 })).toMatchObject({ code: 0 });
  });

  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test('holds what runs and its documents, and no tests', () => {
    expect(files).toEqual(expect.arrayContaining(['package/README.md', 'package/docs/compatibility.md', 'package/dist/cmd/berth/main.js']));
    expect(files.filter((name) => /\.(test|suite|model)\.|\.map$/.test(name))).toEqual([]);
  });

  test('installed globally gives a berth that starts a server and speaks to it', async () => {
    const env = { ...process.env, BERTH_HOME: join(folder, 'home'), KUBECONFIG: '' };
    expect(await runCommand(berth, ['version', '--client'], { env })).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^Berth: \d/),
    });
    const script = `
      "$0" server --port 0 --agent-port 0 >"$BERTH_HOME.log" 2>&1 & server=$!
      for _ in $(seq 300); do grep -q ready "$BERTH_HOME.log" && break; sleep 0.1; done
      "$0" get namespaces -o name; code=$?
      kill $server; wait $server; exit $code`;
    expect(await runCommand('bash', ['-c', script, berth], { env })).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('namespace/default'),
    });
  });

  test('gives its testing entry to whoever imports it', async () => {
    const program = `
      import { startCluster } from 'berth/testing';
      const cluster = await startCluster();
      await cluster.stop();
      console.log('done');`;
    const cwd = join(folder, 'global/lib');
    expect(await runCommand(process.execPath, ['--input-type=module', '-e', program], { cwd })).toMatchObject({
      code: 0,
      stdout: 'done\n',
    });
  });
});
