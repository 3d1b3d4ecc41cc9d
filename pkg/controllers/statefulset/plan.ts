/**
 * Which pods of a StatefulSet come and go next: pure. Ordered sets move one pod at a time, upwards when they grow and downwards when they shrink or
 * change, and only past pods that serve; parallel sets grow and shrink at once, and change one after the other like the others.
 */

import { scaledValue } from '#api/int-or-string';
import { isTerminal } from '#api/pod-phase';
import type { StatefulSet, StatefulSetStatus } from '#api/shapes/types/apps-v1';
import type { Pod } from '#api/shapes/types/core-v1';
import { revisionHashLabel } from '../controller-revisions.ts';
import { isReady, timeToAvailable } from '../pod-state.ts';
import { hasIdentity, ordinalOf, startOf } from './identity.ts';

/** Names of ControllerRevisions. */
export interface Revisions {
  /** What pods had before the change that is being brought out; the update's own where there is none. */
  readonly current: string;
  readonly update: string;
}

export interface NewPod {
  readonly ordinal: number;
  readonly revision: string;
}

export interface StatefulSetPlan {
  readonly create: readonly NewPod[];
  readonly remove: readonly Pod[];
  /** Pods that have ended: they are removed to be made again. */
  readonly ended: readonly Pod[];
  /** Pods that lack the labels of their identity. */
  readonly relabel: readonly Pod[];
  /** Ordinals beyond the size that is wanted. */
  readonly condemned: readonly Pod[];
  readonly status: StatefulSetStatus;
  /** Milliseconds until a ready pod becomes available. */
  readonly after: number | undefined;
}

interface View {
  readonly set: StatefulSet;
  readonly revisions: Revisions;
  readonly isOrdered: boolean;
  isHealthy(pod: Pod): boolean;
  isAvailable(pod: Pod): boolean;
}

interface Moves {
  readonly create?: readonly NewPod[];
  readonly remove?: readonly Pod[];
  readonly ended?: readonly Pod[];
}

/** `pods`: all that the set owns. */
export function planStatefulSet(set: StatefulSet, pods: readonly Pod[], revisions: Revisions, now: number): StatefulSetPlan {
  const start = startOf(set);
  const wanted = set.spec.replicas ?? 1;
  const minReadySeconds = set.spec.minReadySeconds ?? 0;
  const byOrdinal = new Map(pods.flatMap((pod) => entryOf(set, pod)));
  const replicas = Array.from({ length: wanted }, (_, index) => byOrdinal.get(start + index));
  const condemned = [...byOrdinal]
    .filter(([ordinal]) => ordinal < start || ordinal >= start + wanted)
    .toSorted(([a], [b]) => b - a)
    .map(([, pod]) => pod);
  const isHealthy = (pod: Pod): boolean => isRunningAndReady(pod) && !isGoing(pod);
  const view: View = {
    set,
    revisions,
    isOrdered: set.spec.podManagementPolicy !== 'Parallel',
    isHealthy,
    isAvailable: (pod) => isHealthy(pod) && timeToAvailable(pod, minReadySeconds, now) === 0,
  };
  const isLive = set.metadata.deletionTimestamp === undefined;
  const moves = isLive ? nextMoves(view, replicas, condemned) : {};
  const waits = pods.map((pod) => timeToAvailable(pod, minReadySeconds, now)).filter((wait) => wait !== undefined && wait > 0) as number[];
  return {
    create: moves.create ?? [],
    remove: moves.remove ?? [],
    ended: moves.ended ?? [],
    relabel: isLive
      ? [...byOrdinal].filter(([ordinal, pod]) => !isGoing(pod) && !hasIdentity(set, pod, ordinal)).map(([, pod]) => pod)
      : [],
    condemned,
    status: statusOf(view, [...byOrdinal.values()]),
    after: waits.length === 0 ? undefined : Math.min(...waits),
  };
}

function entryOf(set: StatefulSet, pod: Pod): [number, Pod][] {
  const ordinal = ordinalOf(set, pod);
  return ordinal === undefined ? [] : [[ordinal, pod]];
}

function isGoing(pod: Pod): boolean {
  return pod.metadata.deletionTimestamp !== undefined;
}

function isRunningAndReady(pod: Pod): boolean {
  return pod.status?.phase === 'Running' && isReady(pod);
}

function nextMoves(view: View, replicas: readonly (Pod | undefined)[], condemned: readonly Pod[]): Moves {
  const growing = view.isOrdered ? growOrdered(view, replicas) : growParallel(view, replicas);
  if (growing !== undefined) return growing;
  const shrinking = view.isOrdered ? shrinkOrdered(view, replicas, condemned) : shrinkParallel(condemned);
  if (shrinking !== undefined) return shrinking;
  return { remove: outdated(view, replicas as readonly Pod[]) };
}

/** Undefined: all are there and serve. Otherwise the one step that can be made, which may be to wait. */
function growOrdered(view: View, replicas: readonly (Pod | undefined)[]): Moves | undefined {
  for (const [index, pod] of replicas.entries()) {
    if (pod === undefined) return { create: [newPod(view, index)] };
    if (isGoing(pod)) return {};
    if (isTerminal(pod)) return { ended: [pod] };
    if (view.isAvailable(pod)) continue;
    // What never got ready gives way to a newer template: otherwise a mistake in one could not be undone.
    return isReady(pod) || !isOutdated(view, pod, index) ? {} : { remove: [pod] };
  }
  return undefined;
}

/** Undefined: none is missing. What is missing is made beside what is removed to be made again. */
function growParallel(view: View, replicas: readonly (Pod | undefined)[]): Moves | undefined {
  const create = replicas.flatMap((pod, index) => (pod === undefined ? [newPod(view, index)] : []));
  const ended = replicas.filter((pod) => pod !== undefined && !isGoing(pod) && isTerminal(pod)) as Pod[];
  return create.length + ended.length === 0 ? undefined : { create, ended };
}

/** Below the partition stays, or comes back, what was before the change. */
function newPod({ set, revisions }: View, index: number): NewPod {
  const isOld = set.spec.updateStrategy?.type === 'RollingUpdate' && index < partitionOf(set);
  return { ordinal: startOf(set) + index, revision: isOld ? revisions.current : revisions.update };
}

function partitionOf(set: StatefulSet): number {
  return set.spec.updateStrategy?.rollingUpdate?.partition ?? 0;
}

/** The highest goes first; one that does not serve yet is waited for, unless it is the first of the whole set that does not, or has ended. */
function shrinkOrdered(view: View, replicas: readonly (Pod | undefined)[], condemned: readonly Pod[]): Moves | undefined {
  const firstUnhealthy = [...replicas, ...condemned.toReversed()].find((pod) => pod !== undefined && !view.isHealthy(pod));
  const [pod] = condemned;
  if (pod === undefined) return undefined;
  if (isGoing(pod)) return {};
  return isRunningAndReady(pod) || isTerminal(pod) || pod === firstUnhealthy ? { remove: [pod] } : {};
}

function shrinkParallel(condemned: readonly Pod[]): Moves | undefined {
  const remove = condemned.filter((pod) => !isGoing(pod));
  return remove.length === 0 ? undefined : { remove };
}

/** Pods that give way to the update, from the highest ordinal down to the partition. */
function outdated(view: View, replicas: readonly Pod[]): Pod[] {
  const { maxUnavailable = 1 } = view.set.spec.updateStrategy?.rollingUpdate ?? {};
  const most = Math.max(1, scaledValue(maxUnavailable, replicas.length, true) ?? 1);
  let allowed = most - replicas.filter((pod) => !view.isAvailable(pod)).length;
  const remove: Pod[] = [];
  for (const [index, pod] of [...replicas.entries()].toReversed()) {
    if (remove.length >= most) break;
    if (isGoing(pod) || !isOutdated(view, pod, index)) continue;
    // One that does not serve is no loss: it goes whatever else is away.
    if (view.isAvailable(pod)) {
      if (allowed <= 0) continue;
      allowed--;
    }
    remove.push(pod);
  }
  return remove;
}

function isOutdated({ set, revisions }: View, pod: Pod, index: number): boolean {
  const isRolling = set.spec.updateStrategy?.type !== 'OnDelete';
  return isRolling && index >= partitionOf(set) && pod.metadata.labels?.[revisionHashLabel] !== revisions.update;
}

function statusOf({ set, revisions, isAvailable }: View, pods: readonly Pod[]): StatefulSetStatus {
  const has = (revision: string): number =>
    pods.filter((pod) => !isGoing(pod) && pod.metadata.labels?.[revisionHashLabel] === revision).length;
  const counts = {
    replicas: pods.length,
    readyReplicas: pods.filter(isRunningAndReady).length,
    availableReplicas: pods.filter((pod) => isAvailable(pod)).length,
    updatedReplicas: has(revisions.update),
    currentReplicas: has(revisions.current),
  };
  const wanted = set.spec.replicas ?? 1;
  const isComplete =
    set.spec.updateStrategy?.type !== 'OnDelete' &&
    counts.updatedReplicas === wanted &&
    counts.readyReplicas === wanted &&
    counts.replicas === wanted;
  const { collisionCount } = set.status ?? {};
  return {
    ...counts,
    ...(isComplete ? { currentReplicas: counts.updatedReplicas } : {}),
    currentRevision: isComplete ? revisions.update : revisions.current,
    updateRevision: revisions.update,
    observedGeneration: set.metadata.generation ?? 0,
    collisionCount: collisionCount ?? 0,
  };
}
