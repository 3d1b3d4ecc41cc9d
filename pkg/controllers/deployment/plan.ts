/** The next step of a Deployment, from its ReplicaSets as they are: pure. Each step is small and the next waits to see what it did. */
import { deepEqual } from '#api/equality';
import type { Deployment, DeploymentStatus, ReplicaSet } from '#api/shapes/types/apps-v1';
import type { Draft } from '#client/client';
import { byAge } from '../owner.ts';
import { isComplete, type Observed, statusOf, timeToDeadline } from './conditions.ts';
import {
  annotationsOfCurrent,
  beyondHistory,
  currentOf,
  desiredReplicasAnnotation,
  maxReplicasAnnotation,
  newReplicaSet,
  revisionAnnotation,
} from './revisions.ts';
import { isRolling, limitsOf, nextSizeOfNew, type Scaling, scaleProportionally, shrinkOld, sizeOf, wantedOf } from './strategy.ts';

export type DeploymentAction =
  | { readonly type: 'create'; readonly replicaSet: Draft<ReplicaSet> & { metadata: { name: string } } }
  /** Writes `replicaSet` in place of `before`; a change of size is told as ScalingReplicaSet. */
  | { readonly type: 'update'; readonly before: ReplicaSet; readonly replicaSet: ReplicaSet }
  | { readonly type: 'delete'; readonly replicaSet: ReplicaSet }
  /** Writes the revision onto the Deployment, where `kubectl rollout` reads it. */
  | { readonly type: 'annotate'; readonly revision: string };

export interface DeploymentPlan {
  readonly actions: readonly DeploymentAction[];
  readonly status: DeploymentStatus;
  /** Milliseconds until the progress deadline should be looked at. */
  readonly after: number | undefined;
}

/** `owned`: all ReplicaSets of the Deployment. `oldPodsRun`: whether a pod of an old one still runs (Recreate waits for it). */
export function planDeployment(deployment: Deployment, owned: readonly ReplicaSet[], oldPodsRun: boolean, now: number): DeploymentPlan {
  const current = currentOf(deployment, owned);
  const old = owned.filter((replicaSet) => replicaSet !== current).toSorted(byAge);
  const observed: Observed = { deployment, current, old, now };
  const actions = deployment.metadata.deletionTimestamp === undefined ? nextActions(deployment, current, old, oldPodsRun) : [];
  const progress = progressBy(actions, deployment, current);
  const status = statusOf(progress === undefined ? observed : { ...observed, progress });
  return { actions, status, after: timeToDeadline(deployment, status, now) };
}

/** What this step itself says of progress: a new revision begins, and with it the time that it may take. */
function progressBy(actions: readonly DeploymentAction[], deployment: Deployment, current: ReplicaSet | undefined): Observed['progress'] {
  const created = actions.find((action) => action.type === 'create');
  if (created !== undefined) {
    const message = `Created new replica set "${created.replicaSet.metadata.name}"`;
    return { status: 'True', reason: 'NewReplicaSetCreated', message };
  }
  const before = deployment.status?.conditions?.find(({ type }) => type === 'Progressing')?.reason;
  const isFound = actions.some(({ type }) => type === 'annotate') && (before === undefined || before === 'NewReplicaSetAvailable');
  if (!isFound || deployment.spec.paused === true) return undefined;
  return { status: 'True', reason: 'FoundNewReplicaSet', message: `Found new replica set "${current?.metadata.name}"` };
}

function nextActions(
  deployment: Deployment,
  current: ReplicaSet | undefined,
  old: readonly ReplicaSet[],
  oldPodsRun: boolean,
): DeploymentAction[] {
  const all = [...old, ...(current === undefined ? [] : [current])];
  const annotated = current === undefined ? [] : annotate(deployment, current, old);
  if (annotated.length > 0) return annotated;
  if (deployment.spec.paused === true) return scaleAll(deployment, current, old);
  if (
    all.some((replicaSet) => sizeOf(replicaSet) > 0 && replicaSet.metadata.annotations?.[desiredReplicasAnnotation] !== desired(deployment))
  ) {
    const scaled = scaleAll(deployment, current, old);
    if (scaled.length > 0) return scaled;
  }
  const next = isRolling(deployment) ? roll(deployment, current, old) : recreate(deployment, current, old, oldPodsRun);
  if (next.length > 0) return next;
  if (current === undefined || !isComplete(deployment, statusOf({ deployment, current, old, now: 0 }))) return [];
  return beyondHistory(deployment, old).map((replicaSet) => ({ type: 'delete', replicaSet }));
}

function roll(deployment: Deployment, current: ReplicaSet | undefined, old: readonly ReplicaSet[]): DeploymentAction[] {
  if (current === undefined) return [create(deployment, nextSizeOfNew(deployment, 0, old), old)];
  const size = nextSizeOfNew(deployment, sizeOf(current), old);
  if (size !== sizeOf(current)) return resize(deployment, [{ replicaSet: current, replicas: size }]);
  return resize(deployment, shrinkOld(deployment, current, old));
}

/** All old pods first go and are gone; only then the new ones come. */
function recreate(
  deployment: Deployment,
  current: ReplicaSet | undefined,
  old: readonly ReplicaSet[],
  oldPodsRun: boolean,
): DeploymentAction[] {
  const active = old.filter((replicaSet) => sizeOf(replicaSet) > 0);
  if (active.length > 0) {
    return resize(
      deployment,
      active.map((replicaSet) => ({ replicaSet, replicas: 0 })),
    );
  }
  if (oldPodsRun) return [];
  if (current === undefined) return [create(deployment, wantedOf(deployment), old)];
  if (sizeOf(current) === wantedOf(deployment)) return [];
  return resize(deployment, [{ replicaSet: current, replicas: wantedOf(deployment) }]);
}

/** Brings a changed number of replicas to the ReplicaSets without going on with a rollout. */
function scaleAll(deployment: Deployment, current: ReplicaSet | undefined, old: readonly ReplicaSet[]): DeploymentAction[] {
  const all = [...old, ...(current === undefined ? [] : [current])];
  const active = all.filter((replicaSet) => sizeOf(replicaSet) > 0);
  const only = active.length > 1 ? undefined : (active[0] ?? current ?? old.toSorted(byAge).at(-1));
  if (active.length <= 1) {
    return only === undefined ? [] : resize(deployment, [{ replicaSet: only, replicas: wantedOf(deployment) }]);
  }
  if (current !== undefined && isSaturated(deployment, current)) {
    const rest = active.filter((replicaSet) => replicaSet !== current);
    return resize(
      deployment,
      rest.map((replicaSet) => ({ replicaSet, replicas: 0 })),
    );
  }
  return isRolling(deployment) ? resize(deployment, scaleProportionally(deployment, all)) : [];
}

function isSaturated(deployment: Deployment, current: ReplicaSet): boolean {
  const wanted = wantedOf(deployment);
  return (
    sizeOf(current) === wanted &&
    current.metadata.annotations?.[desiredReplicasAnnotation] === desired(deployment) &&
    (current.status?.availableReplicas ?? 0) === wanted
  );
}

/** What must be written on the current ReplicaSet and on the Deployment before anything else. */
function annotate(deployment: Deployment, current: ReplicaSet, old: readonly ReplicaSet[]): DeploymentAction[] {
  const present = current.metadata.annotations ?? {};
  // The numbers of replicas change with the size alone: they tell whether the Deployment was scaled meanwhile.
  const sizes = {
    desired: Number(present[desiredReplicasAnnotation] ?? wantedOf(deployment)),
    most: Number(present[maxReplicasAnnotation] ?? mostOf(deployment)),
  };
  const annotations = annotationsOfCurrent(deployment, present, old, sizes);
  const minReadySeconds = deployment.spec.minReadySeconds ?? 0;
  const actions: DeploymentAction[] = [];
  if (!deepEqual(annotations, present) || (current.spec.minReadySeconds ?? 0) !== minReadySeconds) {
    const { minReadySeconds: _before, ...spec } = current.spec;
    const replicaSet: ReplicaSet = {
      ...current,
      metadata: { ...current.metadata, annotations },
      spec: minReadySeconds === 0 ? spec : { ...spec, minReadySeconds },
    };
    actions.push({ type: 'update', before: current, replicaSet });
  }
  const revision = annotations[revisionAnnotation] ?? '';
  if (deployment.metadata.annotations?.[revisionAnnotation] !== revision) actions.push({ type: 'annotate', revision });
  return actions;
}

function create(deployment: Deployment, replicas: number, old: readonly ReplicaSet[]): DeploymentAction {
  const sizes = { desired: wantedOf(deployment), most: mostOf(deployment) };
  return { type: 'create', replicaSet: newReplicaSet(deployment, replicas, old, sizes) };
}

function resize(deployment: Deployment, scalings: readonly Scaling[]): DeploymentAction[] {
  const actions: DeploymentAction[] = [];
  for (const { replicaSet, replicas } of scalings) {
    const annotations = {
      ...replicaSet.metadata.annotations,
      [desiredReplicasAnnotation]: desired(deployment),
      [maxReplicasAnnotation]: String(mostOf(deployment)),
    };
    if (replicas === sizeOf(replicaSet) && deepEqual(annotations, replicaSet.metadata.annotations)) continue;
    actions.push({
      type: 'update',
      before: replicaSet,
      replicaSet: { ...replicaSet, metadata: { ...replicaSet.metadata, annotations }, spec: { ...replicaSet.spec, replicas } },
    });
  }
  return actions;
}

function desired(deployment: Deployment): string {
  return String(wantedOf(deployment));
}

function mostOf(deployment: Deployment): number {
  const { replicas, surge } = limitsOf(deployment);
  return replicas + surge;
}
