/**
 * The pods of a Job that have ended, each counted once and for all: it carries a finalizer until the status that counts it is written, so none goes
 * uncounted however early it is deleted, and none is counted twice. Pure.
 */
import type { Job, JobStatus } from '#api/shapes/types/batch-v1';
import type { Pod } from '#api/shapes/types/core-v1';
import { indexesOf, indexesText, indexOf } from './indexes.ts';
import { failsIndex, judgeFailure } from './policies.ts';

export const trackingFinalizer = 'batch.kubernetes.io/job-tracking';

/** Uids in the status at once. */
const mostUncounted = 500;

export interface Count {
  readonly succeeded: number;
  readonly failed: number;
  readonly completedIndexes: ReadonlySet<number>;
  /** Of a Job with a limit for each index: those that are given up. */
  readonly failedIndexes: ReadonlySet<number>;
  /** Pods that ended and whose finalizer is still to go. */
  readonly release: readonly Pod[];
  /** How many are not counted for good. */
  readonly open: number;
  /** Why a pod's failure fails the whole Job. */
  readonly failure: string | undefined;
  readonly status: JobStatus;
}

/** Takes in what ended since: first by uid, so that it is known; in numbers when its finalizer has gone. */
export function countEnded(job: Job, pods: readonly Pod[]): Count {
  const { status = {}, spec } = job;
  const before = status.uncountedTerminatedPods ?? {};
  const tracked = new Map(pods.filter(isTracked).map((pod) => [pod.metadata.uid ?? '', pod]));
  const isIndexed = spec.completionMode === 'Indexed';
  const perIndex = spec.backoffLimitPerIndex !== undefined;
  const completions = spec.completions ?? 0;
  const completedIndexes = clipped(indexesOf(status.completedIndexes ?? ''), completions);
  const failedIndexes = clipped(indexesOf(status.failedIndexes ?? ''), completions);
  const open = {
    succeeded: (before.succeeded ?? []).filter((uid) => tracked.has(uid)),
    failed: (before.failed ?? []).filter((uid) => tracked.has(uid)),
  };
  const settled = {
    succeeded: (before.succeeded ?? []).length - open.succeeded.length,
    failed: (before.failed ?? []).length - open.failed.length,
  };
  const known = new Set([...open.succeeded, ...open.failed]);
  const release: Pod[] = [];
  let failure: string | undefined;
  for (const [uid, pod] of tracked) {
    const outcome = outcomeOf(pod, job);
    if (outcome === undefined || (!known.has(uid) && known.size >= mostUncounted)) continue;
    release.push(pod);
    const index = indexOf(pod);
    const isOfIndex = isIndexed && index !== undefined && index < completions;
    if (outcome === 'succeeded') {
      if (isOfIndex) completedIndexes.add(index);
    } else {
      const verdict = judgeFailure(job, pod);
      failure ??= verdict.message;
      if (isOfIndex && failsIndex(job, pod, verdict)) failedIndexes.add(index);
      if (verdict.action === 'Ignore') continue;
    }
    if (!known.has(uid)) open[outcome].push(uid);
    known.add(uid);
  }
  for (const index of completedIndexes) failedIndexes.delete(index);
  const counted = {
    succeeded: isIndexed ? completedIndexes.size : (status.succeeded ?? 0) + settled.succeeded,
    failed: (status.failed ?? 0) + settled.failed,
  };
  return {
    succeeded: isIndexed ? completedIndexes.size : counted.succeeded + open.succeeded.length,
    failed: counted.failed + open.failed.length,
    completedIndexes,
    failedIndexes,
    release,
    open: known.size,
    failure,
    status: {
      ...(counted.succeeded === 0 ? {} : { succeeded: counted.succeeded }),
      ...(counted.failed === 0 ? {} : { failed: counted.failed }),
      ...(isIndexed && completedIndexes.size > 0 ? { completedIndexes: indexesText(completedIndexes) } : {}),
      ...(perIndex ? { failedIndexes: indexesText(failedIndexes) } : {}),
      uncountedTerminatedPods: {
        ...(open.succeeded.length === 0 ? {} : { succeeded: open.succeeded }),
        ...(open.failed.length === 0 ? {} : { failed: open.failed }),
      },
    },
  };
}

/** A Job may have become smaller. */
function clipped(indexes: Set<number>, completions: number): Set<number> {
  for (const index of indexes) if (index >= completions) indexes.delete(index);
  return indexes;
}

export function isTracked(pod: Pod): boolean {
  return pod.metadata.finalizers?.includes(trackingFinalizer) === true;
}

/**
 * A pod that was deleted before it could end counts as failed; where the Job waits for pods to end, only when nothing but its finalizer holds it any
 * more: it will not say anything else.
 */
function outcomeOf({ metadata, status }: Pod, { spec }: Job): 'succeeded' | 'failed' | undefined {
  if (status?.phase === 'Succeeded') return 'succeeded';
  if (status?.phase === 'Failed') return 'failed';
  if (metadata.deletionTimestamp === undefined) return undefined;
  const waits = spec.podReplacementPolicy === 'Failed';
  return !waits || metadata.deletionGracePeriodSeconds === 0 ? 'failed' : undefined;
}
