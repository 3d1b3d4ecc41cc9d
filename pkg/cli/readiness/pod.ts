import type { Pod } from '#api/shapes/types/core-v1';
import { containerTroubles, unscheduledMessage } from '../pod-trouble.ts';
import { defineReadiness } from './readiness.ts';

export const podReadiness = defineReadiness<Pod>('', 'Pod', (pod) => {
  const phase = pod.status?.phase ?? 'Pending';
  const isReady = pod.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') ?? false;
  const unscheduled = unscheduledMessage(pod);
  const message = unscheduled ?? containerTroubles(pod)[0] ?? pod.status?.message ?? '';
  return {
    ready: isReady ? 1 : 0,
    desired: 1,
    state: unscheduled === undefined ? phase : 'Unschedulable',
    verdict: isReady || phase === 'Succeeded' ? 'done' : phase === 'Failed' ? 'failed' : 'waiting',
    ...(message === '' || isReady || phase === 'Succeeded' ? {} : { message }),
  };
});
