/**
 * What a CronJob does next: pure. Whether a time was served is told by `status.lastScheduleTime` and by the Jobs, which
 * say theirs: so no time is served twice, however often, and after whatever, it is looked at.
 */
import { type CronSchedule, parseCronSchedule } from '#api/cron-schedule';
import type { CronJob, CronJobStatus, Job } from '#api/shapes/types/batch-v1';
import type { ObjectReference } from '#api/shapes/types/core-v1';
import { TimeZone } from '#api/time-zone';
import { formatTime } from '#base/clock';
import { endingOf } from '../job/plan.ts';
import { byAge } from '../owner.ts';

export interface Told {
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly message: string;
}

export interface CronJobPlan {
  /** The time that is to be served now, milliseconds since 1970. */
  readonly start: number | undefined;
  /** Jobs that make room for it. */
  readonly replace: readonly Job[];
  /** Ended Jobs beyond the history that is kept. */
  readonly forget: readonly Job[];
  /** As observed; who starts a Job adds it. */
  readonly status: CronJobStatus;
  readonly events: readonly Told[];
  /** Milliseconds until the next time. */
  readonly after: number | undefined;
}

/** More missed times than this are told of: a clock that jumped, or a CronJob that slept. */
const manyMissed = 100;
/** On each Job: the time that it serves. */
export const scheduledAnnotation = 'batch.kubernetes.io/cronjob-scheduled-timestamp';
/** Jobs that someone started by hand belong to the CronJob, and to none of its times. */
const byHandAnnotation = 'cronjob.kubernetes.io/instantiate';

/** `owned`: all Jobs of the CronJob. Throws `CronError`, and RangeError for a zone that does not exist: an object that was let in has neither. */
export function planCronJob(cronJob: CronJob, owned: readonly Job[], now: number): CronJobPlan {
  const { spec } = cronJob;
  const { status, events } = observe(cronJob, owned);
  const idle = { start: undefined, replace: [], forget: beyondHistory(cronJob, owned), status, events, after: undefined };
  if (cronJob.metadata.deletionTimestamp !== undefined || spec.suspend === true) return idle;
  const schedule = parseCronSchedule(spec.schedule);
  const zone = new TimeZone(spec.timeZone);
  const next = schedule.next(now, zone);
  const waiting = { ...idle, after: next === undefined ? undefined : next - now };
  const due = lastMissed(cronJob, schedule, zone, now);
  if (due.many) events.push(warning('TooManyMissedTimes', tooMany));
  if (due.time === undefined) return waiting;
  const deadline = spec.startingDeadlineSeconds;
  if (deadline !== undefined && due.time + deadline * 1000 < now) {
    events.push(warning('MissSchedule', `Missed scheduled time to start a job: ${new Date(due.time).toUTCString()}`));
    return waiting;
  }
  if (owned.some(({ metadata }) => metadata.name === jobNameOf(cronJob, due.time ?? 0))) return waiting;
  const active = owned.filter(isActive);
  if (active.length > 0 && spec.concurrencyPolicy === 'Forbid') {
    const message = 'Not starting job because prior execution is running and concurrency policy is Forbid';
    events.push({ type: 'Normal', reason: 'JobAlreadyActive', message });
    return waiting;
  }
  return { ...waiting, start: due.time, replace: spec.concurrencyPolicy === 'Replace' ? active : [] };
}

const tooMany = 'too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew';

function warning(reason: string, message: string): Told {
  return { type: 'Warning', reason, message };
}

/** `backup-29412345`: the minute that it serves. */
export function jobNameOf(cronJob: CronJob, time: number): string {
  return `${cronJob.metadata.name}-${Math.floor(time / 60_000)}`;
}

function isActive(job: Job): boolean {
  return endingOf(job.status) === undefined && job.metadata.annotations?.[byHandAnnotation] !== 'manual';
}

export function jobReference({ metadata }: Job): ObjectReference {
  const { name = '', namespace = '', uid = '', resourceVersion = '' } = metadata;
  return { apiVersion: 'batch/v1', kind: 'Job', name, namespace, uid, ...(resourceVersion === '' ? {} : { resourceVersion }) };
}

function observe(cronJob: CronJob, owned: readonly Job[]): { status: CronJobStatus; events: Told[] } {
  const before = cronJob.status ?? {};
  const events: Told[] = [];
  const known = new Map(owned.map((job) => [job.metadata.uid ?? '', job]));
  for (const { uid = '', name = '' } of before.active ?? []) {
    const job = known.get(uid);
    const ending = endingOf(job?.status);
    if (job === undefined) events.push({ type: 'Normal', reason: 'MissingJob', message: `Active job went missing: ${name}` });
    else if (ending !== undefined) {
      events.push({ type: 'Normal', reason: 'SawCompletedJob', message: `Saw completed job: ${name}, condition: ${ending.type}` });
    }
  }
  const references = new Map((before.active ?? []).map((reference) => [reference.uid ?? '', reference]));
  const active = owned
    .filter(isActive)
    .toSorted(byAge)
    .map((job) => references.get(job.metadata.uid ?? '') ?? jobReference(job));
  const successes = owned.flatMap(({ status }) => (status?.completionTime === undefined ? [] : [status.completionTime]));
  const lastSuccess = [...successes, ...(before.lastSuccessfulTime === undefined ? [] : [before.lastSuccessfulTime])].toSorted().at(-1);
  // A Job tells its time, which may not have come to be written.
  const times = owned.flatMap((job) => timeOf(job) ?? []);
  const lastTime = Math.max(millisecondsOf(before.lastScheduleTime), ...times);
  return {
    events,
    status: {
      ...(active.length === 0 ? {} : { active }),
      ...(lastTime > 0 ? { lastScheduleTime: formatTime(lastTime) } : {}),
      ...(lastSuccess === undefined ? {} : { lastSuccessfulTime: lastSuccess }),
    },
  };
}

function millisecondsOf(time: string | undefined): number {
  const milliseconds = Date.parse(time ?? '');
  return Number.isNaN(milliseconds) ? 0 : milliseconds;
}

/** Which time the Job serves; undefined for one that was started by hand. */
function timeOf(job: Job): number | undefined {
  const time = Date.parse(job.metadata.annotations?.[scheduledAnnotation] ?? '');
  return Number.isNaN(time) ? undefined : time;
}

/** The newest time that was not served, since the last that was, or since the CronJob was made; never further back than the deadline. */
function lastMissed(
  cronJob: CronJob,
  schedule: CronSchedule,
  zone: TimeZone,
  now: number,
): { readonly time: number | undefined; readonly many: boolean } {
  const { status, metadata, spec } = cronJob;
  const since = millisecondsOf(status?.lastScheduleTime ?? metadata.creationTimestamp ?? undefined);
  const oldest = spec.startingDeadlineSeconds === undefined ? 0 : now - spec.startingDeadlineSeconds * 1000;
  const earliest = Math.max(since, oldest);
  const time = earliest >= now ? undefined : schedule.last(earliest, now, zone);
  if (time === undefined) return { time, many: false };
  let missed = 0;
  for (let at = schedule.next(earliest, zone); at !== undefined && at < time && missed <= manyMissed; at = schedule.next(at, zone))
    missed++;
  return { time, many: missed > manyMissed };
}

function beyondHistory({ spec }: CronJob, owned: readonly Job[]): Job[] {
  const ended = (type: string): Job[] =>
    owned.filter((job) => endingOf(job.status)?.type === type && job.metadata.deletionTimestamp === undefined).toSorted(byStart);
  const oldest = (jobs: Job[], kept: number | undefined): Job[] =>
    kept === undefined ? [] : jobs.slice(0, Math.max(0, jobs.length - kept));
  return [...oldest(ended('Complete'), spec.successfulJobsHistoryLimit), ...oldest(ended('Failed'), spec.failedJobsHistoryLimit)];
}

function byStart(a: Job, b: Job): number {
  const [first, second] = [a.status?.startTime ?? '', b.status?.startTime ?? ''];
  if (first !== second) return first < second ? -1 : 1;
  return byAge(a, b);
}
