import type { Deployment } from '#api/shapes/types/apps-v1';
import { defineReadiness, isObserved } from './readiness.ts';

export const deploymentReadiness = defineReadiness<Deployment>('apps', 'Deployment', (deployment) => {
  const { spec, status } = deployment;
  const desired = spec?.replicas ?? 1;
  const current = isObserved(deployment);
  const ready = current ? Math.min(status?.updatedReplicas ?? 0, status?.availableReplicas ?? 0) : 0;
  const done = current && ready >= desired && (status?.replicas ?? 0) === desired;
  const stopped = current ? status?.conditions?.find(({ type, status: value }) => type === 'Progressing' && value === 'False') : undefined;
  const selector = spec?.selector === undefined ? {} : { selector: spec.selector };
  if (done) return { ready, desired, state: 'Available', verdict: 'done', ...selector };
  if (spec?.paused === true) return { ready, desired, state: 'Paused', verdict: 'done', ...selector };
  if (stopped === undefined) return { ready, desired, state: 'Progressing', verdict: 'waiting', ...selector };
  return { ready, desired, state: stopped.reason ?? 'Failed', verdict: 'failed', message: stopped.message ?? '', ...selector };
});
