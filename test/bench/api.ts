/**
 * The API over TLS, on both stores: creates, updates and gets with 64 connections, protobuf against JSON, HTTP/1.1 against HTTP/2, and two servers over
 * one etcd against one. Server and load are processes of their own; on two cores the load takes up to one of them, so that beside each rate stands what a
 * request costs the server: of its main thread, which is what bounds it, and how many a second a whole core of all its threads would serve.
 */
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Row } from './bench.ts';
import { type BenchServer, type BenchStore, benchStores, makeStore, type StoreHome, startBenchServer } from './bench-server.ts';
import { type LoadJob, type LoadResult, runLoad } from './load.ts';

export const name = 'api';

const connections = 64;
const count = 10_000;
const warmUp = 5_000;
const lists = 12;
const aims: Readonly<Record<BenchStore, Readonly<Partial<Record<LoadJob['verb'], number>>>>> = {
  sqlite: { create: 6000 },
  etcd: { create: 2500 },
};

export async function run(): Promise<readonly Row[]> {
  const rows: Row[] = [];
  for (const store of benchStores()) {
    const home = await makeStore(store);
    try {
      const server = await startBenchServer(home);
      const load = (job: Partial<LoadJob>): Promise<LoadResult> => loadOn([server], job);
      rows.push(...(await measureVerbs(store, load)), ...(await measureForms(store, load)));
      if (home.etcd !== undefined) rows.push(...(await measureTwo(home, server)));
      await server.stop();
    } finally {
      await home.remove();
    }
  }
  return rows;
}

type Load = (job: Partial<LoadJob>) => Promise<LoadResult>;

function loadOn(servers: readonly BenchServer[], job: Partial<LoadJob>): Promise<LoadResult> {
  return runLoad(
    {
      servers: servers.map(({ connection }) => connection),
      connections,
      protocol: 'h2',
      encoding: 'json',
      verb: 'create',
      resource: 'pods',
      prefix: 'json',
      count,
      warmUp,
      ...job,
    },
    servers.map(({ pid }) => pid),
  );
}

async function measureVerbs(store: BenchStore, load: Load): Promise<readonly Row[]> {
  const rows: Row[] = [];
  for (const resource of ['pods', 'configmaps'] as const) {
    for (const verb of ['create', 'update', 'get'] as const) {
      const result = await load({ resource, verb });
      const aim = resource === 'pods' ? aims[store][verb] : undefined;
      rows.push(
        {
          name: `${store}: ${verb}s of ${resource}, ${connections} connections`,
          value: result.rate,
          unit: '1/s',
          ...(aim === undefined ? {} : { aim }),
        },
        { name: '... 99th percentile', value: result.p99, unit: 'ms' },
        { name: "... CPU of the server's main thread for each", value: result.mainCpu, unit: 'us' },
        { name: '... for each second of CPU of all its threads', value: 1_000_000 / result.allCpu, unit: '1/s' },
      );
    }
  }
  return rows;
}

/** By CPU, which says more than the rate where the load needs some of it too. */
async function measureForms(store: BenchStore, load: Load): Promise<readonly Row[]> {
  const rows: Row[] = [];
  const compare = async (what: string, job: Partial<LoadJob>, other: Partial<LoadJob>, against: string): Promise<void> => {
    const one = await load(job);
    const two = await load({ ...job, ...other });
    rows.push({ name: `${store}: ${what}, ${against}, CPU`, value: two.allCpu / one.allCpu, unit: 'x' });
  };
  const protobuf = { encoding: 'protobuf', prefix: 'protobuf' } as const;
  await compare('creates of pods', { prefix: 'again' }, protobuf, 'protobuf against JSON');
  await compare('gets of pods', { verb: 'get' }, protobuf, 'protobuf against JSON');
  const listing = { verb: 'list', connections: 2, count: lists, warmUp: 2 } as const;
  await compare('lists of all pods', listing, { encoding: 'protobuf' }, 'protobuf against JSON');
  await compare('creates of pods', { prefix: 'third' }, { protocol: 'http/1.1', prefix: 'fourth' }, 'HTTP/1.1 against HTTP/2');
  await compare('gets of pods', { verb: 'get' }, { protocol: 'http/1.1' }, 'HTTP/1.1 against HTTP/2');
  return rows;
}

/** Clients alternate between the servers: half of the connections are to each. */
async function measureTwo(home: StoreHome, first: BenchServer): Promise<readonly Row[]> {
  const folder = mkdtempSync(join(tmpdir(), 'berth-bench-'));
  cpSync(join(home.home, 'pki'), join(folder, 'pki'), { recursive: true });
  const second = await startBenchServer({ ...home, home: folder });
  try {
    const rows: Row[] = [];
    for (const verb of ['create', 'get'] as const) {
      const one = await loadOn([first], { verb, prefix: 'one' });
      const two = await loadOn([first, second], { verb, prefix: verb === 'create' ? 'two' : 'one' });
      rows.push(
        { name: `two servers over one etcd: ${verb}s of pods, ${connections} connections`, value: two.rate, unit: '1/s' },
        { name: '... against one server', value: two.rate / one.rate, unit: 'x' },
        { name: "... CPU of both servers' main threads for each", value: two.mainCpu, unit: 'us' },
      );
    }
    return rows;
  } finally {
    await second.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}
