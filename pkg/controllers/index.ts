/** The controllers of a server, in the order in which they are made. One line here adds one. */
import type { Runnable } from '#base/lifecycle';
import { certificateSigning } from './certificate-signing/certificate-signing.ts';
import type { Controller, ControllerEnvironment } from './controller.ts';
import { cronjob } from './cronjob/cronjob.ts';
import { daemonset } from './daemonset/daemonset.ts';
import { deployment } from './deployment/deployment.ts';
import { disruption } from './disruption/disruption.ts';
import { endpointsController } from './endpoints.ts';
import { endpointslice } from './endpointslice/endpointslice.ts';
import { endpointsliceMirroring } from './endpointslice/mirroring.ts';
import { eventExpiry } from './event-expiry.ts';
import { garbageCollection } from './garbage-collection/garbage-collection.ts';
import { job } from './job/job.ts';
import { loadBalancer } from './load-balancer.ts';
import { claimProtection } from './local-volume/claim-protection.ts';
import { claims } from './local-volume/claims.ts';
import { releasedVolumes } from './local-volume/released-volumes.ts';
import { namespaceDefaults } from './namespace-defaults.ts';
import { namespaceDeletion } from './namespace-deletion.ts';
import { nodeLifecycle } from './node-lifecycle/node-lifecycle.ts';
import { taintEviction } from './node-lifecycle/taint-eviction.ts';
import { podCollection } from './pod-collection.ts';
import { replicaset, replicationController } from './replicaset/replicaset.ts';
import { resourceQuota } from './resourcequota/resourcequota.ts';
import { serviceAccountTokens } from './service-account-tokens.ts';
import { stack } from './stack/stack.ts';
import { statefulset } from './statefulset/statefulset.ts';
import { untakenPods } from './untaken-pods.ts';

export const controllers: readonly Controller[] = [
  namespaceDefaults,
  namespaceDeletion,
  garbageCollection,
  nodeLifecycle,
  taintEviction,
  podCollection,
  untakenPods,
  claims,
  releasedVolumes,
  claimProtection,
  daemonset,
  deployment,
  replicaset,
  replicationController,
  statefulset,
  job,
  cronjob,
  disruption,
  resourceQuota,
  stack,
  endpointslice,
  endpointsliceMirroring,
  endpointsController,
  loadBalancer,
  certificateSigning,
  serviceAccountTokens,
  eventExpiry,
];

/** All controllers, to be run beside `environment.informers`, which the caller runs. */
export function createControllers(environment: ControllerEnvironment, list: readonly Controller[] = controllers): Runnable[] {
  return list.map((controller) => controller.create(environment));
}
