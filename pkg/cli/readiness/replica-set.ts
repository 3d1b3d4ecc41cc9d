import type { ReplicaSet } from '#api/shapes/types/apps-v1';
import { defineReadiness, isObserved } from './readiness.ts';

export const replicaSetReadiness = defineReadiness<ReplicaSet>('apps', 'ReplicaSet', (set) => {
  const desired = set.spec?.replicas ?? 1;
  const ready = isObserved(set) ? (set.status?.readyReplicas ?? 0) : 0;
  const done = isObserved(set) && ready >= desired && (set.status?.replicas ?? 0) === desired;
  return {
    ready,
    desired,
    state: done ? 'Available' : 'Progressing',
    verdict: done ? 'done' : 'waiting',
    ...(set.spec?.selector === undefined ? {} : { selector: set.spec.selector }),
  };
});
