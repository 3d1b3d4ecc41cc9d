import { Counter, Gauge, type Registry } from 'prom-client';

export type AttemptResult = 'scheduled' | 'unschedulable' | 'error';

/** What the scheduler tells of itself. */
export interface SchedulerMetrics {
  attempted(result: AttemptResult): void;
  pending(active: number, unschedulable: number): void;
}

/** The scheduler's metrics under Kubernetes' names. */
export function createSchedulerMetrics(registry: Registry): SchedulerMetrics {
  const attempts = new Counter({
    name: 'scheduler_schedule_attempts_total',
    help: 'Number of attempts to schedule pods, by the result',
    labelNames: ['result', 'profile'] as const,
    registers: [registry],
  });
  const waiting = new Gauge({
    name: 'scheduler_pending_pods',
    help: 'Number of pending pods, by the queue type',
    labelNames: ['queue'] as const,
    registers: [registry],
  });
  return {
    attempted: (result) => attempts.inc({ result, profile: 'default-scheduler' }),
    pending: (active, unschedulable) => {
      waiting.set({ queue: 'active' }, active);
      waiting.set({ queue: 'unschedulable' }, unschedulable);
    },
  };
}
