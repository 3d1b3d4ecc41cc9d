import type { DaemonSet } from '#api/shapes/types/apps-v1';
import { defineReadiness, isObserved } from './readiness.ts';

export const daemonSetReadiness = defineReadiness<DaemonSet>('apps', 'DaemonSet', (set) => {
  const { spec, status } = set;
  const isCurrent = isObserved(set);
  const desired = status?.desiredNumberScheduled ?? 0;
  const ready = isCurrent ? (status?.numberAvailable ?? 0) : 0;
  const isUpdated = spec?.updateStrategy?.type === 'OnDelete' || (status?.updatedNumberScheduled ?? 0) >= desired;
  const done = isCurrent && ready >= desired && isUpdated;
  return {
    ready,
    desired,
    state: done ? 'Available' : 'Progressing',
    verdict: done ? 'done' : 'waiting',
    ...(spec?.selector === undefined ? {} : { selector: spec.selector }),
  };
});
