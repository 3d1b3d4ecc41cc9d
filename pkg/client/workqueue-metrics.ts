import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { WorkQueueObserver } from './workqueue.ts';

const seconds = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 60];

/** The metrics of work queues under Kubernetes' names, one set for all queues of a process; gives the observer of a named queue. */
export function createWorkQueueMetrics(registry: Registry): (name: string) => WorkQueueObserver {
  const common = { labelNames: ['name'] as const, registers: [registry] };
  const depth = new Gauge({ ...common, name: 'workqueue_depth', help: 'Current depth of workqueue' });
  const adds = new Counter({ ...common, name: 'workqueue_adds_total', help: 'Total number of adds handled by workqueue' });
  const retries = new Counter({ ...common, name: 'workqueue_retries_total', help: 'Total number of retries handled by workqueue' });
  const waits = new Histogram({
    ...common,
    name: 'workqueue_queue_duration_seconds',
    help: 'How long in seconds an item stays in workqueue before being requested',
    buckets: seconds,
  });
  const works = new Histogram({
    ...common,
    name: 'workqueue_work_duration_seconds',
    help: 'How long in seconds processing an item from workqueue takes',
    buckets: seconds,
  });
  return (name) => {
    const labels = { name };
    const [depthOf, addsOf, retriesOf] = [depth.labels(labels), adds.labels(labels), retries.labels(labels)];
    const [waitsOf, worksOf] = [waits.labels(labels), works.labels(labels)];
    return {
      added: (length) => {
        addsOf.inc();
        depthOf.set(length);
      },
      taken: (length, waited) => {
        depthOf.set(length);
        waitsOf.observe(waited / 1000);
      },
      done: (worked) => worksOf.observe(worked / 1000),
      retried: () => retriesOf.inc(),
    };
  };
}
