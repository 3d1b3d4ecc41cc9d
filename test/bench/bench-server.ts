/** A server in a process of its own on either store, and the least of a client for it: what benches over TLS share. */
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { type ClientHttp2Session, connect } from 'node:http2';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { KubernetesObject } from '#api/object';
import { systemClock } from '#base/clock';
import { type ConnectionOptions, connectionOf, loadKubeconfig } from '#client/kubeconfig';
import type { Backend } from '#storage/backend';
import { openEtcd } from '#storage/etcd/etcd-backend';
import { openSqlite } from '#storage/sqlite/sqlite-backend';
import { Store } from '#storage/store';
import { WatchCache } from '#storage/watch-cache';
import { repository } from '../harness/cluster.ts';
import { missingForEtcd, startTestEtcd, type TestEtcd } from '../harness/etcd.ts';

export type BenchStore = 'sqlite' | 'etcd';

/** The stores that can be measured here; BERTH_BENCH_STORE narrows them to one. */
export function benchStores(): readonly BenchStore[] {
  const all: readonly BenchStore[] = missingForEtcd() === undefined ? ['sqlite', 'etcd'] : ['sqlite'];
  const only = process.env.BERTH_BENCH_STORE;
  return only === undefined ? all : all.filter((store) => store === only);
}

/** A store with nothing in it, for a server that is started on it later. */
export interface StoreHome {
  readonly store: BenchStore;
  readonly home: string;
  readonly etcd: TestEtcd | undefined;
  remove(): Promise<void>;
}

export async function makeStore(store: BenchStore): Promise<StoreHome> {
  const home = mkdtempSync(join(tmpdir(), 'berth-bench-'));
  // As hack/quickstart starts it, and not as tests do: with etcd's own intervals.
  const etcd = store === 'etcd' ? await startTestEtcd({ flags: ['--heartbeat-interval', '100', '--election-timeout', '1000'] }) : undefined;
  return {
    store,
    home,
    etcd,
    remove: async () => {
      await etcd?.stop();
      rmSync(home, { recursive: true, force: true });
    },
  };
}

const time = '2026-01-01T00:00:00Z';
const namespaceCount = 50;
const nodeCount = 1000;

/** Puts running pods into a store that no server has open, with the nodes and namespaces that they are in. */
export async function fillWithPods({ store, home, etcd }: StoreHome, count: number): Promise<void> {
  mkdirSync(join(home, 'server'), { recursive: true, mode: 0o700 });
  const path = join(home, 'server', 'store.db');
  const backend: Backend = store === 'etcd' ? await openEtcd({ endpoints: etcd?.endpoints ?? [] }) : await openSqlite({ path });
  const objects = new Store(backend, new WatchCache({ backend, clock: systemClock }));
  const create = (plural: string, object: KubernetesObject): Promise<unknown> => {
    const { name = '', namespace } = object.metadata;
    return objects.create({ group: '', plural }, { name, namespace }, object);
  };
  for (let index = 0; index < namespaceCount; index++) await create('namespaces', storedNamespace(index));
  await inParallel(nodeCount, (index) => create('nodes', storedNode(index)));
  await inParallel(count, (index) => create('pods', storedPod(index)));
  await backend.close();
}

async function inParallel(count: number, work: (index: number) => Promise<unknown>): Promise<void> {
  let next = 0;
  const hand = async (): Promise<void> => {
    for (let index = next++; index < count; index = next++) await work(index);
  };
  await Promise.all(Array.from({ length: 256 }, hand));
}

export interface BenchServer {
  readonly connection: ConnectionOptions;
  readonly pid: number;
  /** Milliseconds from the start of the process until it said that it is ready. */
  readonly startTime: number;
  stop(): Promise<void>;
}

/** `berth server` from the build. `nodeFlags` come before its own. */
export async function startBenchServer({ store, home, etcd }: StoreHome, nodeFlags: readonly string[] = []): Promise<BenchServer> {
  const flags = store === 'etcd' ? ['--store', 'etcd', '--etcd-endpoints', etcd?.endpoints.join(',') ?? ''] : [];
  const from = performance.now();
  const more = process.env.BERTH_BENCH_NODE_FLAGS?.split(' ') ?? [];
  const main = join(repository, 'dist/cmd/berth/main.js');
  const child = spawn(process.execPath, [...nodeFlags, ...more, main, 'server', '--port', '0', '--agent-port', '0', ...flags], {
    env: { ...process.env, BERTH_HOME: home },
    // What it has to tell of nodes that nobody plays is of no interest here.
    stdio: ['ignore', 'pipe', openSync(join(home, 'server.log'), 'a')],
  });
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  await Promise.race([
    new Promise((resolve) => child.stdout?.once('data', resolve)),
    ended.then(() => {
      throw new Error(
        `berth server on ${store} ended with ${child.exitCode}: ${readFileSync(join(home, 'server.log'), 'utf8').slice(-2000)}`,
      );
    }),
  ]);
  const startTime = performance.now() - from;
  return {
    connection: await connectionOf(await loadKubeconfig([join(home, 'kubeconfig')])),
    pid: child.pid ?? 0,
    startTime,
    stop: async () => {
      child.kill('SIGTERM');
      await ended;
    },
  };
}

/** User and system time of all of a process's threads, in the kernel's ticks of 10 ms. */
export function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

/** The resident memory of a process, or the most that it ever was. */
export function residentMegabytes(pid: number, which: 'VmRSS' | 'VmHWM' = 'VmRSS'): number {
  if (!existsSync(`/proc/${pid}/status`)) return Number.NaN;
  return Number(new RegExp(`${which}:\\s+(\\d+)`).exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1024;
}

/** With windows as wide as those of Go's clients: Node's own would make a long list wait for them. */
export function openSession(connection: ConnectionOptions): ClientHttp2Session {
  const session = connect(connection.server, {
    ca: connection.certificateAuthority,
    cert: connection.clientCertificate,
    key: connection.clientKey,
    settings: { initialWindowSize: 4 << 20 },
  });
  session.once('connect', () => session.setLocalWindowSize(1 << 30));
  return session;
}

export interface BenchReply {
  readonly code: number;
  readonly body: Buffer;
}

export interface Call {
  readonly body?: string;
  /** Of the body; JSON unless given. */
  readonly type?: string;
  readonly accept?: string;
  /** As this user, who may do everything. */
  readonly as?: string;
  /** The reply's body is read and let go. */
  readonly discard?: boolean;
}

export function send(session: ClientHttp2Session, method: string, path: string, options: Call = {}): Promise<BenchReply> {
  return new Promise((resolve, reject) => {
    const stream = session.request({
      ':method': method,
      ':path': path,
      accept: options.accept ?? 'application/json',
      ...(options.as === undefined ? {} : { 'impersonate-user': options.as, 'impersonate-group': 'system:masters' }),
      ...(options.body === undefined ? {} : { 'content-type': options.type ?? 'application/json' }),
    });
    let code = 0;
    const chunks: Buffer[] = [];
    stream.on('response', (headers) => {
      code = headers[':status'] ?? 0;
    });
    stream.on('data', (chunk: Buffer) => {
      if (options.discard !== true) chunks.push(chunk);
    });
    stream.on('end', () => resolve({ code, body: Buffer.concat(chunks) }));
    stream.on('error', reject);
    stream.end(options.body);
  });
}

/** As `send`; throws unless the answer is of the kind 2xx. */
export async function succeed(...call: Parameters<typeof send>): Promise<BenchReply> {
  const reply = await send(...call);
  if (reply.code >= 300) throw new Error(`${call[1]} ${call[2]} was answered ${reply.code}: ${reply.body.toString().slice(0, 300)}`);
  return reply;
}

function storedNamespace(index: number): KubernetesObject {
  return {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name: `team-${index}`, uid: `5f0c8b1e-2222-4000-8000-${String(index).padStart(12, '0')}`, creationTimestamp: time },
    spec: { finalizers: ['kubernetes'] },
    status: { phase: 'Active' },
  } as KubernetesObject;
}

function storedNode(index: number): KubernetesObject {
  const allocatable = { cpu: '32', memory: '128Gi', pods: '250', 'ephemeral-storage': '500Gi' };
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: {
      name: `node-${index}`,
      uid: `5f0c8b1e-3333-4000-8000-${String(index).padStart(12, '0')}`,
      creationTimestamp: time,
      labels: { 'kubernetes.io/hostname': `node-${index}` },
    },
    spec: {},
    status: { allocatable, capacity: allocatable, conditions: [{ type: 'Ready', status: 'True' }] },
  } as KubernetesObject;
}

/** As a pod of a Deployment stands in the store when it runs: about 2.3 kB. */
export function storedPod(index: number): KubernetesObject {
  const number = String(index).padStart(12, '0');
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: `web-5d8f7b6c9-${number}`,
      generateName: 'web-5d8f7b6c9-',
      namespace: `team-${index % namespaceCount}`,
      uid: `5f0c8b1e-0000-4000-8000-${number}`,
      creationTimestamp: time,
      labels: { app: `app-${index % 200}`, 'pod-template-hash': '5d8f7b6c9' },
      // In the place of an owner, which would have to exist.
      annotations: { 'example.com/from': 'apps/v1, ReplicaSet, web-5d8f7b6c9, 5f0c8b1e-1111-4000-8000-000000000000, controller' },
    },
    spec: {
      containers: [
        {
          name: 'main',
          image: 'registry.example/team/web:1.2.3',
          command: ['/bin/server', '--port', '8080', '--verbose'],
          env: Array.from({ length: 6 }, (_, variable) => ({ name: `VARIABLE_${variable}`, value: `value number ${variable}` })),
          resources: { requests: { cpu: '100m', memory: '64Mi' }, limits: { cpu: '1', memory: '128Mi' } },
          ports: [{ containerPort: 8080, protocol: 'TCP' }],
          terminationMessagePath: '/dev/termination-log',
          terminationMessagePolicy: 'File',
          imagePullPolicy: 'IfNotPresent',
        },
      ],
      restartPolicy: 'Always',
      terminationGracePeriodSeconds: 30,
      dnsPolicy: 'ClusterFirst',
      nodeName: `node-${index % nodeCount}`,
      schedulerName: 'nobody',
      serviceAccountName: 'default',
      securityContext: {},
      enableServiceLinks: true,
      priority: 0,
      preemptionPolicy: 'PreemptLowerPriority',
    },
    status: {
      phase: 'Running',
      conditions: ['PodScheduled', 'Initialized', 'ContainersReady', 'Ready'].map((type) => ({
        type,
        status: 'True',
        lastProbeTime: null,
        lastTransitionTime: time,
      })),
      podIP: `10.42.${(index >> 8) & 255}.${index & 255}`,
      startTime: time,
      qosClass: 'Burstable',
      containerStatuses: [
        {
          name: 'main',
          image: 'registry.example/team/web:1.2.3',
          imageID: `sha256:${number.repeat(5)}`,
          containerID: `containerd://${number.repeat(5)}`,
          ready: true,
          started: true,
          restartCount: 0,
          lastState: {},
          state: { running: { startedAt: time } },
        },
      ],
    },
  } as KubernetesObject;
}
