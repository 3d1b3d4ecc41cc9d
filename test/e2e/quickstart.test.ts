import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { missingForCluster, repository } from '../harness/cluster.ts';
import { type CommandResult, eventually, runCommand } from '../harness/commands.ts';
import { type MachinePicture, pictureMachine } from '../harness/machine.ts';

const missing = missingForCluster();
const folder = mkdtempSync(join(tmpdir(), 'berth-e2e-'));
const home = join(folder, 'home');
const env = { ...process.env, BERTH_HOME: home, NO_COLOR: '1' };

const quickstart = (...args: string[]): Promise<CommandResult> =>
  runCommand(join(repository, 'hack/quickstart'), args, { env, timeout: 400_000 });
const berth = (...args: string[]): Promise<CommandResult> =>
  runCommand(process.execPath, [join(repository, 'dist/cmd/berth/main.js'), ...args], { env });

interface PodList {
  readonly items: readonly {
    readonly metadata: { readonly name: string };
    readonly status: {
      readonly phase: string;
      readonly containerStatuses?: readonly { readonly containerID: string; readonly restartCount: number; readonly ready: boolean }[];
    };
  }[];
}

async function containerIds(): Promise<Record<string, string>> {
  const result = await berth('get', 'pods', '-o', 'json');
  if (result.code !== 0) throw new Error(result.stderr);
  const list = JSON.parse(result.stdout) as PodList;
  return Object.fromEntries(
    list.items.flatMap((pod) =>
      (pod.status.containerStatuses ?? []).map((status) => [
        pod.metadata.name,
        `${status.containerID} ${pod.status.phase} ${status.restartCount}`,
      ]),
    ),
  );
}

async function fetchPage(path = '/'): Promise<string> {
  const response = await fetch(`http://127.0.0.1:8080${path}`, { signal: AbortSignal.timeout(20_000), headers: { connection: 'close' } });
  if (!response.ok) throw new Error(`the page answered ${response.status}`);
  return await response.text();
}

(missing === undefined ? describe : describe.skip)('the quick start', () => {
  let before: MachinePicture;
  let first: CommandResult;
  let ids: Record<string, string>;

  beforeAll(async () => {
    before = await pictureMachine(home);
    first = await quickstart();
  }, 420_000);

  afterAll(async () => {
    await quickstart('--down');
    rmSync(folder, { recursive: true, force: true });
  });

  test('ends well, shows the page and what to try next', () => {
    expect(first).toMatchObject({ code: 0 });
    expect(first.stdout).toContain('The page at http://127.0.0.1:8080/ says:');
    expect(first.stdout).toContain('./hack/quickstart --down');
  });

  test('two fronts, the back end they waited for, and the finished one-shot are there', async () => {
    ids = await containerIds();
    expect(Object.keys(ids).toSorted()).toEqual(['hello-api-1', 'hello-prepare-1', 'hello-web-1', 'hello-web-2']);
    expect(ids['hello-prepare-1']).toContain('Succeeded');
    expect(await fetchPage()).toContain('Every ship has its berth');
  });

  test('the real kubectl works at once', async () => {
    const result = await runCommand('kubectl', ['get', 'stacks,pods'], { env: { ...env, KUBECONFIG: join(home, 'kubeconfig') } });
    expect(result).toMatchObject({ code: 0 });
    expect(result.stdout).toContain('stack.compose.berth.dev/hello');
  });

  test('run again, it changes nothing', async () => {
    expect(await quickstart()).toMatchObject({ code: 0 });
    expect(await containerIds()).toEqual(ids);
  });

  test.each(['server', 'agent', 'containerd', 'up'] as const)('a killed %s changes no container, and all is well again', async (name) => {
    const record = name === 'containerd' ? join(home, 'containerd/process.json') : join(home, 'run', `${name}.json`);
    const { readFileSync } = await import('node:fs');
    const { pid } = JSON.parse(readFileSync(record, 'utf8')) as { pid: number };
    process.kill(pid, 'SIGKILL');
    // Published ports need no process of ours; names need the agent, which is back within seconds.
    expect(await fetchPage('/healthz')).toBe('ok\n');
    if (name === 'up') expect(await berth('up', '--detach')).toMatchObject({ code: 0 });
    else {
      await eventually(`another ${name} runs`, async () => {
        const now = JSON.parse(readFileSync(record, 'utf8')) as { pid: number };
        return now.pid === pid ? undefined : true;
      });
    }
    await eventually('the node is ready and the server answers', async () => {
      const nodes = await berth('get', 'nodes', '--no-headers');
      return nodes.code === 0 && / Ready /.test(nodes.stdout) ? true : undefined;
    });
    expect(await containerIds()).toEqual(ids);
    await eventually('the page is whole', async () => ((await fetchPage()).includes('Every ship has its berth') ? true : undefined));
  });

  test('--down leaves nothing', async () => {
    expect(await quickstart('--down')).toMatchObject({ code: 0 });
    expect(existsSync(home)).toBe(false);
    expect(await pictureMachine(home)).toEqual(before);
  });
});
