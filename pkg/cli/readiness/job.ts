import type { Job } from '#api/shapes/types/batch-v1';
import { defineReadiness } from './readiness.ts';

/** A Job is well when it is under way as it should be: its work may take longer than anyone waits. */
export const jobReadiness = defineReadiness<Job>('batch', 'Job', ({ spec, status }) => {
  const desired = spec?.completions ?? spec?.parallelism ?? 1;
  const ready = status?.succeeded ?? 0;
  const condition = (type: string) => status?.conditions?.find((one) => one.type === type && one.status === 'True');
  const selector = spec?.selector === undefined ? {} : { selector: spec.selector };
  const failed = condition('Failed') ?? condition('FailureTarget');
  if (failed !== undefined) {
    return { ready, desired, state: failed.reason ?? 'Failed', verdict: 'failed', message: failed.message ?? '', ...selector };
  }
  if (condition('Complete') !== undefined) return { ready, desired, state: 'Complete', verdict: 'done', ...selector };
  if (spec?.suspend === true) return { ready, desired, state: 'Suspended', verdict: 'done', ...selector };
  const isUnderWay = (status?.ready ?? 0) > 0 || ready > 0;
  return { ready, desired, state: isUnderWay ? 'Running' : 'Starting', verdict: isUnderWay ? 'done' : 'waiting', ...selector };
});
