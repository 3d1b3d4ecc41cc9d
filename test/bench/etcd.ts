/** The store on etcd: durable creates through `Store` with 64 writers, and consistent reads by another server; etcd runs beside it. */
import { systemClock } from '#base/clock';
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
  const servers = await Promise.all(
    [0, 1].map(async () => {
      const backend = await openEtcd({ endpoints: etcd.endpoints });
      const cache = new WatchCache({ backend, clock: systemClock });
      const running = cache.run(stop.signal);
      return { backend, cache, running, store: new Store(backend, cache) };
    }),
  );
  const [writer, reader] = servers as [(typeof servers)[0], (typeof servers)[0]];
  try {
    await Promise.all(servers.map(({ cache }) => cache.ready()));
    const writing = (await measureCreates(writer.store, creates)).map((row) => ({ ...row, ...(row.unit === '1/s' ? { aim: 2500 } : {}) }));
    return [...writing, ...(await measureReads(writer.store, reader.store))];
  } finally {
    stop.abort();
    await Promise.all(servers.map(({ running }) => running));
    await Promise.all(servers.map(({ backend }) => backend.close()));
    await etcd.stop();
  }
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
