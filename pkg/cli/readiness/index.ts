/** The kinds whose health `apply` waits for, beside Stacks. */
import { daemonSetReadiness } from './daemon-set.ts';
import { deploymentReadiness } from './deployment.ts';
import { jobReadiness } from './job.ts';
import { podReadiness } from './pod.ts';
import type { ReadinessOf } from './readiness.ts';
import { replicaSetReadiness } from './replica-set.ts';
import { statefulSetReadiness } from './stateful-set.ts';

export const readinessKinds: readonly ReadinessOf[] = [
  podReadiness,
  deploymentReadiness,
  statefulSetReadiness,
  daemonSetReadiness,
  jobReadiness,
  replicaSetReadiness,
];
