/** Long lists, over TLS and from outside the server's process: how long they take in each form, and how long another request waits meanwhile. */
import { percentile, type Row } from './bench.ts';
import { benchStores, cpuSeconds, fillWithPods, makeStore, openSession, startBenchServer, succeed } from './bench-server.ts';

export const name = 'lists';

const rounds = 5;
const forms = [
  ['JSON', 'application/json'],
  ['protobuf', 'application/vnd.kubernetes.protobuf'],
  ['Table', 'application/json;as=Table;g=meta.k8s.io;v=v1'],
] as const;

export async function run(): Promise<readonly Row[]> {
  const rows: Row[] = [];
  for (const store of benchStores()) {
    for (const count of [10_000, 50_000]) {
      const home = await makeStore(store);
      try {
        await fillWithPods(home, count);
        const server = await startBenchServer(home);
        const [lister, prober] = [openSession(server.connection), openSession(server.connection)];
        // What the parts of the server do at its start is not what is measured.
        for (let idle = false; !idle; ) {
          const before = cpuSeconds(server.pid);
          await new Promise((resolve) => setTimeout(resolve, 1000));
          idle = cpuSeconds(server.pid) - before < 0.2;
        }
        for (const [form, accept] of forms) {
          const times: number[] = [];
          const cpu: number[] = [];
          let wait = 0;
          for (let round = 0; round < rounds; round++) {
            let listing = true;
            const probing = (async () => {
              while (listing) {
                const from = performance.now();
                await succeed(prober, 'GET', '/livez');
                wait = Math.max(wait, performance.now() - from);
              }
            })();
            const [from, before] = [performance.now(), cpuSeconds(server.pid)];
            const { body } = await succeed(lister, 'GET', '/api/v1/pods', { accept });
            times.push(performance.now() - from);
            cpu.push((cpuSeconds(server.pid) - before) * 1000);
            listing = false;
            await probing;
            if (body.length < count * 100) throw new Error(`a list of ${count} pods has ${body.length} bytes`);
          }
          const what = `${store}: list of ${count} pods as ${form}`;
          rows.push(
            { name: `${what}, median`, value: percentile(times, 0.5), unit: 'ms' },
            { name: '... CPU of the server, median (what it was asked meanwhile included)', value: percentile(cpu, 0.5), unit: 'ms' },
            { name: '... longest wait of another request', value: wait, unit: 'ms', aim: 25 },
          );
        }
        lister.close();
        prober.close();
        await server.stop();
      } finally {
        await home.remove();
      }
    }
  }
  return rows;
}
