import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import {
  controllerRevisions,
  cronJobs,
  deployments,
  events,
  jobs,
  persistentVolumeClaims,
  podDisruptionBudgets,
  pods,
  statefulSets,
} from '#api/shapes/resources';
import type { StatefulSetSpec } from '#api/shapes/types/apps-v1';
import type { Job } from '#api/shapes/types/batch-v1';
import { hasReason } from '#base/errors';
import { ManualClock } from '#base/manual-clock';
import type { Client } from '#client/client';
import { type ControlPlane, eventually, namesOf, startControlPlane } from '../harness/control-plane.ts';

const namespace = 'default';

/** The reasons of the events about the object, once all of `wanted` are among them: events come after what they tell of. */
async function reasonsOf(client: Client, name: string, ...wanted: readonly string[]): Promise<string[]> {
  return await eventually(
    async () => {
      const { items } = await client.list(events, { namespace });
      return items.filter(({ involvedObject }) => involvedObject.name === name).map(({ reason = '' }) => reason);
    },
    (reasons) => wanted.every((reason) => reasons.includes(reason)),
  );
}

describe('a StatefulSet', () => {
  let plane: ControlPlane;
  let client: Client;
  const key = { namespace, name: 'db' };
  const labels = { app: 'db' };

  beforeEach(async () => {
    plane = await startControlPlane();
    client = plane.client;
    await plane.addNodes('node-1', 'node-2');
  });

  afterEach(async () => {
    await plane.stop();
  });

  const template = (image: string) => ({
    metadata: { labels },
    spec: { containers: [{ name: 'main', image, volumeMounts: [{ name: 'data', mountPath: '/data' }] }] },
  });

  async function createSet(more: Partial<StatefulSetSpec> = {}): Promise<void> {
    await client.create(statefulSets, {
      metadata: key,
      spec: {
        replicas: 3,
        serviceName: 'db',
        selector: { matchLabels: labels },
        template: template('db:1'),
        volumeClaimTemplates: [
          {
            apiVersion: 'v1',
            kind: 'PersistentVolumeClaim',
            metadata: { name: 'data' },
            spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
          },
        ],
        ...more,
      },
    });
  }

  const settled = async (replicas: number, image = 'db:1'): Promise<boolean> =>
    await eventually(
      async () => {
        const { metadata, status } = await client.get(statefulSets, key);
        const { items } = await client.list(pods, { namespace });
        return (
          status?.observedGeneration === metadata.generation &&
          status?.replicas === replicas &&
          status.availableReplicas === replicas &&
          status.updateRevision === status.currentRevision &&
          items.length === replicas &&
          items.every(({ spec }) => spec.containers[0]?.image === image)
        );
      },
      (is) => is,
    );

  test('has numbered pods with claims of their own, which survive pods, changes and a smaller size', async () => {
    await createSet();
    expect(await settled(3)).toBe(true);
    expect(await namesOf(client, pods, namespace)).toEqual(['db-0', 'db-1', 'db-2']);
    expect(await namesOf(client, persistentVolumeClaims, namespace)).toEqual(['data-db-0', 'data-db-1', 'data-db-2']);
    const first = await client.get(pods, { namespace, name: 'db-1' });
    expect(first).toMatchObject({
      metadata: { labels: { 'statefulset.kubernetes.io/pod-name': 'db-1', 'apps.kubernetes.io/pod-index': '1' } },
      spec: { hostname: 'db-1', subdomain: 'db' },
    });
    const volume = (await client.get(persistentVolumeClaims, { namespace, name: 'data-db-1' })).spec.volumeName;
    expect(volume).toBeDefined();

    await client.delete(pods, { namespace, name: 'db-1' });
    await eventually(
      () => client.find(pods, { namespace, name: 'db-1' }),
      (pod) => pod !== undefined && pod.metadata.uid !== first.metadata.uid && pod.spec.nodeName === first.spec.nodeName,
    );
    expect(await settled(3)).toBe(true);
    expect((await client.get(persistentVolumeClaims, { namespace, name: 'data-db-1' })).spec.volumeName).toBe(volume);

    await client.patch(statefulSets, key, 'merge', { spec: { replicas: 1 } });
    expect(await settled(1)).toBe(true);
    expect(await namesOf(client, pods, namespace)).toEqual(['db-0']);
    expect(await namesOf(client, persistentVolumeClaims, namespace)).toHaveLength(3);
  });

  test('brings a change out from the top with a history that can be gone back in, also over restarts of the controllers', async () => {
    await createSet();
    expect(await settled(3)).toBe(true);
    await client.patch(statefulSets, key, 'merge', { spec: { template: template('db:2') } });
    await plane.restart();
    expect(await settled(3, 'db:2')).toBe(true);
    const history = (await client.list(controllerRevisions, { namespace })).items;
    expect(history.map(({ revision }) => revision).toSorted((a, b) => a - b)).toEqual([1, 2]);
    // What `kubectl rollout undo` does.
    const before = history.find(({ revision }) => revision === 1);
    await client.patch(statefulSets, key, 'strategic', before?.data);
    expect(await settled(3, 'db:1')).toBe(true);
    const after = (await client.list(controllerRevisions, { namespace })).items;
    expect(after.map(({ revision }) => revision).toSorted((a, b) => a - b)).toEqual([2, 3]);
    const wanted = ['SuccessfulCreate', 'SuccessfulDelete'];
    expect(await reasonsOf(client, 'db', ...wanted)).toEqual(expect.arrayContaining(wanted));
  });

  test('takes its claims with it where its policy says so: those of pods that are too many, and all of them when it goes', async () => {
    await createSet({ persistentVolumeClaimRetentionPolicy: { whenDeleted: 'Delete', whenScaled: 'Delete' } });
    expect(await settled(3)).toBe(true);
    await client.patch(statefulSets, key, 'merge', { spec: { replicas: 1 } });
    expect(await settled(1)).toBe(true);
    const claims = (): Promise<string[]> => namesOf(client, persistentVolumeClaims, namespace);
    expect(await eventually(claims, (names) => names.length === 1)).toEqual(['data-db-0']);
    await client.patch(statefulSets, key, 'merge', { spec: { replicas: 2 } });
    expect(await settled(2)).toBe(true);
    await client.delete(statefulSets, key, { propagationPolicy: 'Background' });
    expect(await eventually(claims, (names) => names.length === 0)).toEqual([]);
    expect(
      await eventually(
        () => namesOf(client, pods, namespace),
        (names) => names.length === 0,
      ),
    ).toEqual([]);
  });

  test('in parallel is there at once', async () => {
    await createSet({
      podManagementPolicy: 'Parallel',
      replicas: 4,
      volumeClaimTemplates: [],
      template: { ...template('db:1'), spec: { containers: [{ name: 'main', image: 'db:1' }] } },
    });
    expect(await settled(4)).toBe(true);
  });
});

describe('a CronJob', () => {
  const key = { namespace, name: 'tick' };
  let plane: ControlPlane;
  let client: Client;
  let clock: ManualClock;

  beforeEach(async () => {
    clock = new ManualClock(Date.UTC(2026, 0, 1, 12, 0, 30));
    plane = await startControlPlane({ clock });
    client = plane.client;
    await plane.addNodes('node-1');
  });

  afterEach(async () => {
    await plane.stop();
  });

  const make = async (image: string, more: object = {}): Promise<void> => {
    await client.create(cronJobs, {
      metadata: key,
      spec: {
        schedule: '*/5 * * * *',
        timeZone: 'Etc/UTC',
        jobTemplate: { spec: { template: { spec: { restartPolicy: 'Never', containers: [{ name: 'main', image }] } } } },
        ...more,
      },
    });
  };
  const jobNames = (): Promise<string[]> => namesOf(client, jobs, namespace);
  const nameAt = (...time: [number, number]): string => `tick-${Date.UTC(2026, 0, 1, ...time) / 60_000}`;
  /** Moves time on until so many Jobs have been made. */
  const advance = async (milliseconds: number, isRight: (names: string[]) => boolean): Promise<string[]> => {
    // The controller must have heard of what is there before its timer can be set.
    await eventually(
      () => client.get(cronJobs, key),
      () => true,
    );
    let left = milliseconds;
    return await eventually(
      async () => {
        if (left > 0) await clock.advance(Math.min(left, 10_000));
        left -= 10_000;
        return await jobNames();
      },
      (names) => left <= 0 && isRight(names),
    );
  };

  test('makes a Job at each time, tells of it, and keeps the last', async () => {
    await make('succeeds', { successfulJobsHistoryLimit: 2 });
    expect(await advance(5 * 60_000, (names) => names.length === 1)).toEqual([nameAt(12, 5)]);
    const job = await client.get(jobs, { namespace, name: nameAt(12, 5) });
    expect(job.metadata.annotations?.['batch.kubernetes.io/cronjob-scheduled-timestamp']).toBe('2026-01-01T12:05:00Z');
    const done = await eventually(
      () => client.get(cronJobs, key),
      ({ status }) => status?.lastSuccessfulTime !== undefined && status.active === undefined,
    );
    expect(done.status?.lastScheduleTime).toBe('2026-01-01T12:05:00Z');
    await advance(5 * 60_000, (names) => names.includes(nameAt(12, 10)));
    const kept = await advance(5 * 60_000, (names) => names.includes(nameAt(12, 15)) && names.length === 2);
    expect(kept).toEqual([nameAt(12, 10), nameAt(12, 15)]);
    const wanted = ['SuccessfulCreate', 'SawCompletedJob', 'SuccessfulDelete'];
    expect(await reasonsOf(client, 'tick', ...wanted)).toEqual(expect.arrayContaining(wanted));
  });

  test('forbids, or replaces, what still runs', async () => {
    await make('runs', { concurrencyPolicy: 'Forbid' });
    await advance(5 * 60_000, (names) => names.length === 1);
    expect(await advance(5 * 60_000, () => true)).toEqual([nameAt(12, 5)]);
    await client.patch(cronJobs, key, 'merge', { spec: { concurrencyPolicy: 'Replace' } });
    expect(await advance(5 * 60_000, (names) => names.length === 1 && names[0] === nameAt(12, 15))).toEqual([nameAt(12, 15)]);
  });

  test('goes with its Jobs and their pods', async () => {
    await make('runs');
    await advance(5 * 60_000, (names) => names.length === 1);
    await eventually(
      () => namesOf(client, pods, namespace),
      (names) => names.length === 1,
    );
    await client.delete(cronJobs, key, { propagationPolicy: 'Background' });
    expect(
      await eventually(
        async () => [...(await jobNames()), ...(await namesOf(client, pods, namespace))],
        (names) => names.length === 0,
      ),
    ).toEqual([]);
  });
});

describe('a PodDisruptionBudget', () => {
  let plane: ControlPlane;
  let client: Client;
  const key = { namespace, name: 'web' };
  const labels = { app: 'web' };

  beforeEach(async () => {
    plane = await startControlPlane();
    client = plane.client;
    await plane.addNodes('node-1');
    await client.create(deployments, {
      metadata: key,
      spec: {
        replicas: 4,
        selector: { matchLabels: labels },
        template: { metadata: { labels }, spec: { containers: [{ name: 'main', image: 'web:1' }] } },
      },
    });
  });

  afterEach(async () => {
    await plane.stop();
  });

  const allowed = (count: number): Promise<number | undefined> =>
    eventually(
      async () => (await client.get(podDisruptionBudgets, key)).status?.disruptionsAllowed,
      (found) => found === count,
    );
  const evict = async (name: string): Promise<string> => {
    try {
      await client.createSubresource(pods, { namespace, name }, 'eviction', { metadata: { name, namespace } });
      return 'evicted';
    } catch (error) {
      if (!hasReason(error, 'TooManyRequests')) throw error;
      return `${error.message} ${error.details?.causes?.[0]?.message ?? ''}`;
    }
  };

  test('allows as many evictions as it says, also when all come at once, and more when their pods are replaced', async () => {
    await client.create(podDisruptionBudgets, { metadata: key, spec: { maxUnavailable: 2, selector: { matchLabels: labels } } });
    expect(await allowed(2)).toBe(2);
    const names = await namesOf(client, pods, namespace);
    const answers = await Promise.all(names.map(evict));
    expect(answers.filter((answer) => answer === 'evicted')).toHaveLength(2);
    expect(answers.find((answer) => answer !== 'evicted')).toMatch(
      /^Cannot evict pod as it would violate the pod's disruption budget\. The disruption budget web needs 2 healthy pods and has \d currently$/,
    );
    expect(await allowed(2)).toBe(2);
    const left = names.filter((_, index) => answers[index] !== 'evicted');
    expect(await evict(left[0] ?? '')).toBe('evicted');
    await eventually(
      () => namesOf(client, pods, namespace),
      (found) => found.length === 4 && !found.includes(left[0] ?? ''),
    );
    expect(await client.get(podDisruptionBudgets, key)).toMatchObject({ status: { expectedPods: 4, desiredHealthy: 2 } });
  });

  test('lets a drain go on where it asks for less, and not where two budgets are about one pod', async () => {
    await client.create(podDisruptionBudgets, { metadata: key, spec: { minAvailable: '100%', selector: { matchLabels: labels } } });
    await eventually(
      async () => (await client.get(podDisruptionBudgets, key)).status?.currentHealthy,
      (healthy) => healthy === 4,
    );
    const [first = ''] = await namesOf(client, pods, namespace);
    expect(await evict(first)).toContain('Cannot evict pod');
    await client
      .createSubresource(pods, { namespace, name: first }, 'eviction', { metadata: { name: first } }, { dryRun: true })
      .catch((error: unknown) => {
        expect(hasReason(error, 'TooManyRequests')).toBe(true);
      });
    await client.patch(podDisruptionBudgets, key, 'merge', { spec: { minAvailable: 1 } });
    expect(await allowed(3)).toBe(3);
    expect(await evict(first)).toBe('evicted');
    await client.create(podDisruptionBudgets, { metadata: { namespace, name: 'other' }, spec: { minAvailable: 0, selector: {} } });
    const [second = ''] = (await namesOf(client, pods, namespace)).filter((name) => name !== first);
    await expect(evict(second)).rejects.toThrow('more than one PodDisruptionBudget');
  });
});

describe('a Job', () => {
  let plane: ControlPlane;
  let client: Client;
  const key = { namespace, name: 'work' };

  beforeEach(async () => {
    plane = await startControlPlane();
    client = plane.client;
    await plane.addNodes('node-1');
  });

  afterEach(async () => {
    await plane.stop();
  });

  const spec = (image: string, more: object = {}) => ({
    ...more,
    template: { spec: { restartPolicy: 'Never', containers: [{ name: 'main', image }] } },
  });
  const ended = (): Promise<Job> =>
    eventually(
      () => client.get(jobs, key),
      ({ status }) =>
        status?.conditions?.some(({ type, status: is }) => (type === 'Complete' || type === 'Failed') && is === 'True') === true,
    );

  test('that fails says why, once, and leaves its pods to look at', async () => {
    await client.create(jobs, { metadata: key, spec: spec('fails', { backoffLimit: 0 }) });
    const { status } = await ended();
    expect(status?.failed).toBe(1);
    expect(status?.conditions?.map(({ type, reason }) => `${type} ${reason}`)).toEqual([
      'FailureTarget BackoffLimitExceeded',
      'Failed BackoffLimitExceeded',
    ]);
    const wanted = ['SuccessfulCreate', 'BackoffLimitExceeded'];
    expect(await reasonsOf(client, 'work', ...wanted)).toEqual(expect.arrayContaining(wanted));
    const held = async (): Promise<number> =>
      (await client.list(pods, { namespace })).items.filter(({ metadata }) => (metadata.finalizers ?? []).length > 0).length;
    expect(await eventually(held, (count) => count === 0)).toBe(0);
    expect(await namesOf(client, pods, namespace)).toHaveLength(1);
  });

  test('is given up index by index where it has a limit for each', async () => {
    const limits = { completions: 2, parallelism: 2, completionMode: 'Indexed', backoffLimitPerIndex: 0 };
    await client.create(jobs, { metadata: key, spec: spec('fails', limits) });
    const { status } = await ended();
    expect(status).toMatchObject({ failedIndexes: '0,1', failed: 2 });
    expect(status?.conditions?.at(-1)).toMatchObject({ type: 'Failed', reason: 'FailedIndexes' });
    const [first] = (await client.list(pods, { namespace })).items;
    expect(first?.metadata).toMatchObject({
      annotations: { 'batch.kubernetes.io/job-index-failure-count': '0' },
      labels: { 'batch.kubernetes.io/job-name': 'work' },
    });
    expect(first?.spec.hostname).toMatch(/^work-[01]$/);
    expect(first?.spec.containers[0]?.env?.map(({ name }) => name)).toEqual(['JOB_COMPLETION_INDEX']);
  });

  test('is suspended and resumed, and ends by itself after its time', async () => {
    await client.create(jobs, { metadata: key, spec: spec('runs', { suspend: true, ttlSecondsAfterFinished: 0 }) });
    await eventually(
      () => client.get(jobs, key),
      ({ status }) => status?.conditions?.[0]?.type === 'Suspended',
    );
    expect(await namesOf(client, pods, namespace)).toEqual([]);
    await client.patch(jobs, key, 'merge', { spec: { suspend: false } });
    const running = await eventually(
      async () => (await client.list(pods, { namespace })).items.filter(({ status }) => status?.phase === 'Running'),
      (found) => found.length === 1,
    );
    await client.patch(
      pods,
      { namespace, name: running[0]?.metadata.name ?? '' },
      'merge',
      { status: { phase: 'Succeeded' } },
      { subresource: 'status' },
    );
    expect(
      await eventually(
        async () => [...(await namesOf(client, jobs, namespace)), ...(await namesOf(client, pods, namespace))],
        (found) => found.length === 0,
      ),
    ).toEqual([]);
  });
});
