/**
 * What a Job needs next, from its pods: pure. How those that have ended are counted stands in count.ts, what a failure means in policies.ts.
 */
import { isTerminal } from '#api/pod-phase';
import type { Job, JobCondition, JobStatus } from '#api/shapes/types/batch-v1';
import type { Pod } from '#api/shapes/types/core-v1';
import { backoffDelay } from '#base/backoff';
import { formatTime } from '#base/clock';
import { isActive, isReady, restartsOf } from '../pod-state.ts';
import { spareable } from '../replicaset/plan.ts';
import { type Count, countEnded, isTracked } from './count.ts';
import { indexOf } from './indexes.ts';
import { failureCountOf, judgeFailure, successRuleMet } from './policies.ts';

/** A pod to make. */
export interface NewPod {
  /** Its completion index; undefined for Jobs without. */
  readonly index: number | undefined;
  /** How often the index has failed; undefined for Jobs without a limit for each index. */
  readonly failures: number | undefined;
}

export interface JobPlan {
  readonly create: readonly NewPod[];
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
  const outcome = outcomeOf(job, pods, active.length, count, startTime, now);
  const isStill = outcome !== undefined || suspend;
  const wanted = isStill ? 0 : wantedActive(job, count, active.length, parallelism);
  const terminating = pods.filter((pod) => pod.metadata.deletionTimestamp !== undefined && !isTerminal(pod)).length;
  const held = job.spec.podReplacementPolicy === 'Failed' ? terminating : 0;
  const { extra, missing, wait } = choosePods(job, pods, active, count, wanted, now);
  const room = Math.max(0, wanted - (active.length - extra.length) - held);
  const create = isStill ? [] : missing.slice(0, room);
  const conditions = conditionsOf(job, now);
  const isQuiet = active.length === 0 && count.open === 0;
  if (outcome !== undefined && isQuiet) conditions.push(reasoned(outcome.succeeds ? 'Complete' : 'Failed', outcome, now));
  else if (outcome !== undefined) conditions.push(...targetConditions(job, outcome, now));
  const ended = outcome !== undefined && isQuiet ? conditions.at(-1) : undefined;
  const waits = [isStill ? 0 : wait, deadlineWait(job, startTime, now)].filter((each) => each !== undefined && each > 0) as number[];
  return {
    create,
    remove: extra,
    release: isStill ? count.release : count.release.filter((pod) => !isNeeded(job, pod, active, count, create)),
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

/** The last failed pod of an index tells the next how often the index has failed: it is not let go before the next is there. */
function isNeeded(
  { spec }: Job,
  pod: Pod,
  active: readonly Pod[],
  { completedIndexes, failedIndexes }: Count,
  create: readonly NewPod[],
): boolean {
  const index = indexOf(pod);
  if (spec.backoffLimitPerIndex === undefined || index === undefined || pod.status?.phase === 'Succeeded') return false;
  if (index >= (spec.completions ?? 0) || completedIndexes.has(index) || failedIndexes.has(index)) return false;
  return !active.some((each) => indexOf(each) === index) || create.some((each) => each.index === index);
}

function wantedActive({ spec }: Job, count: Count, active: number, parallelism: number): number {
  if (spec.completions === undefined) return count.succeeded > 0 ? Math.min(active, parallelism) : parallelism;
  return Math.max(0, Math.min(parallelism, spec.completions - count.succeeded - count.failedIndexes.size));
}

/** How the Job ends, when that is decided; its pods may still have to go. */
interface JobOutcome {
  readonly succeeds: boolean;
  readonly reason: string;
  readonly message: string;
}

function outcomeOf(
  job: Job,
  pods: readonly Pod[],
  active: number,
  count: Count,
  startTime: string | undefined,
  now: number,
): JobOutcome | undefined {
  for (const { type, status, reason = '', message = '' } of job.status?.conditions ?? []) {
    if (status !== 'True') continue;
    if (type === 'FailureTarget') return { succeeds: false, reason, message };
    if (type === 'SuccessCriteriaMet') return { succeeds: true, reason, message };
  }
  const { completions, maxFailedIndexes } = job.spec;
  if (count.failure !== undefined) return failed('PodFailurePolicy', count.failure);
  const rule = successRuleMet(job, count.completedIndexes);
  if (rule !== undefined) return { succeeds: true, reason: 'SuccessPolicy', message: `Matched rules at index ${rule}` };
  const isDone = completions === undefined ? count.succeeded > 0 && active === 0 : count.succeeded >= completions;
  if (isDone) return { succeeds: true, reason: 'CompletionsReached', message: 'Reached expected number of succeeded pods' };
  const { backoffLimit = 6, template } = job.spec;
  const restarts =
    template.spec?.restartPolicy === 'OnFailure' ? pods.filter((pod) => isActive(pod)).reduce((sum, pod) => sum + restartsOf(pod), 0) : 0;
  if (count.failed > backoffLimit || (restarts > 0 && restarts >= Math.max(1, backoffLimit))) {
    return failed('BackoffLimitExceeded', 'Job has reached the specified backoff limit');
  }
  const left = deadlineWait(job, startTime, now);
  if (left !== undefined && left <= 0) return failed('DeadlineExceeded', 'Job was active longer than specified deadline');
  if (maxFailedIndexes !== undefined && count.failedIndexes.size > maxFailedIndexes) {
    return failed('MaxFailedIndexesExceeded', 'Job has exceeded the specified maximal number of failed indexes');
  }
  const isOver = count.failedIndexes.size > 0 && count.succeeded + count.failedIndexes.size >= (completions ?? 0);
  return isOver ? failed('FailedIndexes', 'Job has failed indexes') : undefined;
}

function failed(reason: string, message: string): JobOutcome {
  return { succeeds: false, reason, message };
}

function deadlineWait({ spec }: Job, startTime: string | undefined, now: number): number | undefined {
  if (spec.activeDeadlineSeconds === undefined || startTime === undefined) return undefined;
  return Date.parse(startTime) + spec.activeDeadlineSeconds * 1000 - now;
}

/** After failures in a row the next pod waits: 10 s, 20 s, 40 s, … from the last. */
function restWait(job: Job, pods: readonly Pod[], now: number): number {
  const ends = pods
    .filter((pod) => isTerminal(pod) && !isIgnored(job, pod))
    .map((pod) => ({ at: endTimeOf(pod), failed: pod.status?.phase === 'Failed' }));
  const lastSuccess = ends.reduce((last, { at, failed: is }) => (is ? last : Math.max(last, at)), 0);
  const failures = ends.filter(({ at, failed: is }) => is && at > lastSuccess);
  if (failures.length === 0) return 0;
  const last = failures.reduce((latest, { at }) => Math.max(latest, at), 0);
  return Math.max(0, last + backoffDelay(podBackoff, failures.length - 1) - now);
}

function isIgnored(job: Job, pod: Pod): boolean {
  return pod.status?.phase === 'Failed' && judgeFailure(job, pod).action === 'Ignore';
}

function endTimeOf(pod: Pod): number {
  const ends = (pod.status?.containerStatuses ?? []).map(({ state }) => Date.parse(state?.terminated?.finishedAt ?? ''));
  const known = ends.filter((end) => !Number.isNaN(end));
  if (known.length > 0) return Math.max(...known);
  const created = Date.parse(pod.metadata.creationTimestamp ?? '');
  return Number.isNaN(created) ? 0 : created;
}

interface Choice {
  /** Too many, or of no use. */
  readonly extra: readonly Pod[];
  /** What can be made now, the lowest index first. */
  readonly missing: readonly NewPod[];
  /** Milliseconds until more can be made. */
  readonly wait: number;
}

function choosePods(job: Job, pods: readonly Pod[], active: readonly Pod[], count: Count, wanted: number, now: number): Choice {
  const { spec } = job;
  if (spec.completionMode !== 'Indexed') {
    const wait = restWait(job, pods, now);
    return {
      extra: spareable(active).slice(0, Math.max(0, active.length - wanted)),
      missing: wait > 0 ? [] : Array.from({ length: wanted }, () => ({ index: undefined, failures: undefined })),
      wait,
    };
  }
  const completions = spec.completions ?? 0;
  const isOver = (index: number): boolean => index >= completions || count.completedIndexes.has(index) || count.failedIndexes.has(index);
  const byIndex = new Map<number, Pod>();
  const extra: Pod[] = [];
  for (const pod of active) {
    const index = indexOf(pod);
    if (index === undefined || isOver(index) || byIndex.has(index)) extra.push(pod);
    else byIndex.set(index, pod);
  }
  extra.push(...spareable([...byIndex.values()]).slice(0, Math.max(0, byIndex.size - wanted)));
  const free: number[] = [];
  for (let index = 0; index < completions && free.length < wanted; index++) if (!isOver(index) && !byIndex.has(index)) free.push(index);
  if (spec.backoffLimitPerIndex === undefined) {
    const wait = restWait(job, pods, now);
    return { extra, missing: wait > 0 ? [] : free.map((index) => ({ index, failures: undefined })), wait };
  }
  return { extra, ...chooseByIndex(job, pods, free, now) };
}

/** Each index waits for its own failures alone. */
function chooseByIndex(job: Job, pods: readonly Pod[], free: readonly number[], now: number): Pick<Choice, 'missing' | 'wait'> {
  const missing: NewPod[] = [];
  let wait = Number.POSITIVE_INFINITY;
  for (const index of free) {
    const former = pods.filter((pod) => indexOf(pod) === index && !isActive(pod));
    const counted = former.filter((pod) => !isIgnored(job, pod)).map((pod) => failureCountOf(pod) + 1);
    const failures = Math.max(0, ...counted, ...former.map(failureCountOf));
    const last = Math.max(0, ...former.map(endTimeOf));
    const left = failures === 0 ? 0 : last + backoffDelay(podBackoff, failures - 1) - now;
    if (left > 0) wait = Math.min(wait, left);
    else missing.push({ index, failures });
  }
  return { missing, wait: Number.isFinite(wait) ? wait : 0 };
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

function targetConditions(job: Job, outcome: JobOutcome, now: number): JobCondition[] {
  const type = outcome.succeeds ? 'SuccessCriteriaMet' : 'FailureTarget';
  if (job.status?.conditions?.some((each) => each.type === type) === true) return [];
  return [reasoned(type, outcome, now)];
}

function reasoned(type: string, { reason, message }: JobOutcome, now: number): JobCondition {
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
