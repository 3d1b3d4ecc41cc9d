/**
 * From `apply` to Running: a pod through Berth, seen by a client's watch, against the bare CRI calls for the same pod on the same containerd. The two
 * take turns, so that both have the same machine.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { containerdLayout } from '#agent/runtime/containerd/layout';
import { CriRuntime } from '#agent/runtime/cri/cri-runtime';
import { plainContainer, plainSandbox, plainSecurity } from '#agent/runtime/plain-configs';
import { pods } from '#api/shapes/resources';
import type { Client } from '#client/client';
import { missingForCluster, startTestCluster } from '../harness/cluster.ts';
import { image, openWorkbench, shell, specOf } from '../harness/workbench.ts';
import { removeCgroups } from '../integration/private-containerd.ts';
import { percentile, type Row } from './bench.ts';

export const name = 'pod start';
export const missing = missingForCluster;

const rounds = 20;
const namespace = 'default';
const cgroup = 'kubepods/berth-bench';
/** Ends when it is told to: then the next round does not share the machine with its end. */
const obedient = "trap 'exit 0' TERM; sleep 3600 & wait";

export async function run(): Promise<readonly Row[]> {
  const cluster = await startTestCluster({ demoImage: true });
  const logs = mkdtempSync(join(tmpdir(), 'berth-bench-'));
  const runtime = new CriRuntime({ endpoint: containerdLayout(cluster.home).endpoint, instance: 'bench' });
  const bench = await openWorkbench(cluster);
  const bare: number[] = [];
  const whole: number[] = [];
  try {
    // The first of each finds caches cold.
    for (let round = -1; round < rounds; round++) {
      const [floor, berth] = [await startBare(runtime, logs, round), await startWhole(bench.client, round)];
      if (round < 0) continue;
      bare.push(floor);
      whole.push(berth);
    }
  } finally {
    runtime.close();
    bench.close();
    await removeCgroups(cgroup);
    await cluster.stop();
    rmSync(logs, { recursive: true });
  }
  const [floor, berth] = [percentile(bare, 0.5), percentile(whole, 0.5)];
  return [
    { name: 'bare CRI calls, median', value: floor, unit: 'ms' },
    { name: 'apply to Running, median', value: berth, unit: 'ms', aim: floor + 50 },
    { name: 'apply to Running, 95th', value: percentile(whole, 0.95), unit: 'ms' },
    { name: 'apply to Running over bare CRI', value: berth / floor, unit: 'x' },
  ];
}

/** Milliseconds until the API shows that the pod runs. */
async function startWhole(client: Client, round: number): Promise<number> {
  const podName = `start-${round + 1}`;
  const stop = new AbortController();
  const { metadata } = await client.list(pods, { namespace });
  const watch = client.watch(pods, { namespace, resourceVersion: metadata.resourceVersion ?? '' }, stop.signal);
  const running = (async () => {
    for await (const { object } of watch) {
      if (object.metadata.name === podName && 'status' in object && object.status?.phase === 'Running') return performance.now();
    }
    throw new Error('the watch ended early');
  })();
  const begin = performance.now();
  await client.create(pods, {
    metadata: { name: podName, namespace },
    spec: specOf(shell(obedient), { terminationGracePeriodSeconds: 5 }),
  });
  const end = await running;
  stop.abort();
  await client.delete(pods, { name: podName, namespace });
  while ((await client.find(pods, { name: podName, namespace })) !== undefined) await new Promise((resolve) => setTimeout(resolve, 20));
  return end - begin;
}

/** Milliseconds of the three calls that any agent must make. */
async function startBare(runtime: CriRuntime, logDirectory: string, round: number): Promise<number> {
  const uid = `bench-${process.pid}-${round + 1}`;
  const sandbox = plainSandbox({
    pod: { namespace, name: uid, uid },
    logDirectory,
    dns: { servers: ['127.0.0.1'], searches: [], options: [] },
    cgroupParent: `/${cgroup}/pod${uid}`,
  });
  const found = await runtime.imageStatus(image);
  const container = plainContainer({
    image: found?.id ?? image,
    command: ['sh', '-c', obedient],
    logPath: `${uid}.log`,
    resources: { cpuPeriod: 0, cpuQuota: 0, cpuShares: 2, memoryLimitBytes: 0, oomScoreAdjustment: 1000 },
    security: { ...plainSecurity, seccomp: 'Unconfined' },
  });
  const begin = performance.now();
  const id = await runtime.runSandbox(sandbox, new AbortController().signal);
  const containerId = await runtime.createContainer(id, container, sandbox);
  await runtime.startContainer(containerId);
  const took = performance.now() - begin;
  await runtime.stopSandbox(id);
  await runtime.removeContainer(containerId);
  await runtime.removeSandbox(id);
  return took;
}
