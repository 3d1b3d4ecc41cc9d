import type { StatefulSet } from '#api/shapes/types/apps-v1';
import { defineReadiness, isObserved } from './readiness.ts';

/** With `OnDelete` old pods stay until someone deletes them: then it is enough that all are ready. */
export const statefulSetReadiness = defineReadiness<StatefulSet>('apps', 'StatefulSet', (set) => {
  const { spec, status } = set;
  const desired = spec?.replicas ?? 1;
  const isCurrent = isObserved(set);
  const partition = spec?.updateStrategy?.rollingUpdate?.partition ?? 0;
  const updates = spec?.updateStrategy?.type === 'OnDelete' ? 0 : Math.max(0, desired - partition);
  const ready = isCurrent ? (status?.readyReplicas ?? 0) : 0;
  const isUpdated = status?.currentRevision === status?.updateRevision || (status?.updatedReplicas ?? 0) >= updates;
  const done = isCurrent && ready >= desired && (status?.replicas ?? 0) === desired && isUpdated;
  return {
    ready,
    desired,
    state: done ? 'Ready' : 'Progressing',
    verdict: done ? 'done' : 'waiting',
    ...(spec?.selector === undefined ? {} : { selector: spec.selector }),
  };
});
