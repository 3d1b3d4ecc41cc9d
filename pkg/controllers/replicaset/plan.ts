/** What a ReplicaSet needs, from what there is: pure. */
import { deepEqual } from '#api/equality';
import { matchesSelector, selectorOfLabels } from '#api/selector';
import type { ReplicaSet, ReplicaSetCondition, ReplicaSetStatus } from '#api/shapes/types/apps-v1';
import type { Pod, ReplicationController } from '#api/shapes/types/core-v1';
import { isActive, isReady, readyCondition, restartsOf, timeToAvailable } from '../pod-state.ts';

/** The older kind says the same of its pods. */
export type Replicated = ReplicaSet | ReplicationController;

export interface ReplicaSetPlan {
  readonly create: number;
  /** Those that can best be spared. */
  readonly remove: readonly Pod[];
  readonly status: ReplicaSetStatus;
  /** Milliseconds until a ready pod becomes available. */
  readonly after: number | undefined;
}

/** More than this is never created or removed in one step. */
const burst = 500;

/** `pods`: all that the ReplicaSet owns. A ReplicaSet that is being deleted keeps its hands still. */
export function planReplicaSet(replicaSet: Replicated, pods: readonly Pod[], now: number): ReplicaSetPlan {
  const active = pods.filter(isActive);
  const wanted = replicaSet.spec.replicas ?? 1;
  const missing = replicaSet.metadata.deletionTimestamp === undefined ? wanted - active.length : 0;
  const { status, after } = observe(replicaSet, active, now);
  return {
    create: Math.min(burst, Math.max(0, missing)),
    remove: missing < 0 ? spareable(active).slice(0, Math.min(burst, -missing)) : [],
    status,
    after,
  };
}

function observe(replicaSet: Replicated, active: readonly Pod[], now: number): { status: ReplicaSetStatus; after: number | undefined } {
  const labels = selectorOfLabels(replicaSet.spec.template?.metadata?.labels ?? {});
  const minReadySeconds = replicaSet.spec.minReadySeconds ?? 0;
  const waits = active.map((pod) => timeToAvailable(pod, minReadySeconds, now));
  const pending = waits.filter((wait) => wait !== undefined && wait > 0) as number[];
  return {
    status: {
      replicas: active.length,
      fullyLabeledReplicas: active.filter((pod) => matchesSelector(labels, pod.metadata.labels)).length,
      readyReplicas: active.filter(isReady).length,
      availableReplicas: waits.filter((wait) => wait === 0).length,
      observedGeneration: replicaSet.metadata.generation ?? 0,
      ...(replicaSet.status?.conditions === undefined ? {} : { conditions: replicaSet.status.conditions }),
    },
    after: pending.length === 0 ? undefined : Math.min(...pending),
  };
}

/** The status with the condition ReplicaFailure set, or without it. */
export function withFailure(
  status: ReplicaSetStatus,
  failure: { reason: string; message: string } | undefined,
  now: string,
): ReplicaSetStatus {
  const { conditions = [], ...rest } = status;
  const others = conditions.filter(({ type }) => type !== 'ReplicaFailure');
  const present = conditions.find(({ type }) => type === 'ReplicaFailure');
  if (failure !== undefined) {
    // The first message of a failure stays: a later one differs in the name of the pod alone, and each would be a change that wakes us again.
    const same = present !== undefined && present.reason === failure.reason;
    const condition: ReplicaSetCondition = { type: 'ReplicaFailure', status: 'True', lastTransitionTime: now, ...failure };
    others.push(same ? present : condition);
  }
  return others.length === 0 ? rest : { ...rest, conditions: others };
}

export function statusDiffers(a: ReplicaSetStatus | undefined, b: ReplicaSetStatus): boolean {
  const filled = (status: ReplicaSetStatus | undefined): unknown => ({
    fullyLabeledReplicas: 0,
    readyReplicas: 0,
    availableReplicas: 0,
    observedGeneration: 0,
    conditions: [],
    ...status,
  });
  return !deepEqual(filled(a), filled(b));
}

const deletionCost = 'controller.kubernetes.io/pod-deletion-cost';

/** Pods in the order in which they can be spared, as Kubernetes ranks them. */
export function spareable(pods: readonly Pod[]): Pod[] {
  const perNode = new Map<string, number>();
  for (const pod of pods) perNode.set(pod.spec.nodeName ?? '', (perNode.get(pod.spec.nodeName ?? '') ?? 0) + 1);
  const rank = (pod: Pod): number[] => [
    (pod.spec.nodeName ?? '') === '' ? 0 : 1,
    { Pending: 0, Unknown: 1 }[pod.status?.phase ?? 'Pending'] ?? 2,
    isReady(pod) ? 1 : 0,
    costOf(pod),
    -(perNode.get(pod.spec.nodeName ?? '') ?? 0),
    -timeOf(readyCondition(pod)?.lastTransitionTime),
    -restartsOf(pod),
    -timeOf(pod.metadata.creationTimestamp ?? undefined),
  ];
  return pods
    .map((pod) => ({ pod, rank: rank(pod) }))
    .toSorted((a, b) => compare(a.rank, b.rank) || ((a.pod.metadata.name ?? '') < (b.pod.metadata.name ?? '') ? -1 : 1))
    .map(({ pod }) => pod);
}

function compare(a: readonly number[], b: readonly number[]): number {
  for (const [index, left] of a.entries()) {
    const difference = left - (b[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

function costOf(pod: Pod): number {
  const cost = Number(pod.metadata.annotations?.[deletionCost] ?? 0);
  return Number.isInteger(cost) ? cost : 0;
}

function timeOf(text: string | undefined): number {
  const time = Date.parse(text ?? '');
  return Number.isNaN(time) ? 0 : time;
}
