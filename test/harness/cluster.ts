/**
 * A whole cluster as a user has it: `berth up` from the build, on real containerd, in a home of its own; for end-to-end tests. With BERTH_TEST_ETCD_ENDPOINTS
 * its store is in that etcd, behind a prefix of its own; else it is Berth's own file.
 */
import { existsSync, mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type CommandOptions, type CommandResult, eventually, runCommand } from './commands.ts';
import { freePorts } from './ports.ts';

/** The checkout, whether this file runs from its source or from the build. */
export const repository =
  ['../..', '../../..']
    .map((up) => fileURLToPath(new URL(up, import.meta.url)))
    .find((folder) => existsSync(join(folder, 'package.json'))) ?? process.cwd();
const main = join(repository, 'dist/cmd/berth/main.js');

/** Why end-to-end tests cannot run here; undefined when they can. */
export function missingForCluster(): string | undefined {
  if (process.platform !== 'linux') return 'containers need Linux';
  if (process.getuid?.() !== 0) return 'a node needs root';
  const missing = ['/usr/bin/containerd', '/usr/sbin/runc', '/usr/lib/cni/bridge', '/usr/sbin/nft'].filter((path) => !existsSync(path));
  return missing.length > 0 ? `not installed: ${missing.join(', ')}` : undefined;
}

export type Part = 'up' | 'server' | 'agent' | 'containerd';

export interface TestCluster {
  readonly home: string;
  readonly kubeconfig: string;
  /** For processes that talk to the cluster. */
  readonly env: NodeJS.ProcessEnv;
  readonly port: number;
  berth(args: readonly string[], options?: CommandOptions): Promise<CommandResult>;
  /** Like `berth`, but throws unless the exit code is 0; gives stdout. */
  succeed(...args: readonly string[]): Promise<string>;
  /** The process id of `up`, `server`, `agent` or `containerd`. */
  pid(name: Part): number;
  /** `kill -9`; resolves when it has ended. `up` starts server and agent again, unless it was killed before. */
  kill(name: Part): Promise<void>;
  /** `berth up --detach`, with the flags that the cluster was started with. */
  up(): Promise<void>;
  /** `berth down --purge`. */
  stop(): Promise<CommandResult>;
}

export interface TestClusterOptions {
  readonly flags?: readonly string[];
  /** Loads `berth.local/hello:1`. */
  readonly demoImage?: boolean;
}

export async function startTestCluster(options: TestClusterOptions = {}): Promise<TestCluster> {
  const home = mkdtempSync(join(tmpdir(), 'berth-e2e-'));
  const [port, agentPort] = await freePorts(2);
  const env: NodeJS.ProcessEnv = { ...process.env, BERTH_HOME: home, KUBECONFIG: '', NO_COLOR: '1' };
  const etcd = process.env.BERTH_TEST_ETCD_ENDPOINTS;
  const store = etcd === undefined ? [] : ['--store', 'etcd', '--etcd-endpoints', etcd, '--etcd-prefix', `/${basename(home)}`];
  const berth = (args: readonly string[], more: CommandOptions = {}): Promise<CommandResult> =>
    runCommand(process.execPath, [main, ...args], { cwd: repository, ...more, env: { ...env, ...more.env } });
  const cluster: TestCluster = {
    home,
    kubeconfig: join(home, 'kubeconfig'),
    env: { ...env, KUBECONFIG: join(home, 'kubeconfig') },
    port: port!,
    berth,
    succeed: async (...args) => {
      const result = await berth(args, { timeout: 180_000 });
      if (result.code !== 0) throw new Error(`berth ${args.join(' ')} ended with ${result.code}\n${result.stdout}\n${result.stderr}`);
      return result.stdout;
    },
    pid: (name) =>
      (
        JSON.parse(
          readFileSync(name === 'containerd' ? join(home, 'containerd/process.json') : join(home, 'run', `${name}.json`), 'utf8'),
        ) as { pid: number }
      ).pid,
    async kill(name) {
      const pid = cluster.pid(name);
      process.kill(pid, 'SIGKILL');
      await eventually(`${name} has ended`, async () => (isRunning(pid) ? undefined : true));
    },
    up: async () => {
      const ports = ['--port', String(port), '--agent-port', String(agentPort)];
      await cluster.succeed('up', '--detach', ...ports, ...store, ...(options.flags ?? []));
    },
    stop: () => berth(['down', '--purge'], { timeout: 120_000 }),
  };
  try {
    await cluster.up();
    if (options.demoImage) await loadDemoImage(cluster);
  } catch (error) {
    await cluster.stop();
    throw error;
  }
  return cluster;
}

function isRunning(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

async function loadDemoImage(cluster: TestCluster): Promise<void> {
  await cluster.succeed('image', 'load', await buildDemoArchive(cluster.home));
}

/** Builds the demo image as an OCI archive in this folder and gives its path. */
export async function buildDemoArchive(folder: string): Promise<string> {
  const archive = join(folder, 'hello.tar');
  const built = await runCommand(process.execPath, [join(repository, 'dist/hack/build-demo-image.js'), archive]);
  if (built.code !== 0) throw new Error(`the demo image could not be built\n${built.stderr}`);
  return archive;
}
