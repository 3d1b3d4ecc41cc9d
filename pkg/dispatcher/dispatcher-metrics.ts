import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

export interface DispatcherMetrics {
  readonly sessions: Gauge;
  readonly fenced: Counter;
  readonly refused: Counter;
  readonly assigned: Counter<'kind'>;
  readonly statusSeconds: Histogram;
  readonly tunnels: Gauge;
}

export function createDispatcherMetrics(registry: Registry): DispatcherMetrics {
  const registers = [registry];
  return {
    sessions: new Gauge({ name: 'berth_dispatcher_sessions', help: 'Agents that are connected to this server', registers }),
    fenced: new Counter({
      name: 'berth_dispatcher_sessions_fenced_total',
      help: 'Sessions ended by a newer one of the same node',
      registers,
    }),
    refused: new Counter({ name: 'berth_dispatcher_assignments_refused_total', help: 'Assignments that agents refused', registers }),
    assigned: new Counter({
      name: 'berth_dispatcher_assigned_objects_total',
      help: 'Objects sent to agents, in snapshots and as changes',
      labelNames: ['kind'],
      registers,
    }),
    statusSeconds: new Histogram({
      name: 'berth_dispatcher_status_write_duration_seconds',
      help: 'From a status batch having come to all of it being durable',
      buckets: [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1, 5],
      registers,
    }),
    tunnels: new Gauge({ name: 'berth_dispatcher_streams', help: 'Streams that are open to agents', registers }),
  };
}
