/** Every kind with behaviour of its own, in the order in which kubectl lists them; all other stored kinds follow from the tables. */
import type { AnyKind } from '../kind.ts';
import { completeKinds, KindRegistry } from '../registry.ts';
import { clusterRole } from './cluster-role.ts';
import { clusterRoleBinding } from './cluster-role-binding.ts';
import { configMap } from './config-map.ts';
import { deployment } from './deployment.ts';
import { endpointSlice } from './endpoint-slice.ts';
import { event } from './event.ts';
import { horizontalPodAutoscaler } from './horizontal-pod-autoscaler.ts';
import { lease } from './lease.ts';
import { namespace } from './namespace.ts';
import { node } from './node.ts';
import { persistentVolume } from './persistent-volume.ts';
import { persistentVolumeClaim } from './persistent-volume-claim.ts';
import { pod } from './pod.ts';
import { priorityClass } from './priority-class.ts';
import { replicaSet } from './replica-set.ts';
import { role } from './role.ts';
import { roleBinding } from './role-binding.ts';
import { secret } from './secret.ts';
import { service } from './service.ts';
import { serviceAccount } from './service-account.ts';
import { stack } from './stack.ts';
import { storageClass } from './storage-class.ts';

export const writtenKinds: readonly AnyKind[] = [
  configMap,
  event,
  namespace,
  node,
  persistentVolumeClaim,
  persistentVolume,
  pod,
  secret,
  serviceAccount,
  service,
  deployment,
  replicaSet,
  horizontalPodAutoscaler,
  lease,
  endpointSlice,
  clusterRoleBinding,
  clusterRole,
  roleBinding,
  role,
  priorityClass,
  storageClass,
  stack,
];

/** All that is stored. */
export const kinds: readonly AnyKind[] = completeKinds(writtenKinds);

/** The registry that the server serves. */
export const kindRegistry: KindRegistry = new KindRegistry(kinds);
