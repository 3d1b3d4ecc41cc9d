/**
 * The scheduler: pods bound a second, end to end through the verbs in this process, on 1,000 nodes; and decisions a second by themselves. The
 * store is the embedded one, so each binding is durable.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { namespaces, nodes, pods } from '#api/shapes/resources';
import type { Node, Pod } from '#api/shapes/types/core-v1';
import { startMemoryApi } from '#apiserver/memory-api';
import { authenticatedGroup } from '#apiserver/request-context';
import { systemClock } from '#base/clock';
import { runAll } from '#base/lifecycle';
import { silentLogger } from '#base/logging';
import type { Client } from '#client/client';
import { InformerSet } from '#client/informer-set';
import { Placements } from '#scheduler/placement';
import { plugins } from '#scheduler/plugins/index';
import { podShapeOf } from '#scheduler/pod-shape';
import { createScheduler } from '#scheduler/scheduler';
import { Snapshot } from '#scheduler/snapshot';
import { openSqlite } from '#storage/sqlite/sqlite-backend';
import { longestStall, type Row } from './bench.ts';

export const name = 'scheduler';

const nodeCount = 1_000;
const podCount = 10_000;
const workloads = 20;
const writers = 64;

export async function run(): Promise<readonly Row[]> {
  decide(1); // so that what is measured is compiled
  return [decide(1), decide(workloads), ...(await endToEnd())];
}

function node(index: number): Node {
  const allocatable = { cpu: '32', memory: '128Gi', pods: '110', 'ephemeral-storage': '500Gi' };
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: {
      name: `node-${index}`,
      labels: { 'kubernetes.io/hostname': `node-${index}`, 'topology.kubernetes.io/zone': `zone-${index % 3}` },
    },
    spec: {},
    status: { allocatable, capacity: allocatable, conditions: [{ type: 'Ready', status: 'True' }] },
  };
}

function pod(index: number): Pod {
  const owner = `workload-${index % workloads}`;
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: `pod-${index}`,
      namespace: 'default',
      labels: { app: owner },
      ownerReferences: [{ apiVersion: 'apps/v1', kind: 'ReplicaSet', name: owner, uid: owner, controller: true }],
    },
    spec: { containers: [{ name: 'main', image: 'app:1', resources: { requests: { cpu: '100m', memory: '128Mi' } } }] },
  };
}

/** What the decisions alone cost, with nothing carried out. */
function decide(workloadCount: number): Row {
  const snapshot = new Snapshot();
  for (let index = 0; index < nodeCount; index++) snapshot.setNode(node(index));
  const placements = new Placements(snapshot, plugins);
  const shapes = Array.from({ length: workloadCount }, (_, index) => podShapeOf(pod(index)));
  const decisions = 50_000;
  const start = performance.now();
  for (let index = 0; index < decisions; index++) {
    const shape = shapes[index % workloadCount]!;
    const slot = placements.choose(shape);
    if (slot < 0) throw new Error('the bench has too few nodes for its pods');
    snapshot.assume(`uid-${index}`, shape, slot);
  }
  const rate = (decisions / (performance.now() - start)) * 1000;
  return { name: `decisions on ${nodeCount} nodes, ${workloadCount} workloads in turn`, value: rate, unit: '1/s', aim: 200_000 };
}

async function endToEnd(): Promise<Row[]> {
  const folder = await mkdtemp(join(tmpdir(), 'berth-bench-'));
  const backend = await openSqlite({ path: join(folder, 'store.db') });
  const api = startMemoryApi({ backend });
  const stop = new AbortController();
  try {
    const client = api.client();
    await client.create(namespaces, { metadata: { name: 'default' }, spec: {} });
    await inParallel(nodeCount, async (index) => {
      const draft = node(index);
      const created = await client.create(nodes, draft);
      await client.updateStatus(nodes, { ...created, status: draft.status ?? {} });
    });
    await inParallel(podCount, async (index) => {
      await client.create(pods, pod(index));
    });
    const scheduling = api.client({ name: 'system:kube-scheduler', groups: [authenticatedGroup] });
    const options = { clock: systemClock, log: silentLogger };
    const informers = new InformerSet(scheduling, options);
    const running = runAll([informers, createScheduler({ client: scheduling, informers, ...options })], stop.signal);
    const start = performance.now();
    const { stall } = await longestStall(() => untilAllBound(client));
    const rate = (podCount / (performance.now() - start)) * 1000;
    stop.abort();
    await running;
    return [
      { name: `pods scheduled end to end on ${nodeCount} nodes`, value: rate, unit: '1/s', aim: 2_000 },
      { name: 'longest stall while scheduling', value: stall, unit: 'ms' },
    ];
  } finally {
    stop.abort();
    await api.stop();
    await rm(folder, { recursive: true });
  }
}

async function untilAllBound(client: Client): Promise<void> {
  const stop = new AbortController();
  const bound = new Set<string>();
  for await (const { type, object } of client.watch(pods, {}, stop.signal)) {
    if (type === 'BOOKMARK' || (object.spec.nodeName ?? '') === '') continue;
    bound.add(object.metadata.name ?? '');
    if (bound.size === podCount) return;
  }
}

async function inParallel(count: number, work: (index: number) => Promise<void>): Promise<void> {
  let next = 0;
  const hand = async (): Promise<void> => {
    for (let index = next++; index < count; index = next++) await work(index);
  };
  await Promise.all(Array.from({ length: writers }, hand));
}
