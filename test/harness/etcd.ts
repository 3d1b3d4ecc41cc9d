/** Real etcd for tests: one member or several on loopback, which can be killed, stopped and started again. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '#base/clock';
import { freePorts } from './ports.ts';

/** Another etcd than Debian's may be tried with BERTH_TEST_ETCD (its etcdctl stands beside it). */
const binary = process.env.BERTH_TEST_ETCD ?? '/usr/bin/etcd';
const startTimeout = 90_000;

/** Why tests on etcd cannot run here; undefined when they can. */
export function missingForEtcd(): string | undefined {
  return existsSync(binary) ? undefined : `${binary} is not installed (hack/setup --test installs Debian's etcd-server)`;
}

export interface TestEtcdOptions {
  /** 1 unless given. */
  readonly members?: number;
  /** Paths of PEM files; plain HTTP unless given. */
  readonly tls?: { readonly certificateAuthority: string; readonly certificate: string; readonly key: string };
  readonly flags?: readonly string[];
}

export interface TestEtcdMember {
  readonly endpoint: string;
  readonly port: number;
  /** What it keeps; may be replaced while it does not run. */
  readonly dataDirectory: string;
  kill(): Promise<void>;
  start(): Promise<void>;
  /** Sends SIGSTOP or SIGCONT. */
  signal(name: 'SIGSTOP' | 'SIGCONT'): void;
}

export interface TestEtcd {
  readonly endpoints: readonly string[];
  readonly members: readonly TestEtcdMember[];
  /** Runs etcdctl; gives its output. */
  control(...args: readonly string[]): string;
  stop(): Promise<void>;
}

export async function startTestEtcd(options: TestEtcdOptions = {}): Promise<TestEtcd> {
  const folder = await mkdtemp(join(tmpdir(), 'berth-etcd-'));
  const scheme = options.tls === undefined ? 'http' : 'https';
  const ports = await freePorts(2 * (options.members ?? 1));
  const names = Array.from({ length: options.members ?? 1 }, (_, index) => `m${index}`);
  const peers = names.map((name, index) => `${name}=http://127.0.0.1:${ports[2 * index + 1]}`).join(',');
  const secure =
    options.tls === undefined
      ? []
      : [
          '--cert-file',
          options.tls.certificate,
          '--key-file',
          options.tls.key,
          '--trusted-ca-file',
          options.tls.certificateAuthority,
          '--client-cert-auth',
        ];
  const members = names.map((name, index) =>
    memberOf(`${scheme}://127.0.0.1:${ports[2 * index]}`, join(folder, name), [
      ...['--name', name, '--data-dir', join(folder, name), '--log-level', 'error', '--logger', 'zap'],
      ...[
        '--listen-client-urls',
        `${scheme}://127.0.0.1:${ports[2 * index]}`,
        '--advertise-client-urls',
        `${scheme}://127.0.0.1:${ports[2 * index]}`,
      ],
      ...[
        '--listen-peer-urls',
        `http://127.0.0.1:${ports[2 * index + 1]}`,
        '--initial-advertise-peer-urls',
        `http://127.0.0.1:${ports[2 * index + 1]}`,
      ],
      ...['--initial-cluster', peers, '--heartbeat-interval', '100', '--election-timeout', '1000'],
      ...secure,
      ...(options.flags ?? []),
    ]),
  );
  const endpoints = members.map(({ endpoint }) => endpoint);
  const control = (...args: readonly string[]): string => {
    const trust =
      options.tls === undefined
        ? []
        : ['--cacert', options.tls.certificateAuthority, '--cert', options.tls.certificate, '--key', options.tls.key];
    const env = { ...process.env, ETCDCTL_API: '3' };
    return execFileSync(`${binary}ctl`, ['--endpoints', endpoints.join(','), ...trust, ...args], { encoding: 'utf8', env });
  };
  const stop = async (): Promise<void> => {
    await Promise.all(members.map((member) => member.kill()));
    await rm(folder, { recursive: true, force: true });
  };
  try {
    await Promise.all(members.map((member) => member.start()));
  } catch (error) {
    await stop();
    throw error;
  }
  return { endpoints, members, control, stop };
}

function memberOf(endpoint: string, dataDirectory: string, args: readonly string[]): TestEtcdMember {
  let child: ChildProcess | undefined;
  let output = '';
  const port = Number(new URL(endpoint).port);
  return {
    endpoint,
    port,
    dataDirectory,
    start: async () => {
      child = spawn(binary, args, { stdio: ['ignore', 'ignore', 'pipe'] });
      child.stderr?.on('data', (chunk: Buffer) => {
        output = (output + chunk.toString()).slice(-4000);
      });
      const end = systemClock.monotonic() + startTimeout;
      while (!(await listens(port))) {
        if (child.exitCode !== null || systemClock.monotonic() > end) throw new Error(`etcd did not start: ${output}`);
        await systemClock.sleep(50);
      }
    },
    kill: async () => {
      const running = child;
      child = undefined;
      if (running === undefined || running.exitCode !== null || running.signalCode !== null) return;
      const ended = once(running, 'close');
      running.kill('SIGKILL');
      await ended;
    },
    signal: (name) => void child?.kill(name),
  };
}

async function listens(port: number): Promise<boolean> {
  return await new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
