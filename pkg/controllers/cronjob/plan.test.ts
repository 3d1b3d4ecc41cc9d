import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { CronJob, CronJobSpec, Job } from '#api/shapes/types/batch-v1';
import { formatTime } from '#base/clock';
import { jobNameOf, jobReference, planCronJob, scheduledAnnotation } from './plan.ts';

const start = Date.UTC(2026, 0, 1, 12, 0, 30);
const minute = 60_000;

/** A CronJob with its Jobs, played: plans are carried out, Jobs end when told. */
class World {
  cronJob: CronJob;
  jobs: Job[] = [];
  now = start;
  readonly started: number[] = [];
  readonly reasons: string[] = [];

  constructor(spec: Partial<CronJobSpec> = {}) {
    this.cronJob = {
      apiVersion: 'batch/v1',
      kind: 'CronJob',
      metadata: { name: 'tick', namespace: 'default', uid: 'c', creationTimestamp: formatTime(start) },
      spec: {
        schedule: '* * * * *',
        timeZone: 'UTC',
        concurrencyPolicy: 'Allow',
        successfulJobsHistoryLimit: 3,
        failedJobsHistoryLimit: 1,
        jobTemplate: { spec: { template: { spec: { containers: [] } } } },
        ...spec,
      },
    };
  }

  /** One reconcile; `written`: whether the status write came through. Gives the wait. */
  step(written = true): number | undefined {
    const plan = planCronJob(this.cronJob, this.jobs, this.now);
    this.reasons.push(...plan.events.map(({ reason }) => reason));
    const gone = new Set([...plan.forget, ...plan.replace]);
    this.jobs = this.jobs.filter((job) => !gone.has(job));
    let status = {
      ...plan.status,
      active: (plan.status.active ?? []).filter(({ uid }) => this.jobs.some(({ metadata }) => metadata.uid === uid)),
    };
    if (plan.start !== undefined) {
      const name = jobNameOf(this.cronJob, plan.start);
      expect(this.jobs.map(({ metadata }) => metadata.name)).not.toContain(name);
      const job: Job = {
        apiVersion: 'batch/v1',
        kind: 'Job',
        metadata: {
          name,
          namespace: 'default',
          uid: `u-${name}`,
          creationTimestamp: formatTime(this.now),
          annotations: { [scheduledAnnotation]: formatTime(plan.start) },
        },
        spec: this.cronJob.spec.jobTemplate.spec,
      };
      this.jobs.push(job);
      this.started.push(plan.start);
      status = { ...status, active: [...status.active, jobReference(job)], lastScheduleTime: formatTime(plan.start) };
    }
    if (written) this.cronJob = { ...this.cronJob, status };
    return plan.after;
  }

  end(name: string, type: 'Complete' | 'Failed' = 'Complete'): void {
    this.jobs = this.jobs.map((job) =>
      job.metadata.name === name
        ? {
            ...job,
            status: {
              startTime: job.metadata.creationTimestamp ?? '',
              conditions: [{ type, status: 'True' }],
              ...(type === 'Complete' ? { completionTime: formatTime(this.now) } : {}),
            },
          }
        : job,
    );
  }

  get active(): Job[] {
    return this.jobs.filter(({ status }) => status?.conditions === undefined);
  }
}

describe('a CronJob', () => {
  test('makes a Job at each time, and none in between', () => {
    const world = new World();
    expect(world.step()).toBe(30_000);
    expect(world.jobs).toEqual([]);
    world.now += 30_000;
    world.step();
    expect(world.jobs.map(({ metadata }) => metadata.name)).toEqual([`tick-${Math.floor(world.now / minute)}`]);
    expect(world.step()).toBe(minute);
    expect(world.jobs).toHaveLength(1);
    expect(world.cronJob.status?.lastScheduleTime).toBe('2026-01-01T12:01:00Z');
    expect(world.cronJob.status?.active).toHaveLength(1);
  });

  test('serves the newest time that was missed, once', () => {
    const world = new World();
    world.now += 10 * minute;
    world.step();
    world.step();
    expect(world.started).toEqual([Date.UTC(2026, 0, 1, 12, 10)]);
  });

  test('lets a time go that is past its deadline', () => {
    const world = new World({ schedule: '0 * * * *', startingDeadlineSeconds: 60 });
    world.now = Date.UTC(2026, 0, 1, 13, 5);
    world.step();
    expect(world.started).toEqual([]);
    world.now = Date.UTC(2026, 0, 1, 14, 0, 59);
    world.step();
    expect(world.started).toEqual([Date.UTC(2026, 0, 1, 14)]);
  });

  test('says so when many times were missed', () => {
    const world = new World();
    world.now += 500 * minute;
    world.step();
    expect(world.reasons).toEqual(['TooManyMissedTimes']);
    expect(world.started).toHaveLength(1);
  });

  test('does nothing while it is suspended, and serves the newest time afterwards', () => {
    const world = new World({ suspend: true });
    world.now += 5 * minute;
    expect(world.step()).toBeUndefined();
    world.cronJob = { ...world.cronJob, spec: { ...world.cronJob.spec, suspend: false } };
    world.step();
    expect(world.started).toEqual([Date.UTC(2026, 0, 1, 12, 5)]);
  });

  test('Forbid waits for the one that runs, then serves the newest time', () => {
    const world = new World({ concurrencyPolicy: 'Forbid' });
    world.now += minute;
    world.step();
    world.now += 3 * minute;
    world.step();
    expect(world.reasons).toEqual(['JobAlreadyActive']);
    world.end(world.jobs[0]?.metadata.name ?? '');
    world.step();
    expect(world.started).toEqual([Date.UTC(2026, 0, 1, 12, 1), Date.UTC(2026, 0, 1, 12, 4)]);
    expect(world.reasons).toContain('SawCompletedJob');
  });

  test('Replace takes away the one that runs', () => {
    const world = new World({ concurrencyPolicy: 'Replace' });
    world.now += minute;
    world.step();
    world.now += minute;
    world.step();
    expect(world.active).toHaveLength(1);
    expect(world.started).toHaveLength(2);
    expect(world.cronJob.status?.active).toHaveLength(1);
  });

  test('keeps as many ended Jobs as it is told', () => {
    const world = new World({ successfulJobsHistoryLimit: 2, failedJobsHistoryLimit: 0 });
    for (let turn = 0; turn < 6; turn++) {
      world.now += minute;
      world.step();
      world.end(world.jobs.at(-1)?.metadata.name ?? '', turn % 3 === 2 ? 'Failed' : 'Complete');
      world.step();
    }
    expect(world.jobs.map(({ metadata }) => metadata.name)).toEqual(
      [3, 4].map((turn) => jobNameOf(world.cronJob, start + (turn + 1) * minute)),
    );
    expect(world.cronJob.status?.lastSuccessfulTime).toBe(formatTime(start + 5 * minute));
  });

  test('a Job that was started by hand is none of its times', () => {
    const world = new World({ concurrencyPolicy: 'Forbid' });
    world.jobs.push({
      apiVersion: 'batch/v1',
      kind: 'Job',
      metadata: { name: 'tick-once', uid: 'hand', annotations: { 'cronjob.kubernetes.io/instantiate': 'manual' } },
      spec: world.cronJob.spec.jobTemplate.spec,
    });
    world.now += minute;
    world.step();
    expect(world.started).toHaveLength(1);
    expect(world.cronJob.status?.active).toHaveLength(1);
  });

  test('a time whose Job is there is not served again, though the status was lost', () => {
    const world = new World();
    world.now += minute;
    world.step(false);
    world.step();
    expect(world.started).toHaveLength(1);
    expect(world.cronJob.status).toMatchObject({
      lastScheduleTime: '2026-01-01T12:01:00Z',
      active: [{ name: world.jobs[0]?.metadata.name }],
    });
  });

  test('whatever happens: no time twice, none too early, none but the newest late, and no more at once than allowed', () => {
    const moves = fc.array(
      fc.record({
        wait: fc.integer({ min: 0, max: 5 * minute }),
        written: fc.boolean(),
        end: fc.option(fc.nat(5)),
        fails: fc.boolean(),
      }),
      { maxLength: 60 },
    );
    fc.assert(
      fc.property(
        moves,
        fc.constantFrom('Allow', 'Forbid', 'Replace'),
        fc.constantFrom('* * * * *', '*/3 * * * *', '@every 90s'),
        (all, policy, schedule) => {
          const world = new World({ concurrencyPolicy: policy, schedule });
          for (const { wait, written, end, fails } of all) {
            world.now += wait;
            const { length } = world.started;
            world.step(written);
            const served = world.started.slice(length);
            for (const time of served) {
              expect(time).toBeLessThanOrEqual(world.now);
              expect(world.now - time).toBeLessThan(3 * minute);
            }
            if (policy !== 'Allow') expect(world.active.length).toBeLessThanOrEqual(1);
            const running = world.active[(end ?? 0) % Math.max(1, world.active.length)];
            if (end !== null && running !== undefined) world.end(running.metadata.name ?? '', fails ? 'Failed' : 'Complete');
          }
          expect(new Set(world.started).size).toBe(world.started.length);
          expect(world.started.toSorted((a, b) => a - b)).toEqual(world.started);
          world.step();
          const before = [...world.jobs];
          world.step();
          expect(world.jobs).toEqual(before);
        },
      ),
    );
  });
});
