/** The store on etcd: durable creates through `Store` with 64 writers, and consistent reads by another server; etcd runs beside it. */
import { systemClock } from '#base/clock';
import type { Backend } from '#storage/backend';
import { openEtcd } from '#storage/etcd/etcd-backend';
import { Store } from '#storage/store';
import { WatchCache } from '#storage/watch-cache';
import { missingForEtcd, startTestEtcd } from '../harness/etcd.ts';
import { percentile, type Row } from './bench.ts';
import { measureCreates, pods } from './storage.ts';

export const name = 'etcd';

export const missing = missingForEtcd;

const creates = 10_000;
const pairs = 2_000;
const lanes = 16;

export async function run(): Promise<readonly Row[]> {
  const etcd = await startTestEtcd();
  const stop = new AbortController();
  const servers: Server[] = [];
  const open = async (): Promise<Store> => {
    const backend = await openEtcd({ endpoints: etcd.endpoints });
    const cache = new WatchCache({ backend, clock: systemClock });
    servers.push({ backend, running: cache.run(stop.signal) });
    await cache.ready();
    return new Store(backend, cache);
  };
  try {
    const writer = await open();
    const writing = (await measureCreates(writer, creates)).map((row) => (row.unit === '1/s' ? { ...row, aim: 2500 } : row));
    return [...writing, ...(await measureReads(writer, await open()))];
  } finally {
    stop.abort();
    await Promise.all(servers.map(({ running }) => running));
    await Promise.all(servers.map(({ backend }) => backend.close()));
    await etcd.stop();
  }
}

interface Server {
  readonly backend: Backend;
  readonly running: Promise<void>;
}

/** Each object is written by one server and then read by the other. */
async function measureReads(writer: Store, reader: Store): Promise<readonly Row[]> {
  const latencies: number[] = [];
  const lane = async (number: number): Promise<void> => {
    for (let index = 0; index < pairs / lanes; index++) {
      const object = { apiVersion: 'v1', kind: 'Pod', metadata: { namespace: 'pairs', name: `pair-${number}-${index}` } };
      await writer.create(pods, object.metadata, object);
      const start = performance.now();
      await reader.get(pods, object.metadata);
      latencies.push(performance.now() - start);
    }
  };
  await Promise.all(Array.from({ length: lanes }, (_, number) => lane(number)));
  return [
    { name: `consistent read by another server, ${lanes} lanes, median`, value: percentile(latencies, 0.5), unit: 'ms' },
    { name: 'the same, 99th percentile', value: percentile(latencies, 0.99), unit: 'ms' },
  ];
}
