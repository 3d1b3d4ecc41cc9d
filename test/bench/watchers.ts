/**
 * Many watchers of many changes: what they cost the server, and how late the changes come. The watches are in a process of their own that mostly
 * counts bytes; a few of them are read, and must have got every event.
 */
import { type ChildProcess, fork } from 'node:child_process';
import type { ClientHttp2Session } from 'node:http2';
import { join } from 'node:path';
import { systemClock } from '#base/clock';
import { repository } from '../harness/cluster.ts';
import type { Row } from './bench.ts';
import {
  type BenchServer,
  type BenchStore,
  benchStores,
  cpuSeconds,
  fillWithPods,
  makeStore,
  openSession,
  startBenchServer,
  succeed,
} from './bench-server.ts';
import type { WatchOrder, WatchReport } from './watch-client.ts';

export const name = 'watchers';

const watchers = 1_000;
const rate = 1_000;
const seconds = 8;
/** Objects that are written in turn. */
const objects = 200;
const readEvery = 100;

interface Scenario {
  readonly name: string;
  readonly mode: WatchOrder['mode'];
  readonly stores: readonly BenchStore[];
  readonly pathOf: (watcher: number) => string;
  readonly write: (session: ClientHttp2Session, index: number) => Promise<unknown>;
  readonly stamp: string;
  /** Of the events written, the share that each watcher gets. */
  readonly share: number;
}

const configMaps = '/api/v1/namespaces/default/configmaps';

function writeConfigMap(session: ClientHttp2Session, index: number): Promise<unknown> {
  const object = `map-${index % objects}`;
  return succeed(session, 'PUT', `${configMaps}/${object}`, {
    body: JSON.stringify({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: object },
      data: { sent: String(process.hrtime.bigint()), text: 'x'.repeat(200) },
    }),
  });
}

function writePod(session: ClientHttp2Session, index: number): Promise<unknown> {
  const pod = index % watchers;
  const path = `/api/v1/namespaces/team-${pod % 50}/pods/web-5d8f7b6c9-${String(pod).padStart(12, '0')}/status`;
  const body = JSON.stringify({ status: { message: `sent ${process.hrtime.bigint()}` } });
  return succeed(session, 'PATCH', path, { body, type: 'application/merge-patch+json' });
}

const scenarios: readonly Scenario[] = [
  {
    name: 'each sees all, on connections of their own',
    mode: 'connections',
    stores: ['sqlite', 'etcd'],
    pathOf: () => `${configMaps}?watch=1&resourceVersion=REVISION`,
    write: writeConfigMap,
    stamp: '"sent":"',
    share: 1,
  },
  {
    name: 'each sees all, 100 on a session',
    mode: 'sessions',
    stores: ['sqlite'],
    pathOf: () => `${configMaps}?watch=1&resourceVersion=REVISION`,
    write: writeConfigMap,
    stamp: '"sent":"',
    share: 1,
  },
  {
    name: "each sees its node's pods, on connections of their own",
    mode: 'connections',
    stores: ['sqlite'],
    pathOf: (watcher) => `/api/v1/pods?watch=1&resourceVersion=REVISION&fieldSelector=spec.nodeName%3Dnode-${watcher}`,
    write: writePod,
    stamp: 'sent ',
    share: 1 / watchers,
  },
  {
    name: 'each has a label selector of its own that finds 5 of 1,000 pods',
    mode: 'connections',
    stores: ['sqlite'],
    pathOf: (watcher) => `/api/v1/pods?watch=1&resourceVersion=REVISION&labelSelector=app%3Dapp-${watcher % 200},nobody-${watcher}!%3Dx`,
    write: writePod,
    stamp: 'sent ',
    share: 5 / watchers,
  },
];

export async function run(): Promise<readonly Row[]> {
  const rows: Row[] = [];
  // Narrows the run to scenarios whose name has this.
  const only = process.env.BERTH_BENCH_SCENARIO;
  for (const store of benchStores()) {
    const home = await makeStore(store);
    try {
      await fillWithPods(home, watchers);
      const server = await startBenchServer(home);
      try {
        const session = openSession(server.connection);
        for (let index = 0; index < objects; index++) {
          const body = JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: `map-${index}` } });
          await succeed(session, 'POST', configMaps, { body });
        }
        for (const scenario of scenarios) {
          if (!scenario.stores.includes(store) || (only !== undefined && !scenario.name.includes(only))) continue;
          rows.push(...(await measure(store, server, session, scenario)));
        }
        session.close();
      } finally {
        await server.stop();
      }
    } finally {
      await home.remove();
    }
  }
  return rows;
}

async function measure(store: BenchStore, server: BenchServer, session: ClientHttp2Session, scenario: Scenario): Promise<Row[]> {
  await write(session, scenario, 2);
  const without = await cpuWhile(server.pid, () => write(session, scenario, seconds));
  const client = fork(join(repository, 'dist/test/bench/watch-client.js'), { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  try {
    const { body } = await succeed(session, 'GET', `${configMaps}?limit=1`);
    const { resourceVersion } = (JSON.parse(body.toString()) as { metadata: { resourceVersion: string } }).metadata;
    const paths = Array.from({ length: watchers }, (_, watcher) => scenario.pathOf(watcher).replace('REVISION', resourceVersion));
    await ask(client, { connection: server.connection, mode: scenario.mode, paths, readEvery, stamp: scenario.stamp });
    await write(session, scenario, 2);
    await systemClock.sleep(1000);
    const before = await ask(client, 'begin');
    const cpu = await cpuWhile(server.pid, () => write(session, scenario, seconds));
    await systemClock.sleep(2000);
    const report = await ask(client, 'report');
    check(scenario, report, cpu.written);
    // What the changes themselves cost, at the rate of this run and at the rate that is aimed at.
    const perWrite = (without.cores * without.time) / without.written;
    const forWatchers = cpu.cores * cpu.time - perWrite * cpu.written;
    const name = `${store}, ${watchers} watchers: ${scenario.name}`;
    return [
      { name: `${name}: changes`, value: cpu.written / cpu.time, unit: '1/s', aim: rate },
      { name: '... bytes of an event', value: percentOf(report), unit: 'B' },
      {
        name: `... CPU of the server for the watchers, at ${rate} changes a second`,
        value: (forWatchers / cpu.written) * rate,
        unit: 'cores',
        aim: 1,
      },
      { name: `... CPU of the server for the changes alone, at ${rate} a second`, value: perWrite * rate, unit: 'cores' },
      { name: '... CPU of the client', value: (report.cpuSeconds - before.cpuSeconds) / cpu.time, unit: 'cores' },
      { name: '... from the write to the delivery, median', value: report.median, unit: 'ms' },
      { name: '... from the write to the delivery, 99th percentile', value: report.p99, unit: 'ms' },
    ];
  } finally {
    const ended = new Promise((resolve) => client.once('exit', resolve));
    client.send('end');
    await ended;
  }
}

function percentOf(report: WatchReport): number {
  return report.bytes.reduce((sum, bytes) => sum + bytes, 0) / report.events.reduce((sum, events) => sum + events, 0);
}

/** Every watch that was read has all its events, and every one that was counted at least as many bytes. */
function check(scenario: Scenario, report: WatchReport, written: number): void {
  const expected = Math.floor(written * scenario.share);
  const fewest = Math.min(...report.events);
  if (fewest < expected * 0.99 - 1) throw new Error(`a watch saw ${fewest} of ${expected} events`);
  const leastBytes = Math.min(...report.bytes);
  const leastCounted = Math.min(...report.counted);
  if (scenario.share === 1 && leastCounted < leastBytes) throw new Error(`a watch got ${leastCounted} bytes, others ${leastBytes}`);
}

async function cpuWhile<T extends object>(
  pid: number,
  work: () => Promise<T>,
): Promise<T & { readonly cores: number; readonly time: number }> {
  const [before, start] = [cpuSeconds(pid), performance.now()];
  const result = await work();
  const time = (performance.now() - start) / 1000;
  return { ...result, cores: (cpuSeconds(pid) - before) / time, time };
}

/** So many writes a second, or as many as the server takes with 100 under way. */
async function write(session: ClientHttp2Session, scenario: Scenario, time: number): Promise<{ readonly written: number }> {
  const total = time * rate;
  const start = performance.now();
  let written = 0;
  const underWay = new Set<Promise<unknown>>();
  while (written < total && performance.now() - start < 3000 * time) {
    const due = Math.min(total, Math.floor(((performance.now() - start) / 1000) * rate));
    for (; written < due && underWay.size < 100; written++) {
      const writing = scenario.write(session, written).finally(() => underWay.delete(writing));
      underWay.add(writing);
    }
    await systemClock.sleep(3);
  }
  await Promise.all(underWay);
  return { written };
}

function ask(client: ChildProcess, message: WatchOrder | 'begin' | 'report'): Promise<WatchReport> {
  return new Promise((resolve, reject) => {
    const onExit = (code: number | null): void => reject(new Error(`the watching process ended with ${code}`));
    client.once('exit', onExit);
    client.once('message', (report: WatchReport) => {
      client.removeListener('exit', onExit);
      resolve(report);
    });
    client.send(message);
  });
}
