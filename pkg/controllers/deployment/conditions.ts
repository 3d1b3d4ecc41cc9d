/** What a Deployment reports of itself, in Kubernetes' words: pure. */
import { deepEqual } from '#api/equality';
import type { Deployment, DeploymentCondition, DeploymentStatus, ReplicaSet } from '#api/shapes/types/apps-v1';
import { formatTime } from '#base/clock';
import { limitsOf, totalAvailable, totalSize, wantedOf } from './strategy.ts';

export interface Observed {
  readonly deployment: Deployment;
  readonly current: ReplicaSet | undefined;
  readonly old: readonly ReplicaSet[];
  /** What this step did or met, in place of what is seen. */
  readonly progress?: { readonly status: 'True' | 'False'; readonly reason: string; readonly message: string };
  readonly now: number;
}

/** A deadline at or above this means none. */
const noDeadline = 2 ** 31 - 1;

export function deadlineOf(deployment: Deployment): number | undefined {
  const seconds = deployment.spec.progressDeadlineSeconds;
  return seconds === undefined || seconds >= noDeadline ? undefined : seconds * 1000;
}

export function statusOf(observed: Observed): DeploymentStatus {
  const { deployment, current, old } = observed;
  const all = [...(current === undefined ? [] : [current]), ...old];
  const sum = (pick: (replicaSet: ReplicaSet) => number | undefined): number =>
    all.reduce((total, replicaSet) => total + (pick(replicaSet) ?? 0), 0);
  const available = totalAvailable(all);
  const { collisionCount } = deployment.status ?? {};
  const counts: DeploymentStatus = {
    observedGeneration: deployment.metadata.generation ?? 0,
    replicas: sum(({ status }) => status?.replicas),
    updatedReplicas: current?.status?.replicas ?? 0,
    readyReplicas: sum(({ status }) => status?.readyReplicas),
    availableReplicas: available,
    unavailableReplicas: Math.max(0, totalSize(all) - available),
    ...(collisionCount === undefined ? {} : { collisionCount }),
  };
  return { ...counts, conditions: conditionsOf(observed, counts, available) };
}

export function isComplete(deployment: Deployment, counts: DeploymentStatus): boolean {
  const wanted = wantedOf(deployment);
  return counts.updatedReplicas === wanted && counts.replicas === wanted && counts.availableReplicas === wanted;
}

/** Milliseconds until the rollout has taken too long, if it goes on as it is. */
export function timeToDeadline(deployment: Deployment, status: DeploymentStatus, now: number): number | undefined {
  const deadline = deadlineOf(deployment);
  const progressing = status.conditions?.find(({ type }) => type === 'Progressing');
  if (deadline === undefined || deployment.spec.paused === true || progressing === undefined || isComplete(deployment, status))
    return undefined;
  if (progressing.reason === 'ProgressDeadlineExceeded' || progressing.reason === 'NewReplicaSetAvailable') return undefined;
  return Math.max(0, Date.parse(progressing.lastUpdateTime ?? '') + deadline - now) + 1_000;
}

function conditionsOf(observed: Observed, counts: DeploymentStatus, available: number): DeploymentCondition[] {
  const { deployment, current } = observed;
  const present = deployment.status?.conditions ?? [];
  const { replicas, unavailable } = limitsOf(deployment);
  const enough = available >= replicas - unavailable;
  const wanted: Omit<DeploymentCondition, 'lastTransitionTime' | 'lastUpdateTime'>[] = [
    enough
      ? { type: 'Available', status: 'True', reason: 'MinimumReplicasAvailable', message: 'Deployment has minimum availability.' }
      : {
          type: 'Available',
          status: 'False',
          reason: 'MinimumReplicasUnavailable',
          message: 'Deployment does not have minimum availability.',
        },
  ];
  const progressing = progressOf(observed, counts);
  if (progressing !== undefined) wanted.push({ type: 'Progressing', ...progressing.said });
  const failure = current?.status?.conditions?.find(({ type }) => type === 'ReplicaFailure');
  if (failure !== undefined) {
    wanted.push({ type: 'ReplicaFailure', status: failure.status, reason: failure.reason ?? '', message: failure.message ?? '' });
  }
  return wanted.map((condition) => {
    const before = present.find(({ type }) => type === condition.type);
    const moved = condition.type === 'Progressing' && progressing?.moved === true;
    return stamped(condition, before, moved, observed.now);
  });
}

function stamped(
  condition: Omit<DeploymentCondition, 'lastTransitionTime' | 'lastUpdateTime'>,
  before: DeploymentCondition | undefined,
  moved: boolean,
  now: number,
): DeploymentCondition {
  const same = before !== undefined && before.status === condition.status && before.reason === condition.reason;
  if (same && !moved && deepEqual(before.message, condition.message)) return before;
  const time = formatTime(now);
  return {
    ...condition,
    lastUpdateTime: same && !moved ? (before.lastUpdateTime ?? time) : time,
    lastTransitionTime: before !== undefined && before.status === condition.status ? (before.lastTransitionTime ?? time) : time,
  };
}

interface Progress {
  readonly said: { readonly status: string; readonly reason: string; readonly message: string };
  /** Whether it got further just now: the deadline counts from here. */
  readonly moved: boolean;
}

function progressOf(observed: Observed, counts: DeploymentStatus): Progress | undefined {
  const { deployment, current, now, progress } = observed;
  const deadline = deadlineOf(deployment);
  if (deadline === undefined) return undefined;
  const before = deployment.status?.conditions?.find(({ type }) => type === 'Progressing');
  const keep =
    before === undefined
      ? undefined
      : { said: { status: before.status, reason: before.reason ?? '', message: before.message ?? '' }, moved: false };
  if (progress !== undefined) return { said: progress, moved: before?.reason !== progress.reason };
  if (deployment.spec.paused === true) {
    return { said: { status: 'Unknown', reason: 'DeploymentPaused', message: 'Deployment is paused' }, moved: false };
  }
  if (before?.reason === 'DeploymentPaused') {
    return { said: { status: 'Unknown', reason: 'DeploymentResumed', message: 'Deployment is resumed' }, moved: true };
  }
  // Once complete, pods that come and go (a node that fails, a change of scale) are no rollout.
  if (before?.reason === 'NewReplicaSetAvailable' && counts.replicas === counts.updatedReplicas) return keep;
  const what = current === undefined ? `Deployment "${deployment.metadata.name}"` : `ReplicaSet "${current.metadata.name}"`;
  if (isComplete(deployment, counts)) {
    return { said: { status: 'True', reason: 'NewReplicaSetAvailable', message: `${what} has successfully progressed.` }, moved: true };
  }
  if (hasMoved(deployment.status, counts)) {
    return { said: { status: 'True', reason: 'ReplicaSetUpdated', message: `${what} is progressing.` }, moved: true };
  }
  if (before === undefined) return undefined;
  if (before.reason === 'NewReplicaSetAvailable') return keep;
  if (before.reason !== 'ProgressDeadlineExceeded' && Date.parse(before.lastUpdateTime ?? '') + deadline >= now) return keep;
  return { said: { status: 'False', reason: 'ProgressDeadlineExceeded', message: `${what} has timed out progressing.` }, moved: false };
}

function hasMoved(before: DeploymentStatus | undefined, counts: DeploymentStatus): boolean {
  const old = (status: DeploymentStatus | undefined): number => (status?.replicas ?? 0) - (status?.updatedReplicas ?? 0);
  return (
    (counts.updatedReplicas ?? 0) > (before?.updatedReplicas ?? 0) ||
    old(counts) < old(before) ||
    (counts.readyReplicas ?? 0) > (before?.readyReplicas ?? 0) ||
    (counts.availableReplicas ?? 0) > (before?.availableReplicas ?? 0)
  );
}

/** Whether the status says something that is not written yet; zero and absent are the same. */
export function statusDiffers(a: DeploymentStatus | undefined, b: DeploymentStatus): boolean {
  const filled = (status: DeploymentStatus | undefined): unknown => ({
    replicas: 0,
    updatedReplicas: 0,
    readyReplicas: 0,
    availableReplicas: 0,
    unavailableReplicas: 0,
    observedGeneration: 0,
    ...status,
    conditions: (status?.conditions ?? []).toSorted((x, y) => (x.type < y.type ? -1 : 1)),
  });
  return !deepEqual(filled(a), filled(b));
}
