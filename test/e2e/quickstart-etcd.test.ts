/** The quick start on an etcd of its own, and the move of the running cluster from there into Berth's own file. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { missingForCluster, repository } from '../harness/cluster.ts';
import { type CommandResult, eventually, runCommand } from '../harness/commands.ts';
import { missingForEtcd } from '../harness/etcd.ts';
import { type MachinePicture, pictureMachine } from '../harness/machine.ts';

const missing = missingForCluster() ?? missingForEtcd();
const folder = mkdtempSync(join(tmpdir(), 'berth-e2e-'));
const home = join(folder, 'home');
const env = { ...process.env, BERTH_HOME: home, NO_COLOR: '1' };
const etcd = ['--store', 'etcd', '--etcd-endpoints', `unix://${home}/etcd/client:0`];

const quickstart = (...args: string[]): Promise<CommandResult> =>
  runCommand(join(repository, 'hack/quickstart'), args, { env, timeout: 400_000 });
const berth = (...args: string[]): Promise<CommandResult> =>
  runCommand(process.execPath, [join(repository, 'dist/cmd/berth/main.js'), ...args], { env, timeout: 120_000 });
const etcdPid = (): number => Number(readFileSync(join(home, 'etcd/pid'), 'utf8'));

/** Each container's id, by its pod; and how often it was started. */
async function containers(): Promise<string> {
  const path =
    '{range .items[*]}{.metadata.name} {.status.containerStatuses[*].containerID} {.status.containerStatuses[*].restartCount}{"\\n"}{end}';
  const result = await berth('get', 'pods', '-o', `jsonpath=${path}`);
  if (result.code !== 0) throw new Error(result.stderr);
  return result.stdout;
}

(missing === undefined ? describe : describe.skip)('the quick start on etcd', () => {
  let before: MachinePicture;
  let made: string;

  beforeAll(async () => {
    before = await pictureMachine(home);
    expect(await quickstart('--store', 'etcd')).toMatchObject({ code: 0 });
    made = await containers();
  }, 420_000);

  afterAll(async () => {
    await quickstart('--down');
    rmSync(folder, { recursive: true, force: true });
  });

  test('keeps the cluster in etcd alone, where only root can read it', async () => {
    expect(made.trim().split('\n')).toHaveLength(4);
    expect(existsSync(join(home, 'server/store.db'))).toBe(false);
    expect(await berth('store', 'export', join(home, 'refused'), ...etcd)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('a server runs here'),
    });
    const { stdout } = await runCommand('stat', ['-c', '%a %U', join(home, 'etcd')]);
    expect(stdout.trim()).toBe('700 root');
  });

  test('a killed etcd ends neither server nor containers; run again, the quick start brings it back', async () => {
    const server = readFileSync(join(home, 'run/server.json'), 'utf8');
    process.kill(etcdPid(), 'SIGKILL');
    expect(await quickstart()).toMatchObject({ code: 0 });
    expect(readFileSync(join(home, 'run/server.json'), 'utf8')).toBe(server);
    expect(await containers()).toBe(made);
    expect(await quickstart('--store', 'sqlite')).toMatchObject({ code: 1, stderr: expect.stringContaining('is kept in etcd') });
  });

  test('the cluster moves into a file while its containers run', async () => {
    const file = join(home, 'cluster.export');
    for (const args of [['down'], ['store', 'export', file], ['store', 'import', file, '--store', 'sqlite'], ['up', '--detach']]) {
      expect(await berth(...args)).toMatchObject({ code: 0 });
    }
    await eventually(
      'the node is ready',
      async () => (/ Ready /.test((await berth('get', 'nodes', '--no-headers')).stdout) ? true : undefined),
      120_000,
    );
    expect(await containers()).toBe(made);
    // Names are answered by the agent, which may be a moment behind the server.
    await eventually('the page is whole', async () => {
      const page = await fetch('http://127.0.0.1:8080/', { signal: AbortSignal.timeout(20_000), headers: { connection: 'close' } });
      return (await page.text()).includes('Every ship has its berth') ? true : undefined;
    });
    // The agent takes what the moved store says: a pod that goes is replaced.
    expect(await berth('delete', 'pod', 'hello-web-1')).toMatchObject({ code: 0 });
    await eventually('it is replaced', async () => {
      const now = await containers();
      return now !== made && now.includes('hello-web-1 containerd://') ? true : undefined;
    });
  }, 300_000);

  test('--down ends etcd, too, and leaves nothing', async () => {
    const pid = etcdPid();
    expect(await quickstart('--down')).toMatchObject({ code: 0 });
    expect(existsSync(home)).toBe(false);
    // Whoever inherited it takes note of its end in its own time.
    await eventually('etcd has ended', async () => (existsSync(`/proc/${pid}`) ? undefined : true));
    expect(await pictureMachine(home)).toEqual(before);
  });
});
