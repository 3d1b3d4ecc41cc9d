/** The process that puts load on a server: one job by message, warm-up, and at the word `go` the requests that are measured. See load.ts. */
import type { KubernetesObject } from '#api/object';
import { encodeProtobuf } from '#api/protobuf/envelope';
import { percentile } from './bench.ts';
import { type LeanConnection, type LeanRequest, openLean } from './lean-connection.ts';
import type { LoadJob, LoadReport } from './load.ts';

const types = {
  json: { accept: 'application/json, */*', contentType: 'application/json' },
  protobuf: { accept: 'application/vnd.kubernetes.protobuf', contentType: 'application/vnd.kubernetes.protobuf' },
} as const;

process.once('message', (job: LoadJob) => {
  run(job).catch((error: unknown) => {
    report({ type: 'failed', message: error instanceof Error ? error.message : String(error) });
  });
});

async function run(job: LoadJob): Promise<void> {
  const connections = await Promise.all(
    Array.from({ length: job.connections }, (_, index) =>
      openLean(job.servers[index % job.servers.length]!, job.protocol, types[job.encoding]),
    ),
  );
  const { warmUp, measured } = job.verb === 'update' ? await updatesOf(job, connections[0]!) : requestsOf(job);
  await sendAll(connections, warmUp);
  const go = new Promise((resolve) => process.once('message', resolve));
  report({ type: 'warm' });
  await go;
  const cpu = process.cpuUsage();
  const start = performance.now();
  const latencies = await sendAll(connections, measured);
  const seconds = (performance.now() - start) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  for (const connection of connections) connection.close();
  report({
    type: 'done',
    seconds,
    median: percentile(latencies, 0.5),
    p99: percentile(latencies, 0.99),
    ownCpu: (user + system) / job.count,
  });
}

/** Each connection sends the next request when the one before was answered. */
async function sendAll(connections: readonly LeanConnection[], requests: readonly LeanRequest[]): Promise<readonly number[]> {
  const latencies: number[] = [];
  let next = 0;
  await Promise.all(
    connections.map(async (connection) => {
      for (let index = next++; index < requests.length; index = next++) {
        const from = performance.now();
        const body = await connection.send(requests[index]!);
        if (body.length === 0) throw new Error('an empty reply');
        latencies.push(performance.now() - from);
      }
    }),
  );
  return latencies;
}

interface Requests {
  readonly warmUp: readonly LeanRequest[];
  readonly measured: readonly LeanRequest[];
}

function requestsOf(job: LoadJob): Requests {
  const path = collectionOf(job);
  const make = (name: string, version: number): LeanRequest => {
    if (job.verb === 'list') return { method: 'GET', path };
    if (job.verb === 'get') return { method: 'GET', path: `${path}/${name}` };
    const object = job.resource === 'pods' ? podOf(name, version) : configMapOf(name, version);
    const bytes = (): Uint8Array => encodeProtobuf(job.resource === 'pods' ? 'core.v1.Pod' : 'core.v1.ConfigMap', object);
    return { method: 'POST', path, body: job.encoding === 'json' ? Buffer.from(JSON.stringify(object)) : bytes() };
  };
  return {
    warmUp: Array.from({ length: job.warmUp }, (_, index) =>
      make(job.verb === 'create' ? `${job.prefix}-warm-up-${index}` : `${job.prefix}-${index % job.count}`, index),
    ),
    measured: Array.from({ length: job.count }, (_, index) => make(`${job.prefix}-${index}`, index)),
  };
}

/** The objects as they are, with one annotation changed, twice: each update changes something, whatever it is at. */
async function updatesOf(job: LoadJob, connection: LeanConnection): Promise<Requests> {
  const warmUp: LeanRequest[] = [];
  const measured: LeanRequest[] = [];
  for (let index = 0; index < job.count; index++) {
    const path = `${collectionOf(job)}/${job.prefix}-${index}`;
    const object = JSON.parse((await connection.send({ method: 'GET', path })).toString()) as KubernetesObject;
    const { resourceVersion: _, ...metadata } = object.metadata;
    const update = (version: string): LeanRequest => ({
      method: 'PUT',
      path,
      body: Buffer.from(JSON.stringify({ ...object, metadata: { ...metadata, annotations: { version } } })),
    });
    if (index < job.warmUp) warmUp.push(update(`warm-up-${index}`));
    measured.push(update(`measured-${index}`));
  }
  return { warmUp, measured };
}

function collectionOf(job: LoadJob): string {
  return `/api/v1/namespaces/default/${job.resource}`;
}

function podOf(name: string, version: number): { apiVersion: string; kind: string } {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, labels: { app: `app-${version % 50}` }, annotations: { version: String(version) } },
    // Nobody's to place: what is measured is the API alone.
    spec: {
      schedulerName: 'nobody',
      containers: [
        {
          name: 'main',
          image: 'berth.local/none:1',
          env: [{ name: 'NAME', value: name }],
          resources: { requests: { cpu: '10m', memory: '16Mi' } },
        },
      ],
    },
  } as { apiVersion: string; kind: string };
}

function configMapOf(name: string, version: number): { apiVersion: string; kind: string } {
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name },
    data: { version: String(version), text: 'Berth gives containers their place on a pool of servers. '.repeat(8) },
  } as { apiVersion: string; kind: string };
}

function report(message: LoadReport): void {
  process.send?.(message);
}
