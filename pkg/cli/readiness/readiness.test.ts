import { describe, expect, test } from '@jest/globals';
import type { KubernetesObject } from '#api/object';
import { readinessKinds } from './index.ts';
import type { Readiness } from './readiness.ts';

function judge(group: string, kind: string, object: object): Readiness {
  const found = readinessKinds.find((one) => one.group === group && one.kind === kind);
  if (found === undefined) throw new Error(`nothing is known of ${kind}`);
  return found.judge({ metadata: { name: 'x', generation: 2 }, ...object } as KubernetesObject);
}

describe('a Deployment', () => {
  const deployment = (status: object, spec: object = { replicas: 2 }): Readiness => judge('apps', 'Deployment', { spec, status });
  const whole = { observedGeneration: 2, replicas: 2, updatedReplicas: 2, availableReplicas: 2 };

  test.each<[string, object, string]>([
    ['is well when all are new, available, and no old one is left', whole, 'done'],
    ['is not when the status is of the generation before', { ...whole, observedGeneration: 1 }, 'waiting'],
    ['is not when an old one is left', { ...whole, replicas: 3 }, 'waiting'],
    ['is not when one is old', { ...whole, updatedReplicas: 1 }, 'waiting'],
    ['is not without a status', {}, 'waiting'],
    [
      'has failed when its progress has',
      { ...whole, availableReplicas: 0, conditions: [{ type: 'Progressing', status: 'False', reason: 'ProgressDeadlineExceeded' }] },
      'failed',
    ],
    [
      'has not when that was of the generation before',
      { ...whole, observedGeneration: 1, conditions: [{ type: 'Progressing', status: 'False' }] },
      'waiting',
    ],
  ])('%s', (_name, status, verdict) => {
    expect(deployment(status).verdict).toBe(verdict);
  });

  test('that is paused is not waited for, and none is one', () => {
    expect(deployment({}, { replicas: 2, paused: true })).toMatchObject({ verdict: 'done', state: 'Paused' });
    expect(deployment({ observedGeneration: 2 }, { replicas: 0 })).toMatchObject({ verdict: 'done', ready: 0, desired: 0 });
    expect(deployment(whole, { selector: { matchLabels: { a: 'b' } }, replicas: 2 }).selector).toEqual({ matchLabels: { a: 'b' } });
  });
});

describe('a ReplicaSet', () => {
  test('is well when all its pods are ready', () => {
    const status = { observedGeneration: 2, replicas: 2, readyReplicas: 2 };
    expect(judge('apps', 'ReplicaSet', { spec: { replicas: 2 }, status }).verdict).toBe('done');
    expect(judge('apps', 'ReplicaSet', { spec: { replicas: 2 }, status: { ...status, readyReplicas: 1 } }).verdict).toBe('waiting');
    expect(judge('apps', 'ReplicaSet', { spec: { replicas: 1 }, status }).verdict).toBe('waiting');
  });
});

describe('a StatefulSet', () => {
  const set = (status: object, spec: object = { replicas: 2 }): string => judge('apps', 'StatefulSet', { spec, status }).verdict;
  const whole = { observedGeneration: 2, replicas: 2, readyReplicas: 2, currentRevision: 'b', updateRevision: 'b' };

  test('is well when all are ready and of the newest revision, as far as they are to be', () => {
    expect(set(whole)).toBe('done');
    expect(set({ ...whole, readyReplicas: 1 })).toBe('waiting');
    const updating = { ...whole, currentRevision: 'a', updatedReplicas: 1 };
    expect(set(updating)).toBe('waiting');
    expect(set(updating, { replicas: 2, updateStrategy: { rollingUpdate: { partition: 1 } } })).toBe('done');
    expect(set(updating, { replicas: 2, updateStrategy: { type: 'OnDelete' } })).toBe('done');
  });
});

describe('a DaemonSet', () => {
  const set = (status: object, spec: object = {}): string => judge('apps', 'DaemonSet', { spec, status }).verdict;
  const whole = { observedGeneration: 2, desiredNumberScheduled: 3, numberAvailable: 3, updatedNumberScheduled: 3 };

  test('is well when it is on every node that it is for; where it is for none, at once', () => {
    expect(set(whole)).toBe('done');
    expect(set({ ...whole, numberAvailable: 2 })).toBe('waiting');
    expect(set({ ...whole, updatedNumberScheduled: 2 })).toBe('waiting');
    expect(set({ ...whole, updatedNumberScheduled: 2 }, { updateStrategy: { type: 'OnDelete' } })).toBe('done');
    expect(set({ observedGeneration: 2, desiredNumberScheduled: 0 })).toBe('done');
    expect(set({ observedGeneration: 1, desiredNumberScheduled: 0 })).toBe('waiting');
  });
});

describe('a Job', () => {
  const job = (status: object, spec: object = {}): Readiness => judge('batch', 'Job', { spec, status });

  test('is well when it is under way, complete or suspended, and has failed when it says so', () => {
    expect(job({}).verdict).toBe('waiting');
    expect(job({ active: 1 }).verdict).toBe('waiting');
    expect(job({ active: 1, ready: 1 })).toMatchObject({ verdict: 'done', state: 'Running' });
    expect(job({ succeeded: 1, conditions: [{ type: 'Complete', status: 'True' }] })).toMatchObject({
      verdict: 'done',
      state: 'Complete',
      ready: 1,
    });
    expect(job({}, { suspend: true })).toMatchObject({ verdict: 'done', state: 'Suspended' });
    const failed = { type: 'Failed', status: 'True', reason: 'BackoffLimitExceeded', message: 'too often' };
    expect(job({ conditions: [failed] })).toMatchObject({ verdict: 'failed', state: 'BackoffLimitExceeded', message: 'too often' });
  });
});

describe('a Pod', () => {
  const pod = (status: object): Readiness => judge('', 'Pod', { spec: { containers: [] }, status });

  test('is well when it is ready or has run to its end', () => {
    expect(pod({ phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] })).toEqual({
      ready: 1,
      desired: 1,
      state: 'Running',
      verdict: 'done',
    });
    expect(pod({ phase: 'Succeeded' })).toMatchObject({ verdict: 'done', state: 'Succeeded' });
  });

  test('says what it waits for, and why it failed', () => {
    const unscheduled = {
      phase: 'Pending',
      conditions: [{ type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message: 'no room' }],
    };
    expect(pod(unscheduled)).toMatchObject({ verdict: 'waiting', state: 'Unschedulable', message: 'no room' });
    const pulling = {
      phase: 'Pending',
      containerStatuses: [{ name: 'main', state: { waiting: { reason: 'ErrImagePull', message: 'no such image' } } }],
    };
    expect(pod(pulling)).toMatchObject({ verdict: 'waiting', message: 'container main waits (ErrImagePull): no such image' });
    const failed = { phase: 'Failed', containerStatuses: [{ name: 'main', state: { terminated: { exitCode: 3, reason: 'Error' } } }] };
    expect(pod(failed)).toMatchObject({ verdict: 'failed', message: 'container main ended with 3 (Error)' });
    expect(pod({ phase: 'Failed', message: 'evicted' })).toMatchObject({ verdict: 'failed', message: 'evicted' });
    const crashing = {
      phase: 'Running',
      containerStatuses: [
        { name: 'main', state: { waiting: { reason: 'CrashLoopBackOff' } }, lastState: { terminated: { exitCode: 1, reason: 'Error' } } },
      ],
    };
    expect(pod(crashing).message).toBe('container main waits (CrashLoopBackOff); its last run ended with 1 (Error)');
    const starting = { phase: 'Pending', containerStatuses: [{ name: 'main', state: { waiting: { reason: 'ContainerCreating' } } }] };
    expect(pod(starting).message).toBeUndefined();
  });
});
