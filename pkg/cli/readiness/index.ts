/** The kinds whose health `apply` waits for, beside Stacks. */
import { deploymentReadiness } from './deployment.ts';
import { podReadiness } from './pod.ts';
import type { ReadinessOf } from './readiness.ts';
import { replicaSetReadiness } from './replica-set.ts';

export const readinessKinds: readonly ReadinessOf[] = [podReadiness, deploymentReadiness, replicaSetReadiness];
