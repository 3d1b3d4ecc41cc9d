import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

/** What the store on etcd tells of itself. */
export interface EtcdObserver {
  /** Called when one has begun; what it gives is called when it has ended. */
  began(operation: string): (failed: boolean) => void;
}

/** The metrics of the store on etcd, under Kubernetes' names. `size` gives the bytes of its file; what it throws is passed over. */
export function createEtcdMetrics(registry: Registry, size: () => Promise<number>): EtcdObserver {
  const common = { labelNames: ['operation'] as const, registers: [registry] };
  const durations = new Histogram({
    ...common,
    name: 'etcd_request_duration_seconds',
    help: 'Etcd request latency in seconds for each operation',
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20],
  });
  const errors = new Counter({ ...common, name: 'etcd_request_errors_total', help: 'Etcd failed request counts for each operation' });
  // Asked for when the metrics are.
  const sizes: Gauge = new Gauge({
    name: 'apiserver_storage_size_bytes',
    help: 'Size of the storage database file physically allocated in bytes',
    registers: [registry],
    collect: async () => {
      const bytes = await size().catch(() => undefined);
      if (bytes !== undefined) sizes.set(bytes);
    },
  });
  return {
    began: (operation) => {
      const end = durations.startTimer({ operation });
      return (failed) => {
        end();
        if (failed) errors.inc({ operation });
      };
    },
  };
}
