/**
 * What a client that asks for too much does to others: one user lists everything in loops on many connections, while another goes on with small
 * requests; and watches that nobody reads while events go by.
 */
import { fork } from 'node:child_process';
import type { ClientHttp2Session } from 'node:http2';
import { join } from 'node:path';
import { systemClock } from '#base/clock';
import { repository } from '../harness/cluster.ts';
import { percentile, type Row } from './bench.ts';
import {
  type BenchServer,
  benchStores,
  cpuSeconds,
  fillWithPods,
  makeStore,
  openSession,
  residentMegabytes,
  startBenchServer,
  succeed,
} from './bench-server.ts';
import type { GreedyOrder, GreedyReport } from './greedy-client.ts';

export const name = 'overload';

const pods = 5_000;
const loops = 64;
const seconds = 6;
const slowReaders = 200;
const events = 10_000;

export async function run(): Promise<readonly Row[]> {
  const rows: Row[] = [];
  for (const store of benchStores()) {
    const home = await makeStore(store);
    try {
      await fillWithPods(home, pods);
      const server = await startBenchServer(home);
      try {
        const lists = await measureLists(server);
        // What waits for them is kept above the store: once is enough.
        const readers = store === 'sqlite' ? await measureSlowReaders(server) : [];
        rows.push(...[...lists, ...readers].map((row) => ({ ...row, name: `${store}: ${row.name}` })));
      } finally {
        await server.stop();
      }
    } finally {
      await home.remove();
    }
  }
  return rows;
}

async function measureLists(server: BenchServer): Promise<Row[]> {
  const session = openSession(server.connection);
  await succeed(session, 'POST', '/api/v1/namespaces/default/configmaps', {
    body: JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'one' } }),
  });
  await smallRequests(session, 2);
  const before = await smallRequests(session, seconds);
  const greedy = fork(join(repository, 'dist/test/bench/greedy-client.js'), { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  const order: GreedyOrder = { connection: server.connection, user: 'greedy', path: '/api/v1/pods', loops };
  greedy.send(order);
  await systemClock.sleep(3000);
  const [cpu, start] = [cpuSeconds(server.pid), performance.now()];
  const meanwhile = await smallRequests(session, seconds);
  const cores = (cpuSeconds(server.pid) - cpu) / ((performance.now() - start) / 1000);
  const report = await new Promise<GreedyReport>((resolve) => {
    greedy.once('message', resolve);
    greedy.send('end');
  });
  session.close();
  return [
    { name: 'small requests of one user, 99th percentile', value: percentile(before, 0.99), unit: 'ms' },
    { name: `... while another lists ${pods} pods in ${loops} loops`, value: percentile(meanwhile, 0.99), unit: 'ms' },
    { name: '... as a multiple', value: percentile(meanwhile, 0.99) / percentile(before, 0.99), unit: 'x', aim: 3 },
    { name: '... median', value: percentile(before, 0.5), unit: 'ms' },
    { name: '... while another lists', value: percentile(meanwhile, 0.5), unit: 'ms' },
    { name: '... lists answered', value: report.whole, unit: 'lists' },
    { name: '... CPU of the server while another lists', value: cores, unit: 'cores' },
  ];
}

/** One after the other: gets, and a write now and then; their times. */
async function smallRequests(session: ClientHttp2Session, time: number): Promise<number[]> {
  const path = '/api/v1/namespaces/default/configmaps/one';
  const times: number[] = [];
  const end = performance.now() + time * 1000;
  for (let count = 0; performance.now() < end; count++) {
    const from = performance.now();
    if (count % 10 === 9) {
      const body = JSON.stringify({ data: { count: String(count) } });
      await succeed(session, 'PATCH', path, { body, type: 'application/merge-patch+json', as: 'modest' });
    } else await succeed(session, 'GET', path, { as: 'modest' });
    times.push(performance.now() - from);
    // So that it is one who asks for little.
    await systemClock.sleep(2);
  }
  return times;
}

async function measureSlowReaders(server: BenchServer): Promise<Row[]> {
  const writer = openSession(server.connection);
  const path = '/api/v1/namespaces/default/secrets';
  const data = { text: Buffer.alloc(3000, 'x').toString('base64') };
  const object = (index: number): string => JSON.stringify({ apiVersion: 'v1', kind: 'Secret', metadata: { name: `one-${index}` }, data });
  for (let index = 0; index < 100; index++) await succeed(writer, 'POST', path, { body: object(index) });
  const sessions = Array.from({ length: slowReaders }, () => openSession(server.connection));
  await Promise.all(
    sessions.map(async (session, index) => {
      // Half of them ask for the same, half each for something of its own; none reads what comes.
      const selector = index % 2 === 0 ? '' : `&labelSelector=nobody-${index}!%3Dx`;
      const stream = session.request({ ':path': `${path}?watch=1&resourceVersion=0${selector}` });
      stream.on('error', () => undefined);
      await new Promise((resolve) => stream.once('response', resolve));
    }),
  );
  const before = residentMegabytes(server.pid);
  let most = 0;
  let next = 0;
  const write = async (): Promise<void> => {
    while (next < events) {
      const index = next++;
      const body = JSON.stringify({ metadata: { annotations: { count: String(index) } } });
      await succeed(writer, 'PATCH', `${path}/one-${index % 100}`, { body, type: 'application/merge-patch+json' });
      if (index % 500 === 0) most = Math.max(most, residentMegabytes(server.pid));
    }
  };
  await Promise.all(Array.from({ length: 32 }, write));
  most = Math.max(most, residentMegabytes(server.pid));
  // A watch that is stuck in its client is ended after a minute of that.
  let ended = 0;
  for (let tries = 0; tries < 80 && ended < slowReaders; tries++) {
    await systemClock.sleep(1000);
    ended = await endedWatches(writer);
  }
  for (const session of sessions) session.destroy();
  writer.close();
  return [
    { name: `resident, the most while ${slowReaders} watches are not read and ${events} events of 4 kB go by`, value: most, unit: 'MB' },
    { name: '... more than before', value: most - before, unit: 'MB' },
    { name: '... of these watches, ended by the server within 80 s', value: ended, unit: 'watches', aim: slowReaders },
  ];
}

async function endedWatches(session: ClientHttp2Session): Promise<number> {
  const { body } = await succeed(session, 'GET', '/metrics');
  return Number(/^apiserver_request_total\{verb="WATCH"[^}]*resource="secrets"[^}]*\} (\d+)$/m.exec(body.toString())?.[1] ?? 0);
}
