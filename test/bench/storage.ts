/** The embedded store by itself: durable creates through `Store`, lists from the cache, and what both do to the event loop. */
import { setMaxListeners } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { KubernetesObject } from '#api/object';
import { systemClock } from '#base/clock';
import { openSqlite } from '#storage/sqlite/sqlite-backend';
import { Store } from '#storage/store';
import { WatchCache } from '#storage/watch-cache';
import { longestStall, percentile, type Row } from './bench.ts';

export const name = 'storage';

export const pods = { group: '', plural: 'pods' };
const creates = 20_000;
const writers = 64;
const listed = 10_000;
const watchers = 1_000;

export async function run(): Promise<readonly Row[]> {
  const folder = await mkdtemp(join(tmpdir(), 'berth-bench-'));
  const backend = await openSqlite({ path: join(folder, 'store.db') });
  const cache = new WatchCache({ backend, clock: systemClock });
  const store = new Store(backend, cache);
  const stop = new AbortController();
  const running = cache.run(stop.signal);
  try {
    await cache.ready();
    const writing = await measureCreates(store, creates);
    const listing = await measureList(cache);
    const fanOut = await measureFanOut(store);
    return [...writing, ...listing, ...fanOut];
  } finally {
    stop.abort();
    await running;
    await backend.close();
    await rm(folder, { recursive: true });
  }
}

/** Durable creates of pods by 64 writers. */
export async function measureCreates(store: Store, count: number): Promise<readonly Row[]> {
  const latencies: number[] = [];
  let next = 0;
  const writer = async (): Promise<void> => {
    for (let index = next++; index < count; index = next++) {
      const start = performance.now();
      const object = pod('bench', `pod-${index}`);
      await store.create(pods, object.metadata, object);
      latencies.push(performance.now() - start);
    }
  };
  const start = performance.now();
  const { stall } = await longestStall(() => Promise.all(Array.from({ length: writers }, writer)));
  return [
    { name: `durable creates, ${writers} writers`, value: (count / (performance.now() - start)) * 1000, unit: '1/s' },
    { name: 'durable create, 99th percentile', value: percentile(latencies, 0.99), unit: 'ms' },
    { name: 'longest stall while creating', value: stall, unit: 'ms', aim: 25 },
  ];
}

async function measureList(cache: WatchCache): Promise<readonly Row[]> {
  const resource = cache.resource(pods);
  const start = performance.now();
  const { items } = await resource.list({ limit: listed });
  const bytes = items.reduce((sum, item) => sum + item.bytes.length, 0);
  const time = performance.now() - start;
  if (items.length !== listed || bytes === 0) throw new Error(`the list has ${items.length} objects`);
  const filtered = performance.now();
  const { stall } = await longestStall(() => resource.list({ filter: ({ object }) => object.metadata.labels?.app === 'app-1' }));
  return [
    { name: `list of ${listed} from the cache`, value: time, unit: 'ms' },
    { name: `list of ${creates} by label, none parsed before`, value: performance.now() - filtered, unit: 'ms' },
    { name: 'longest stall while listing by label', value: stall, unit: 'ms', aim: 25 },
  ];
}

async function measureFanOut(store: Store): Promise<readonly Row[]> {
  const stop = new AbortController();
  setMaxListeners(0, stop.signal);
  const changes = 20;
  let delivered = 0;
  const consume = async (): Promise<void> => {
    const watch = await store.cache.resource(pods).watch({ namespace: 'fan-out', after: store.cache.revision }, stop.signal);
    for await (const batch of watch) {
      delivered += batch.events.length;
      if (delivered === watchers * changes) stop.abort();
    }
  };
  const consumers = Array.from({ length: watchers }, consume);
  await store.cache.reachNewest();
  const start = performance.now();
  for (let index = 0; index < changes; index++) {
    const object = pod('fan-out', `pod-${index}`);
    await store.create(pods, object.metadata, object);
  }
  await Promise.all(consumers);
  return [
    {
      name: `an event to each of ${watchers} watchers, per delivery`,
      value: ((performance.now() - start) * 1000) / (watchers * changes),
      unit: 'us',
    },
  ];
}

/** About as large as a pod of a Deployment is: 1.5 kB. */
function pod(
  namespace: string,
  podName: string,
): KubernetesObject & { readonly metadata: { readonly name: string; readonly namespace: string } } {
  const content = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: podName,
      namespace,
      uid: `5f0c8b1e-0000-4000-8000-${podName.slice(4).padStart(12, '0')}`,
      creationTimestamp: '2026-01-01T00:00:00Z',
      labels: { app: `app-${podName.length}`, 'pod-template-hash': '5d8f7b6c9' },
      ownerReferences: [
        {
          apiVersion: 'apps/v1',
          kind: 'ReplicaSet',
          name: 'bench-5d8f7b6c9',
          uid: '5f0c8b1e-1111-4000-8000-000000000000',
          controller: true,
        },
      ],
    },
    spec: {
      containers: [
        {
          name: 'main',
          image: 'berth.local/hello:1',
          command: ['/bin/server', '--port', '8080', '--verbose'],
          env: Array.from({ length: 8 }, (_, index) => ({ name: `VARIABLE_${index}`, value: `value number ${index}` })),
          resources: { requests: { cpu: '100m', memory: '64Mi' }, limits: { cpu: '1', memory: '128Mi' } },
          ports: [{ containerPort: 8080, protocol: 'TCP' }],
          terminationMessagePath: '/dev/termination-log',
          imagePullPolicy: 'IfNotPresent',
        },
      ],
      restartPolicy: 'Always',
      terminationGracePeriodSeconds: 30,
      dnsPolicy: 'ClusterFirst',
      nodeName: 'node-1',
      schedulerName: 'default-scheduler',
    },
    status: {
      phase: 'Pending',
      conditions: [{ type: 'PodScheduled', status: 'True', lastProbeTime: null, lastTransitionTime: '2026-01-01T00:00:00Z' }],
    },
  };
  return content;
}
