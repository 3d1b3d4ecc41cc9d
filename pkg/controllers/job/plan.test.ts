import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { Job, JobSpec } from '#api/shapes/types/batch-v1';
import type { Pod } from '#api/shapes/types/core-v1';
import { formatTime } from '#base/clock';
import { trackingFinalizer } from './count.ts';
import { indexAnnotation } from './indexes.ts';
import { endingOf, planJob } from './plan.ts';
import { failureCountAnnotation } from './policies.ts';

const start = Date.UTC(2026, 0, 1);

/** A Job with its pods, played: plans are carried out, pods end or vanish when told. */
class World {
  job: Job;
  pods: Pod[] = [];
  now = start;
  #made = 0;

  constructor(spec: Partial<JobSpec> = {}) {
    this.job = {
      apiVersion: 'batch/v1',
      kind: 'Job',
      metadata: { name: 'work', namespace: 'default', uid: 'j' },
      spec: { parallelism: 1, backoffLimit: 6, template: { spec: { containers: [{ name: 'main' }], restartPolicy: 'Never' } }, ...spec },
    };
  }

  /** One reconcile; `written`: whether the status write succeeded (what comes after it then happens too). */
  step(written = true): boolean {
    const plan = planJob(this.job, this.pods, this.now);
    if (!written) return false;
    this.job = { ...this.job, status: plan.status };
    for (const pod of plan.release) this.#edit(pod, { finalizers: [] });
    for (const pod of plan.remove) this.pods = this.pods.filter((each) => each.metadata.uid !== pod.metadata.uid);
    for (const { index, failures } of plan.create) {
      const uid = `u${this.#made++}`;
      this.pods.push({
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: {
          name: uid,
          uid,
          finalizers: [trackingFinalizer],
          creationTimestamp: formatTime(this.now),
          ...(index === undefined
            ? {}
            : {
                annotations: {
                  [indexAnnotation]: String(index),
                  ...(failures === undefined ? {} : { [failureCountAnnotation]: String(failures) }),
                },
              }),
        },
        spec: { containers: [] },
        status: { phase: 'Running' },
      });
    }
    return plan.create.length + plan.remove.length + plan.release.length > 0;
  }

  settle(): void {
    for (let turn = 0; turn < 20; turn++) this.step();
  }

  get active(): Pod[] {
    return this.pods.filter(({ status, metadata }) => status?.phase === 'Running' && metadata.deletionTimestamp === undefined);
  }

  end(pick: number, phase: 'Succeeded' | 'Failed', exitCode = phase === 'Succeeded' ? 0 : 1): void {
    const pod = this.active[pick % Math.max(1, this.active.length)];
    if (pod === undefined) return;
    const finishedAt = formatTime(this.now);
    const status = {
      phase,
      containerStatuses: [
        { name: 'main', image: '', imageID: '', ready: false, restartCount: 0, state: { terminated: { exitCode, finishedAt } } },
      ],
    };
    this.pods = this.pods.map((each) => (each === pod ? { ...each, status } : each));
  }

  /** Somebody deletes a pod: it goes at once unless the finalizer holds it. */
  remove(pick: number): void {
    const pod = this.pods[pick % Math.max(1, this.pods.length)];
    if (pod === undefined) return;
    if ((pod.metadata.finalizers ?? []).length > 0) this.#edit(pod, { deletionTimestamp: formatTime(this.now) });
    else this.pods = this.pods.filter((each) => each !== pod);
  }

  #edit(pod: Pod, metadata: Pod['metadata']): void {
    const edited = { ...pod, metadata: { ...pod.metadata, ...metadata } };
    const isGone = edited.metadata.deletionTimestamp !== undefined && (edited.metadata.finalizers ?? []).length === 0;
    this.pods = this.pods.flatMap((each) => (each.metadata.uid === pod.metadata.uid ? (isGone ? [] : [edited]) : [each]));
  }
}

describe('the plan of a Job', () => {
  test('runs as many at once as it may, until enough have succeeded', () => {
    const world = new World({ completions: 5, parallelism: 2 });
    let most = 0;
    for (let turn = 0; turn < 10; turn++) {
      world.settle();
      most = Math.max(most, world.active.length);
      world.end(0, 'Succeeded');
    }
    world.settle();
    expect(most).toBe(2);
    expect(world.job.status).toMatchObject({ succeeded: 5, active: 0, completionTime: formatTime(start) });
    expect(world.job.status?.conditions?.map(({ type }) => type)).toEqual(['SuccessCriteriaMet', 'Complete']);
    expect(world.pods).toHaveLength(5);
  });

  test('without completions is done when one has succeeded and none runs', () => {
    const world = new World({ parallelism: 3 });
    world.settle();
    expect(world.active).toHaveLength(3);
    world.end(0, 'Succeeded');
    world.settle();
    expect(world.active).toHaveLength(2);
    expect(endingOf(world.job.status)).toBeUndefined();
    world.end(0, 'Succeeded');
    world.end(0, 'Failed');
    world.settle();
    expect(endingOf(world.job.status)?.type).toBe('Complete');
  });

  test('waits longer after each failure, and gives up after too many', () => {
    const world = new World({ completions: 1, backoffLimit: 2 });
    const waits: number[] = [];
    for (let failure = 0; failure < 3; failure++) {
      world.settle();
      expect(world.active).toHaveLength(1);
      world.end(0, 'Failed');
      world.settle();
      const { after = 0 } = planJob(world.job, world.pods, world.now);
      waits.push(after);
      world.now += after;
    }
    world.settle();
    expect(waits.slice(0, 2)).toEqual([10_000, 20_000]);
    expect(world.job.status?.failed).toBe(3);
    expect(endingOf(world.job.status)).toMatchObject({
      type: 'Failed',
      reason: 'BackoffLimitExceeded',
      message: 'Job has reached the specified backoff limit',
    });
    expect(world.active).toHaveLength(0);
  });

  test('gives each index a pod of its own', () => {
    const world = new World({ completions: 4, parallelism: 2, completionMode: 'Indexed' });
    world.settle();
    expect(world.active.map(({ metadata }) => metadata.annotations?.[indexAnnotation])).toEqual(['0', '1']);
    world.end(1, 'Succeeded');
    world.settle();
    expect(world.job.status).toMatchObject({ succeeded: 1, completedIndexes: '1' });
    for (let turn = 0; turn < 3; turn++) {
      world.end(0, 'Succeeded');
      world.settle();
    }
    expect(world.job.status).toMatchObject({ succeeded: 4, completedIndexes: '0-3' });
    expect(endingOf(world.job.status)?.type).toBe('Complete');
  });

  test('takes its pods away while it is suspended, without calling them failed', () => {
    const world = new World({ completions: 2, parallelism: 2 });
    world.settle();
    world.job = { ...world.job, spec: { ...world.job.spec, suspend: true } };
    world.settle();
    expect(world.pods).toHaveLength(0);
    expect(world.job.status?.conditions).toMatchObject([{ type: 'Suspended', status: 'True', reason: 'JobSuspended' }]);
    expect(world.job.status?.startTime).toBeUndefined();
    world.job = { ...world.job, spec: { ...world.job.spec, suspend: false } };
    world.settle();
    expect(world.active).toHaveLength(2);
    expect(world.job.status).not.toHaveProperty('failed');
    expect(world.job.status?.conditions).toMatchObject([{ type: 'Suspended', status: 'False', reason: 'JobResumed' }]);
  });

  test('ends at its deadline, and goes some time after its end', () => {
    const world = new World({ completions: 1, activeDeadlineSeconds: 60, ttlSecondsAfterFinished: 100 });
    world.settle();
    expect(planJob(world.job, world.pods, world.now).after).toBe(60_000);
    world.now += 60_000;
    world.settle();
    expect(endingOf(world.job.status)).toMatchObject({ type: 'Failed', reason: 'DeadlineExceeded' });
    expect(planJob(world.job, world.pods, world.now)).toMatchObject({ expired: false, after: 100_000 });
    world.now += 100_000;
    expect(planJob(world.job, world.pods, world.now).expired).toBe(true);
  });

  test('is done when its success policy says so, and takes away what still runs', () => {
    const world = new World({
      completions: 5,
      parallelism: 5,
      completionMode: 'Indexed',
      successPolicy: { rules: [{ succeededIndexes: '0', succeededCount: 1 }, { succeededCount: 4 }] },
    });
    world.settle();
    world.end(2, 'Succeeded');
    world.settle();
    expect(endingOf(world.job.status)).toBeUndefined();
    world.end(0, 'Succeeded');
    world.settle();
    expect(endingOf(world.job.status)).toMatchObject({ type: 'Complete', reason: 'SuccessPolicy', message: 'Matched rules at index 0' });
    expect(world.active).toEqual([]);
    expect(world.job.status).toMatchObject({ succeeded: 2, completedIndexes: '0,2' });
  });

  test('fails at once, or looks away, as its failure policy says', () => {
    const world = new World({
      completions: 3,
      parallelism: 1,
      backoffLimit: 1,
      podReplacementPolicy: 'Failed',
      podFailurePolicy: {
        rules: [
          { action: 'Ignore', onExitCodes: { operator: 'In', values: [7] } },
          { action: 'FailJob', onExitCodes: { operator: 'NotIn', values: [1] } },
        ],
      },
    });
    for (let turn = 0; turn < 4; turn++) {
      world.settle();
      expect(world.active).toHaveLength(1);
      world.end(0, 'Failed', 7);
    }
    world.settle();
    expect(world.job.status).not.toHaveProperty('failed');
    world.end(0, 'Failed', 1);
    world.settle();
    world.now += 10_000;
    world.settle();
    expect(world.job.status?.failed).toBe(1);
    world.end(0, 'Failed', 42);
    world.settle();
    expect(endingOf(world.job.status)).toMatchObject({
      type: 'Failed',
      reason: 'PodFailurePolicy',
      message: expect.stringMatching(/^Container main for pod .*failed with exit code 42 matching FailJob rule at index 1$/),
    });
  });

  test('gives up an index after so many failures, and goes on with the others', () => {
    const world = new World({ completions: 3, parallelism: 3, completionMode: 'Indexed', backoffLimit: 1000, backoffLimitPerIndex: 1 });
    world.settle();
    for (let failure = 0; failure < 2; failure++) {
      world.end(
        world.active.findIndex((pod) => pod.metadata.annotations?.[indexAnnotation] === '1'),
        'Failed',
      );
      world.settle();
      // Whoever deletes the failed pod does not make its index forget.
      world.remove(world.pods.findIndex(({ status }) => status?.phase === 'Failed'));
      world.settle();
      expect(world.active).toHaveLength(2);
      world.now += 10_000;
      world.settle();
    }
    expect(world.job.status).toMatchObject({ failed: 2, failedIndexes: '1' });
    world.end(0, 'Succeeded');
    world.end(0, 'Succeeded');
    world.settle();
    expect(endingOf(world.job.status)).toMatchObject({ type: 'Failed', reason: 'FailedIndexes', message: 'Job has failed indexes' });
    expect(world.job.status).toMatchObject({ completedIndexes: '0,2', failedIndexes: '1' });
  });

  test('gives up altogether when too many indexes have failed', () => {
    const world = new World({
      completions: 4,
      parallelism: 4,
      completionMode: 'Indexed',
      backoffLimit: 1000,
      backoffLimitPerIndex: 0,
      maxFailedIndexes: 1,
    });
    world.settle();
    world.end(0, 'Failed');
    world.settle();
    expect(endingOf(world.job.status)).toBeUndefined();
    world.end(0, 'Failed');
    world.settle();
    expect(endingOf(world.job.status)).toMatchObject({ type: 'Failed', reason: 'MaxFailedIndexesExceeded' });
  });

  test('counts every pod that ended once and for all, whoever deletes it and whatever write is lost', () => {
    const happening = fc.record({
      what: fc.constantFrom('step', 'step', 'lost write', 'succeed', 'fail', 'delete'),
      pick: fc.nat(10),
    });
    fc.assert(
      fc.property(fc.array(happening, { maxLength: 80 }), (happenings) => {
        const world = new World({ completions: 1000, parallelism: 3, backoffLimit: 100_000 });
        const ends = { Succeeded: new Set<string>(), Failed: new Set<string>() };
        for (const { what, pick } of happenings) {
          world.now += 1_000_000;
          if (what === 'step') world.step();
          else if (what === 'lost write') world.step(false);
          else if (what === 'delete') world.remove(pick);
          else world.end(pick, what === 'succeed' ? 'Succeeded' : 'Failed');
          for (const { metadata, status } of world.pods) {
            const uid = metadata.uid ?? '';
            const isOpen = (metadata.finalizers ?? []).length > 0;
            if (status?.phase === 'Succeeded') ends.Succeeded.add(uid);
            else if (status?.phase === 'Failed' || (metadata.deletionTimestamp !== undefined && isOpen)) ends.Failed.add(uid);
          }
        }
        world.now += 1_000_000;
        world.settle();
        expect(world.job.status?.succeeded ?? 0).toBe(ends.Succeeded.size);
        expect(world.job.status?.failed ?? 0).toBe(ends.Failed.size);
        expect(world.active).toHaveLength(3);
      }),
      { numRuns: 300 },
    );
  });
});
