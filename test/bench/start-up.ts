/** How soon a server is ready that has much in its store, what it takes of memory then, and when all of its parts have seen everything. */
import { systemClock } from '#base/clock';
import type { Row } from './bench.ts';
import {
  benchStores,
  cpuSeconds,
  fillWithPods,
  makeStore,
  openSession,
  residentMegabytes,
  startBenchServer,
  succeed,
} from './bench-server.ts';

export const name = 'start-up';

const count = 100_000;

export async function run(): Promise<readonly Row[]> {
  const rows: Row[] = [];
  for (const store of benchStores()) {
    const home = await makeStore(store);
    try {
      await fillWithPods(home, count);
      const server = await startBenchServer(home);
      const ready = residentMegabytes(server.pid);
      await untilIdle(server.pid);
      const settled = residentMegabytes(server.pid);
      const session = openSession(server.connection);
      const { body } = await succeed(session, 'GET', '/api/v1/pods?limit=1');
      session.close();
      const { metadata } = JSON.parse(body.toString()) as { metadata: { remainingItemCount?: number } };
      if (metadata.remainingItemCount !== count - 1)
        throw new Error(`there are ${metadata.remainingItemCount} more pods, not ${count - 1}`);
      rows.push(
        { name: `${store}: start with ${count} pods, to ready`, value: server.startTime / 1000, unit: 's', aim: 5 },
        { name: `${store}: resident when ready`, value: ready, unit: 'MB', aim: 600 },
        { name: `${store}: resident when scheduler, controllers and dispatcher have seen all`, value: settled, unit: 'MB' },
        { name: `${store}: the most that was resident`, value: residentMegabytes(server.pid, 'VmHWM'), unit: 'MB' },
      );
      await server.stop();
    } finally {
      await home.remove();
    }
  }
  return rows;
}

/** Until the process has used less than a tenth of a core for two seconds; two minutes at most. */
async function untilIdle(pid: number): Promise<void> {
  for (let tries = 0; tries < 60; tries++) {
    const before = cpuSeconds(pid);
    await systemClock.sleep(2000);
    if (cpuSeconds(pid) - before < 0.2) return;
  }
}
