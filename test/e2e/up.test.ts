import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { missingForCluster, repository } from '../harness/cluster.ts';
import { type CommandResult, eventually, runCommand } from '../harness/commands.ts';
import { freePorts } from '../harness/ports.ts';

const missing = missingForCluster();
const main = join(repository, 'dist/cmd/berth/main.js');

(missing === undefined ? describe : describe.skip)('berth up', () => {
  const folder = mkdtempSync(join(tmpdir(), 'berth-up-'));
  const home = join(folder, 'home');
  let ports: readonly number[];
  let up: ChildProcess;
  let printed = '';

  const environment = (berthHome: string): NodeJS.ProcessEnv => ({ ...process.env, BERTH_HOME: berthHome, KUBECONFIG: '', NO_COLOR: '1' });
  const berth = (args: readonly string[], berthHome = home): Promise<CommandResult> =>
    runCommand(process.execPath, [main, ...args], { env: environment(berthHome), timeout: 80_000 });
  const upOn = (port: number, agentPort: number, berthHome: string, ...more: string[]): Promise<CommandResult> =>
    berth(['up', '--detach', '--port', String(port), '--agent-port', String(agentPort), ...more], berthHome);
  const pidOf = (name: string): number => (JSON.parse(readFileSync(join(home, 'run', `${name}.json`), 'utf8')) as { pid: number }).pid;
  const processesOf = async (berthHome: string): Promise<string[]> => {
    const pids = (await runCommand('pgrep', ['-f', 'cmd/berth/main.js'])).stdout.split('\n').filter((line) => line !== '');
    return pids.filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0').includes(`BERTH_HOME=${berthHome}`);
      } catch {
        return false;
      }
    });
  };

  beforeAll(async () => {
    ports = await freePorts(4);
    up = spawn(process.execPath, [main, 'up', '--port', String(ports[0]), '--agent-port', String(ports[1])], {
      env: environment(home),
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [up.stdout, up.stderr]) stream?.on('data', (chunk: Buffer) => (printed += chunk.toString()));
    await eventually('the cluster is ready', async () => (printed.includes('Berth runs on this machine') ? true : undefined), 60_000);
  });

  afterAll(async () => {
    up.kill('SIGTERM');
    await berth(['down', '--purge']);
    rmSync(folder, { recursive: true, force: true });
  });

  test('in the foreground says that it is ready, and where things are', async () => {
    expect(printed).toBe(`Berth runs on this machine. Its kubeconfig is ${home}/kubeconfig; its logs are in ${home}/logs.\n`);
    expect((await berth(['get', 'nodes', '--no-headers'])).stdout).toMatch(/ Ready /);
  });

  test('a second one of the same home is refused, and --detach is content with the first', async () => {
    expect(await berth(['up', '--port', String(ports[0])])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining(`\`berth up\` already runs here (process ${up.pid})`),
    });
    expect(await upOn(ports[0]!, ports[1]!, home)).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('Berth runs on this machine already'),
    });
  });

  test('one of another home is told of the port that is taken, and leaves nothing', async () => {
    const other = join(folder, 'other');
    const result = await upOn(ports[0]!, ports[3]!, other);
    expect(result).toMatchObject({ code: 1, stdout: '' });
    expect(result.stderr).toContain(`error: port ${ports[0]} is in use by another program\n`);
    expect(result.stderr).toContain('with --port');
    expect(existsSync(other)).toBe(false);
    expect((await upOn(ports[2]!, ports[1]!, other)).stderr).toContain('with --agent-port');
  });

  test('a port of another program is told as well', async () => {
    const listener = createServer();
    await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
    const { port } = listener.address() as { port: number };
    try {
      expect((await upOn(port, ports[3]!, join(folder, 'other'))).stderr).toContain(`error: port ${port} is in use by another program`);
    } finally {
      listener.close();
    }
  });

  test('one of another home with the same addresses is told whose they are, and ended', async () => {
    const other = join(folder, 'same-addresses');
    const result = await upOn(ports[2]!, ports[3]!, other);
    try {
      expect(result.code).toBe(1);
      expect(result.stderr).toMatch(
        /the node did not become ready: .* the addresses 10\.42\.0\.0\/24 are in use on this machine: cni-\w+ has the address 10\.42\.0\.1\./,
      );
      expect(result.stderr).toContain('--cluster-cidr and --service-cidr');
      expect(await processesOf(other)).toEqual([]);
    } finally {
      await berth(['down', '--purge'], other);
    }
    expect(existsSync(other)).toBe(false);
  });

  test('a server that cannot start is told with its last words', async () => {
    const other = join(folder, 'broken');
    mkdirSync(other);
    writeFileSync(join(other, 'server'), 'not a folder');
    const result = await upOn(ports[2]!, ports[3]!, other);
    expect(result.code).toBe(1);
    expect(result.stderr).toMatch(/^error: `berth up` could not start\n {2}the server ended with exit code 1\n {4}.*server/);
    expect(await processesOf(other)).toEqual([]);
  });

  test('without root it says so at once', async () => {
    const args = ['--reuid=65534', '--regid=65534', '--clear-groups', process.execPath, main, 'up', '--detach'];
    const result = await runCommand('setpriv', args, { env: { ...environment(''), HOME: folder } });
    expect(result).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('error: a node runs containers, which needs root\n  Run it as root: sudo berth up'),
    });
  });

  test.each([
    [['--port', '70000'], '--port is a port from 0 to 65535, not "70000"'],
    [['--port', '0'], '--port is a port from 1 to 65535'],
    [['--store', 'paper'], '--store is one of'],
    [['--log-level', 'loud'], '--log-level is one of'],
    [['--cluster-cidr', 'everywhere'], 'everywhere'],
  ])('%j is refused', async (flags, reason) => {
    const [port, agentPort] = flags[0] === '--port' ? [] : [ports[2], ports[3]];
    const given = port === undefined ? [] : ['--port', String(port), '--agent-port', String(agentPort)];
    const result = await berth(['up', '--detach', ...given, ...flags], join(folder, 'flags'));
    expect({ ...result, stderr: result.stderr }).toMatchObject({ code: 1, stderr: expect.stringContaining(reason) });
  });

  test('a server that is stopped keeps no command waiting for ever', async () => {
    process.kill(pidOf('server'), 'SIGSTOP');
    try {
      expect(await berth(['get', 'pods', '--request-timeout', '1s'])).toMatchObject({
        code: 1,
        stderr: expect.stringMatching(/the server https:\/\/\S+ has not answered in time\n {2}Is its process stopped/),
      });
    } finally {
      process.kill(pidOf('server'), 'SIGCONT');
    }
  });

  test('an interrupt ends both, containerd with its containers goes on, and the next one takes them up', async () => {
    const containerd = (JSON.parse(readFileSync(join(home, 'containerd/process.json'), 'utf8')) as { pid: number }).pid;
    const ended = new Promise<number | null>((resolve) => up.once('exit', (code) => resolve(code)));
    up.kill('SIGINT');
    expect(await ended).toBe(0);
    expect(await processesOf(home)).toEqual([]);
    expect(existsSync(join(home, 'run/up.json'))).toBe(false);
    expect(existsSync(`/proc/${containerd}`)).toBe(true);
    expect((await berth(['get', 'pods'])).stderr).toMatch(
      /^error: the server https:\/\/\S+ cannot be reached \(ECONNREFUSED\)\n {2}`berth up` starts a server/,
    );
    expect(await upOn(ports[0]!, ports[1]!, home)).toMatchObject({ code: 0 });
    expect((JSON.parse(readFileSync(join(home, 'containerd/process.json'), 'utf8')) as { pid: number }).pid).toBe(containerd);
    expect(await berth(['down'])).toMatchObject({ code: 0, stdout: expect.stringContaining('Berth has ended. Containers go on') });
    expect(await berth(['down'])).toMatchObject({ code: 0, stdout: 'Nothing of Berth runs here.\n' });
  });
});
