import type { Probe } from '#api/shapes/types/core-v1';
import { parseDuration } from '../load/units.ts';
import type { HealthCheck } from '../model.ts';
import type { Section } from './section.ts';

/**
 * A healthcheck decides who is ready and never ends a container: Compose does not either. Times are whole seconds, at least one. Before its first success
 * a container is not healthy in any case, so start_period needs nothing.
 */
export const healthcheck: Section = {
  name: 'healthcheck',
  keys: ['healthcheck'],
  apply({ service }, { container }) {
    const probe = probeOf(service.healthcheck);
    if (probe !== undefined) container.readinessProbe = probe;
  },
};

/** Undefined: the service has no healthcheck, or it is disabled. One that only the image has is not known here. */
export function probeOf(check: HealthCheck | undefined): Probe | undefined {
  const [kind, ...words] = check?.test ?? [];
  if (check === undefined || check.disable === true || kind === undefined || kind === 'NONE') return undefined;
  return {
    exec: { command: kind === 'CMD-SHELL' ? ['/bin/sh', '-c', words.join(' ')] : words },
    periodSeconds: seconds(check.interval, 30),
    timeoutSeconds: seconds(check.timeout, 30),
    failureThreshold: check.retries === undefined || check.retries === 0 ? 3 : check.retries,
  };
}

function seconds(duration: string | undefined, fallback: number): number {
  const value = duration === undefined ? 0 : parseDuration(duration);
  return value === 0 ? fallback : Math.max(1, Math.ceil(value / 1e9));
}
