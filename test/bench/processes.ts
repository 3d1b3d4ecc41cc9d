/** What the processes cost: how soon a server is ready, and what a server and an agent with nothing to do take of memory and CPU. */

import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { missingForCluster, repository, startTestCluster } from '../harness/cluster.ts';
import type { Row } from './bench.ts';
import { cpuSeconds, residentMegabytes } from './bench-server.ts';

export const name = 'processes';
export const missing = missingForCluster;

const idleSeconds = 20;

export async function run(): Promise<readonly Row[]> {
  const first = await startServerOnce();
  const cluster = await startTestCluster();
  try {
    await pause(5);
    const before = { server: cpuSeconds(cluster.pid('server')), agent: cpuSeconds(cluster.pid('agent')) };
    await pause(idleSeconds);
    const share = (process: 'server' | 'agent'): number => ((cpuSeconds(cluster.pid(process)) - before[process]) / idleSeconds) * 100;
    return [
      { name: 'berth server, first start to ready', value: first, unit: 'ms', aim: 1000 },
      { name: 'server, resident', value: residentMegabytes(cluster.pid('server')), unit: 'MB', aim: 160 },
      { name: 'agent, resident', value: residentMegabytes(cluster.pid('agent')), unit: 'MB', aim: 80 },
      { name: 'server, idle CPU', value: share('server'), unit: '%' },
      { name: 'agent, idle CPU', value: share('agent'), unit: '%' },
    ];
  } finally {
    await cluster.stop();
  }
}

async function startServerOnce(): Promise<number> {
  const home = mkdtempSync(join(tmpdir(), 'berth-bench-'));
  const start = performance.now();
  const child = spawn(process.execPath, [join(repository, 'dist/cmd/berth/main.js'), 'server', '--port', '0', '--agent-port', '0'], {
    env: { ...process.env, BERTH_HOME: home },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  try {
    await new Promise<void>((resolve, reject) => {
      child.stdout.once('data', () => resolve());
      child.once('exit', (code) => reject(new Error(`berth server ended with ${code}`)));
    });
    return performance.now() - start;
  } finally {
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGTERM');
    await ended;
    if (existsSync(home)) rmSync(home, { recursive: true, force: true });
  }
}

function pause(seconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, seconds * 1000));
}
