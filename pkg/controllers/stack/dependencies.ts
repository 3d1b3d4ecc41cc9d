/** What a service still waits for before its pods are made. Pure. */
import type { PlannedService } from '#compose/convert/convert-stack';
import type { ServiceView } from './service-view.ts';

export interface Blocker {
  readonly service: string;
  readonly reason: string;
  /** It will not come right by itself. */
  readonly failed: boolean;
}

/** The first dependency that is not there yet; undefined: pods may be made. Only the current templates of dependencies count. */
export function blockerOf(service: PlannedService, views: ReadonlyMap<string, ServiceView>): Blocker | undefined {
  for (const { service: name, condition, required } of service.dependencies) {
    const view = views.get(name);
    if (view === undefined) {
      if (required) return { service: name, reason: `waits for ${name}, which is not in the stack`, failed: true };
      continue;
    }
    const { replicas } = view.service;
    const failed = view.failed.length > 0;
    if (failed && !required) continue;
    const blocker = { service: name, failed };
    switch (condition) {
      case 'service_completed_successfully':
        if (!view.completed) {
          if (replicas === 0) return { ...blocker, reason: `waits for ${name} to complete, which has no replicas`, failed: true };
          return { ...blocker, reason: failed ? `waits for ${name} to complete, which failed` : `waits for ${name} to complete` };
        }
        break;
      case 'service_healthy':
        if (!view.service.hasHealth && !view.completed && view.started < replicas)
          return { ...blocker, reason: `waits for ${name} to start` };
        if (view.service.hasHealth && view.readyCurrent < replicas) {
          return { ...blocker, reason: failed ? `waits for ${name} to be healthy, which failed` : `waits for ${name} to be healthy` };
        }
        break;
      case 'service_started':
        // One that started and failed has started.
        if (!view.completed && view.started + view.failed.length < replicas)
          return { ...blocker, reason: `waits for ${name} to start`, failed: false };
        break;
      default:
        return { ...blocker, reason: `waits for ${name} to be ${String(condition satisfies never)}`, failed: true };
    }
  }
  return undefined;
}
