/** How many pods each ReplicaSet of a Deployment may have next: arithmetic alone, with Kubernetes' rounding. */
import { scaledValue } from '#api/int-or-string';
import type { Deployment, ReplicaSet } from '#api/shapes/types/apps-v1';
import { byAge } from '../owner.ts';
import { maxReplicasAnnotation } from './revisions.ts';

export interface Limits {
  readonly replicas: number;
  /** How many pods above `replicas` there may be. */
  readonly surge: number;
  /** How many of `replicas` may be away. */
  readonly unavailable: number;
}

/** A new number of replicas for one ReplicaSet. */
export interface Scaling {
  readonly replicaSet: ReplicaSet;
  readonly replicas: number;
}

export function isRolling(deployment: Deployment): boolean {
  return deployment.spec.strategy?.type !== 'Recreate';
}

export function limitsOf(deployment: Deployment): Limits {
  const replicas = wantedOf(deployment);
  if (!isRolling(deployment)) return { replicas, surge: 0, unavailable: 0 };
  const { maxSurge = '25%', maxUnavailable = '25%' } = deployment.spec.strategy?.rollingUpdate ?? {};
  const surge = scaledValue(maxSurge, replicas, true) ?? 0;
  const unavailable = scaledValue(maxUnavailable, replicas, false) ?? 0;
  // Both may round to nothing, and then nothing could ever move.
  const movable = surge === 0 && unavailable === 0 ? 1 : unavailable;
  return { replicas, surge, unavailable: Math.min(movable, replicas) };
}

export function wantedOf(deployment: Deployment): number {
  return deployment.spec.replicas ?? 1;
}

export function sizeOf(replicaSet: ReplicaSet): number {
  return replicaSet.spec.replicas ?? 1;
}

export function totalSize(replicaSets: readonly ReplicaSet[]): number {
  return replicaSets.reduce((sum, replicaSet) => sum + sizeOf(replicaSet), 0);
}

export function totalAvailable(replicaSets: readonly ReplicaSet[]): number {
  return replicaSets.reduce((sum, { status }) => sum + (status?.availableReplicas ?? 0), 0);
}

/** The size of the current ReplicaSet, `size` now, beside `others`: as far up as the surge allows. */
export function nextSizeOfNew(deployment: Deployment, size: number, others: readonly ReplicaSet[]): number {
  const { replicas, surge } = limitsOf(deployment);
  if (!isRolling(deployment) || size >= replicas) return replicas;
  const room = replicas + surge - size - totalSize(others);
  return room <= 0 ? size : size + Math.min(room, replicas - size);
}

/** How far old ReplicaSets may shrink now: first their pods that are not available anyway, then others while enough are available. */
export function shrinkOld(deployment: Deployment, current: ReplicaSet, old: readonly ReplicaSet[]): Scaling[] {
  const { replicas, unavailable } = limitsOf(deployment);
  const least = replicas - unavailable;
  const notYetAvailable = sizeOf(current) - (current.status?.availableReplicas ?? 0);
  const spare = totalSize([current, ...old]) - least - notYetAvailable;
  if (spare <= 0) return [];
  const sizes = new Map(old.map((replicaSet) => [replicaSet, sizeOf(replicaSet)]));
  const byCreation = old.toSorted(byAge);
  let cleaned = 0;
  for (const replicaSet of byCreation) {
    const dead = Math.min(spare - cleaned, sizeOf(replicaSet) - (replicaSet.status?.availableReplicas ?? 0));
    if (dead <= 0) continue;
    sizes.set(replicaSet, sizeOf(replicaSet) - dead);
    cleaned += dead;
  }
  // A status that lags may still count pods that an earlier step took away.
  let removable = [current, ...old].reduce((sum, each) => sum + Math.min(sizeOf(each), each.status?.availableReplicas ?? 0), 0) - least;
  for (const replicaSet of byCreation) {
    const size = sizes.get(replicaSet) ?? 0;
    const taken = Math.min(size, Math.max(0, removable));
    sizes.set(replicaSet, size - taken);
    removable -= taken;
  }
  return [...sizes]
    .filter(([replicaSet, size]) => size !== sizeOf(replicaSet))
    .map(([replicaSet, size]) => ({ replicaSet, replicas: size }));
}

/** A changed number of replicas in the middle of a rollout is shared among the ReplicaSets in proportion to their sizes. */
export function scaleProportionally(deployment: Deployment, all: readonly ReplicaSet[]): Scaling[] {
  const { replicas, surge } = limitsOf(deployment);
  const active = all.filter((replicaSet) => sizeOf(replicaSet) > 0);
  const toAdd = (replicas > 0 ? replicas + surge : 0) - totalSize(active);
  // The larger first; of equals, growing favours the newer and shrinking the older.
  const ordered = active.toSorted((a, b) => sizeOf(b) - sizeOf(a) || (toAdd > 0 ? byAge(b, a) : byAge(a, b)));
  let added = 0;
  const scalings = ordered.map((replicaSet) => {
    const share = toAdd === 0 ? 0 : shareOf(deployment, replicaSet, replicas, replicas + surge);
    const allowed = toAdd - added;
    const change = toAdd > 0 ? Math.max(0, Math.min(share, allowed)) : Math.min(0, Math.max(share, allowed));
    added += change;
    return { replicaSet, replicas: sizeOf(replicaSet) + change };
  });
  const [largest, ...rest] = scalings;
  if (largest === undefined) return [];
  return [{ ...largest, replicas: Math.max(0, largest.replicas + toAdd - added) }, ...rest];
}

function shareOf(deployment: Deployment, replicaSet: ReplicaSet, replicas: number, most: number): number {
  const size = sizeOf(replicaSet);
  if (replicas === 0) return -size;
  const before = Number(replicaSet.metadata.annotations?.[maxReplicasAnnotation]) || (deployment.status?.replicas ?? 0);
  return before === 0 ? 0 : Math.round((size * most) / before) - size;
}
