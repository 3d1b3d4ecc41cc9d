/**
 * What a Job needs next, from its pods: pure. Each pod that ends is counted once and for all: it carries a finalizer until the status that counts it
 * is written, so none goes uncounted however early it is deleted, and none is counted twice.
 */

import { isTerminal } from '#api/pod-phase';
import type { Job, JobCondition, JobStatus } from '#api/shapes/types/batch-v1';
import type { Pod } from '#api/shapes/types/core-v1';
import { backoffDelay } from '#base/backoff';
import { formatTime } from '#base/clock';
import { isActive, isReady, restartsOf } from '../pod-state.ts';
import { spareable } from '../replicaset/plan.ts';
import { indexesOf, indexesText, indexOf } from './indexes.ts';

export const trackingFinalizer = 'batch.kubernetes.io/job-tracking';

export interface JobPlan {
  /** One for each pod to make: its completion index, or undefined for Jobs without. */
  readonly create: readonly (number | undefined)[];
  readonly remove: readonly Pod[];
  readonly status: JobStatus;
  /** Counted in `status`: their finalizer goes once that is written. */
  readonly release: readonly Pod[];
  /** The condition that ends the Job, when it is new in `status`. */
  readonly ended: JobCondition | undefined;
  /** Whether it was suspended or resumed just now. */
  readonly turned: 'Suspended' | 'Resumed' | undefined;
  /** Milliseconds until there may be more to do. */
  readonly after: number | undefined;
  /** Finished long enough ago to be deleted. */
  readonly expired: boolean;
}

const podBackoff = { initial: 10_000, maximum: 600_000 };
/** Uids in the status at once. */
const mostUncounted = 500;

export function endingOf(status: JobStatus | undefined): JobCondition | undefined {
  return status?.conditions?.find(({ type, status: is }) => (type === 'Complete' || type === 'Failed') && is === 'True');
}

/** `pods`: all that the Job owns. */
export function planJob(job: Job, pods: readonly Pod[], now: number): JobPlan {
  const count = countEnded(job, pods);
  const ending = endingOf(job.status);
  if (ending !== undefined) return finished(job, pods, count, ending, now);
  const active = pods.filter(isActive);
  const { parallelism = 1, suspend = false } = job.spec;
  const startTime = suspend ? undefined : (job.status?.startTime ?? formatTime(now));
  const failure = failureOf(job, pods, count, startTime, now);
  const isDone = isComplete(job, count, active.length);
  const isOver = failure !== undefined || isDone;
  const wanted = isOver || suspend ? 0 : wantedActive(job, count, active.length, parallelism);
  const wait = restWait(pods, now);
  const terminating = pods.filter((pod) => pod.metadata.deletionTimestamp !== undefined && !isTerminal(pod)).length;
  const held = job.spec.podReplacementPolicy === 'Failed' ? terminating : 0;
  const { extra, missing } = chooseIndexes(job, active, count, wanted);
  const create =
    isOver || suspend || wait > 0
      ? []
      : missing.slice(0, Math.max(0, Math.min(wanted - (active.length - extra.length) - held, missing.length)));
  const conditions = conditionsOf(job, now);
  const isQuiet = active.length === 0 && count.open === 0;
  if (isOver && isQuiet) conditions.push(...endConditions(failure, now));
  else if (isOver) conditions.push(...targetConditions(job, failure, now));
  const ended = isOver && isQuiet ? conditions.at(-1) : undefined;
  const waits = [wait, deadlineWait(job, startTime, now)].filter((each) => each !== undefined && each > 0) as number[];
  return {
    create,
    remove: extra,
    release: count.release,
    ended,
    turned: turnOf(job),
    expired: false,
    after: waits.length === 0 ? undefined : Math.min(...waits),
    status: {
      ...count.status,
      ...(startTime === undefined ? {} : { startTime }),
      ...(ended?.type === 'Complete' ? { completionTime: formatTime(now) } : {}),
      active: active.length,
      ready: active.filter(isReady).length,
      ...(terminating === 0 ? {} : { terminating }),
      ...(conditions.length === 0 ? {} : { conditions }),
    },
  };
}

interface Count {
  readonly succeeded: number;
  readonly failed: number;
  /** Completed indexes. */
  readonly indexes: ReadonlySet<number>;
  /** Pods that ended and whose finalizer is still to go. */
  readonly release: readonly Pod[];
  /** How many are not counted for good. */
  readonly open: number;
  readonly status: JobStatus;
}

/** Takes in what ended since: first by uid, so that it is known; in numbers when its finalizer has gone. */
function countEnded(job: Job, pods: readonly Pod[]): Count {
  const before = job.status?.uncountedTerminatedPods ?? {};
  const tracked = new Map(pods.filter(isTracked).map((pod) => [pod.metadata.uid ?? '', pod]));
  const isIndexed = job.spec.completionMode === 'Indexed';
  const indexes = indexesOf(job.status?.completedIndexes ?? '');
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
  for (const [uid, pod] of tracked) {
    const outcome = outcomeOf(pod, job);
    if (outcome === undefined || (!known.has(uid) && known.size >= mostUncounted)) continue;
    if (!known.has(uid)) open[outcome].push(uid);
    known.add(uid);
    release.push(pod);
    const index = indexOf(pod);
    if (isIndexed && outcome === 'succeeded' && index !== undefined && index < (job.spec.completions ?? 0)) indexes.add(index);
  }
  const counted = {
    succeeded: isIndexed ? indexes.size : (job.status?.succeeded ?? 0) + settled.succeeded,
    failed: (job.status?.failed ?? 0) + settled.failed,
  };
  return {
    succeeded: isIndexed ? indexes.size : counted.succeeded + open.succeeded.length,
    failed: counted.failed + open.failed.length,
    indexes,
    release,
    open: known.size,
    status: {
      ...(counted.succeeded === 0 ? {} : { succeeded: counted.succeeded }),
      ...(counted.failed === 0 ? {} : { failed: counted.failed }),
      ...(isIndexed && indexes.size > 0 ? { completedIndexes: indexesText(indexes) } : {}),
      uncountedTerminatedPods: {
        ...(open.succeeded.length === 0 ? {} : { succeeded: open.succeeded }),
        ...(open.failed.length === 0 ? {} : { failed: open.failed }),
      },
    },
  };
}

function isTracked(pod: Pod): boolean {
  return pod.metadata.finalizers?.includes(trackingFinalizer) === true;
}

/** A pod that was deleted before it could end counts as failed, unless the Job waits for it to end. */
function outcomeOf(pod: Pod, job: Job): 'succeeded' | 'failed' | undefined {
  if (pod.status?.phase === 'Succeeded') return 'succeeded';
  if (pod.status?.phase === 'Failed') return 'failed';
  return pod.metadata.deletionTimestamp !== undefined && job.spec.podReplacementPolicy !== 'Failed' ? 'failed' : undefined;
}

function isComplete({ spec }: Job, count: Count, active: number): boolean {
  return spec.completions === undefined ? count.succeeded > 0 && active === 0 : count.succeeded >= spec.completions;
}

function wantedActive({ spec }: Job, count: Count, active: number, parallelism: number): number {
  if (spec.completions === undefined) return count.succeeded > 0 ? Math.min(active, parallelism) : parallelism;
  return Math.min(parallelism, spec.completions - count.succeeded);
}

interface Failure {
  readonly reason: string;
  readonly message: string;
}

function failureOf(job: Job, pods: readonly Pod[], count: Count, startTime: string | undefined, now: number): Failure | undefined {
  const target = job.status?.conditions?.find(({ type, status }) => type === 'FailureTarget' && status === 'True');
  if (target !== undefined) return { reason: target.reason ?? '', message: target.message ?? '' };
  const { backoffLimit = 6, template } = job.spec;
  const restarts =
    template.spec?.restartPolicy === 'OnFailure' ? pods.filter((pod) => isActive(pod)).reduce((sum, pod) => sum + restartsOf(pod), 0) : 0;
  if (count.failed > backoffLimit || (restarts > 0 && restarts >= Math.max(1, backoffLimit))) {
    return { reason: 'BackoffLimitExceeded', message: 'Job has reached the specified backoff limit' };
  }
  const left = deadlineWait(job, startTime, now);
  if (left !== undefined && left <= 0) return { reason: 'DeadlineExceeded', message: 'Job was active longer than specified deadline' };
  return undefined;
}

function deadlineWait({ spec }: Job, startTime: string | undefined, now: number): number | undefined {
  if (spec.activeDeadlineSeconds === undefined || startTime === undefined) return undefined;
  return Date.parse(startTime) + spec.activeDeadlineSeconds * 1000 - now;
}

/** After failures in a row the next pod waits: 10 s, 20 s, 40 s, … from the last. */
function restWait(pods: readonly Pod[], now: number): number {
  const ends = pods.filter(isTerminal).map((pod) => ({ at: endTimeOf(pod), failed: pod.status?.phase === 'Failed' }));
  const lastSuccess = ends.reduce((last, { at, failed }) => (failed ? last : Math.max(last, at)), 0);
  const failures = ends.filter(({ at, failed }) => failed && at > lastSuccess);
  if (failures.length === 0) return 0;
  const last = failures.reduce((latest, { at }) => Math.max(latest, at), 0);
  return Math.max(0, last + backoffDelay(podBackoff, failures.length - 1) - now);
}

function endTimeOf(pod: Pod): number {
  const ends = (pod.status?.containerStatuses ?? []).map(({ state }) => Date.parse(state?.terminated?.finishedAt ?? ''));
  const known = ends.filter((end) => !Number.isNaN(end));
  if (known.length > 0) return Math.max(...known);
  const created = Date.parse(pod.metadata.creationTimestamp ?? '');
  return Number.isNaN(created) ? 0 : created;
}

/** Which pods are too many, and for which indexes pods are missing (the lowest first; undefined for Jobs without). */
function chooseIndexes(
  { spec }: Job,
  active: readonly Pod[],
  count: Count,
  wanted: number,
): { extra: readonly Pod[]; missing: readonly (number | undefined)[] } {
  if (spec.completionMode !== 'Indexed') {
    return {
      extra: spareable(active).slice(0, Math.max(0, active.length - wanted)),
      missing: Array.from({ length: wanted }, () => undefined),
    };
  }
  const completions = spec.completions ?? 0;
  const byIndex = new Map<number, Pod>();
  const extra: Pod[] = [];
  for (const pod of active) {
    const index = indexOf(pod);
    if (index === undefined || index >= completions || count.indexes.has(index) || byIndex.has(index)) extra.push(pod);
    else byIndex.set(index, pod);
  }
  extra.push(...spareable([...byIndex.values()]).slice(0, Math.max(0, byIndex.size - wanted)));
  const missing: number[] = [];
  for (let index = 0; index < completions && missing.length < wanted; index++) {
    if (!count.indexes.has(index) && !byIndex.has(index)) missing.push(index);
  }
  return { extra, missing };
}

function turnOf({ spec, status }: Job): JobPlan['turned'] {
  const isSuspended = status?.conditions?.some(({ type, status: is }) => type === 'Suspended' && is === 'True') === true;
  if (spec.suspend === true) return isSuspended ? undefined : 'Suspended';
  return isSuspended ? 'Resumed' : undefined;
}

function conditionsOf(job: Job, now: number): JobCondition[] {
  const present = job.status?.conditions ?? [];
  const turned = turnOf(job);
  if (turned === undefined) return [...present];
  const others = present.filter(({ type }) => type !== 'Suspended');
  const what = turned === 'Suspended' ? 'suspended' : 'resumed';
  return [...others, condition('Suspended', turned === 'Suspended' ? 'True' : 'False', `Job${turned}`, `Job ${what}`, now)];
}

function targetConditions(job: Job, failure: Failure | undefined, now: number): JobCondition[] {
  const type = failure === undefined ? 'SuccessCriteriaMet' : 'FailureTarget';
  if (job.status?.conditions?.some((each) => each.type === type) === true) return [];
  return [reasoned(type, failure, now)];
}

function endConditions(failure: Failure | undefined, now: number): JobCondition[] {
  return [reasoned(failure === undefined ? 'Complete' : 'Failed', failure, now)];
}

function reasoned(type: string, failure: Failure | undefined, now: number): JobCondition {
  const { reason, message } = failure ?? { reason: 'CompletionsReached', message: 'Reached expected number of succeeded pods' };
  return condition(type, 'True', reason, message, now);
}

function condition(type: string, status: string, reason: string, message: string, now: number): JobCondition {
  return { type, status, reason, message, lastProbeTime: formatTime(now), lastTransitionTime: formatTime(now) };
}

/** A Job that has ended: whatever still runs goes, nothing is left uncounted, and after its time it goes itself. */
function finished(job: Job, pods: readonly Pod[], count: Count, ending: JobCondition, now: number): JobPlan {
  const { ttlSecondsAfterFinished } = job.spec;
  const left =
    ttlSecondsAfterFinished === undefined ? undefined : Date.parse(ending.lastTransitionTime ?? '') + ttlSecondsAfterFinished * 1000 - now;
  const { active: _active, ready: _ready, terminating: _terminating, ...status } = job.status ?? {};
  return {
    create: [],
    remove: pods.filter(isActive),
    release: pods.filter(isTracked),
    ended: undefined,
    turned: undefined,
    expired: left !== undefined && left <= 0,
    after: left !== undefined && left > 0 ? left : undefined,
    status: { ...status, ...count.status, active: 0, ready: 0 },
  };
}
