import { describe, expect, test } from '@jest/globals';
import type { ReplicaSet } from '#api/shapes/types/apps-v1';
import type { Pod } from '#api/shapes/types/core-v1';
import { formatTime } from '#base/clock';
import { planReplicaSet, spareable, statusDiffers, withFailure } from './plan.ts';

const now = Date.UTC(2026, 0, 1);
const ago = (seconds: number): string => formatTime(now - seconds * 1000);

function replicaSet(replicas: number, more: Partial<ReplicaSet['spec']> = {}): ReplicaSet {
  return {
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    metadata: { name: 'web', namespace: 'default', uid: 'rs', generation: 3 },
    spec: {
      replicas,
      selector: { matchLabels: { app: 'web' } },
      template: { metadata: { labels: { app: 'web', tier: 'front' } }, spec: { containers: [] } },
      ...more,
    },
  };
}

interface Given {
  readonly ready?: number;
  readonly phase?: string;
  readonly node?: string;
  readonly deleting?: boolean;
  readonly cost?: string;
  readonly created?: number;
  readonly restarts?: number;
  readonly labels?: Record<string, string>;
}

function pod(name: string, given: Given = {}): Pod {
  const {
    ready,
    phase = 'Running',
    node = 'a',
    deleting = false,
    cost,
    created = 100,
    restarts = 0,
    labels = { app: 'web', tier: 'front' },
  } = given;
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      labels,
      creationTimestamp: ago(created),
      ...(deleting ? { deletionTimestamp: ago(1) } : {}),
      ...(cost === undefined ? {} : { annotations: { 'controller.kubernetes.io/pod-deletion-cost': cost } }),
    },
    spec: { containers: [], ...(node === '' ? {} : { nodeName: node }) },
    status: {
      phase,
      ...(ready === undefined ? {} : { conditions: [{ type: 'Ready', status: 'True', lastTransitionTime: ago(ready) }] }),
      containerStatuses: [{ name: 'main', image: '', imageID: '', ready: ready !== undefined, restartCount: restarts }],
    },
  };
}

describe('the plan of a ReplicaSet', () => {
  test('makes what is missing, not counting pods that ended or are going', () => {
    const plan = planReplicaSet(replicaSet(3), [pod('a'), pod('b', { phase: 'Failed' }), pod('c', { deleting: true })], now);
    expect(plan).toMatchObject({ create: 2, remove: [], status: { replicas: 1, observedGeneration: 3 } });
  });

  test('removes what is too many, and makes nothing while it is being deleted', () => {
    const pods = ['a', 'b', 'c'].map((name) => pod(name, { ready: 10 }));
    expect(planReplicaSet(replicaSet(1), pods, now).remove).toHaveLength(2);
    const going = { ...replicaSet(5), metadata: { ...replicaSet(5).metadata, deletionTimestamp: ago(1) } };
    expect(planReplicaSet(going, pods, now)).toMatchObject({ create: 0, remove: [] });
  });

  test('counts a pod as available once it has been ready long enough, and looks again then', () => {
    const plan = planReplicaSet(replicaSet(3, { minReadySeconds: 30 }), [pod('a', { ready: 40 }), pod('b', { ready: 10 }), pod('c')], now);
    expect(plan.status).toMatchObject({ replicas: 3, readyReplicas: 2, availableReplicas: 1 });
    expect(plan.after).toBe(20_000);
  });

  test('counts which pods have all labels of the template', () => {
    const plan = planReplicaSet(replicaSet(2), [pod('a'), pod('b', { labels: { app: 'web' } })], now);
    expect(plan.status.fullyLabeledReplicas).toBe(1);
  });

  test('spares first what is worth least', () => {
    const order = [
      pod('unassigned', { node: '', phase: 'Pending' }),
      pod('pending', { phase: 'Pending' }),
      pod('not-ready', {}),
      pod('cheap', { ready: 10, cost: '-5' }),
      pod('doubled', { ready: 50, node: 'b' }),
      pod('doubled-too', { ready: 60, node: 'b' }),
      pod('young', { ready: 10, created: 10, node: 'c' }),
      pod('restarted', { ready: 70, restarts: 3, node: 'd' }),
      pod('calm', { ready: 70, node: 'e' }),
      pod('dear', { ready: 5, cost: '10', node: 'f' }),
    ];
    expect(spareable(order.toReversed()).map(({ metadata }) => metadata.name)).toEqual(order.map(({ metadata }) => metadata.name));
  });

  test('reports a failure as a condition that stays as it began, and takes it away', () => {
    const failure = { reason: 'FailedCreate', message: 'quota' };
    const first = withFailure({ replicas: 0 }, failure, ago(60));
    const second = withFailure(first, { ...failure, message: 'other' }, ago(0));
    expect(second.conditions).toEqual([
      { type: 'ReplicaFailure', status: 'True', reason: 'FailedCreate', message: 'quota', lastTransitionTime: ago(60) },
    ]);
    expect(withFailure(second, undefined, ago(0))).toEqual({ replicas: 0 });
  });

  test('writes no status that says nothing new', () => {
    const { status } = planReplicaSet(replicaSet(1), [], now);
    expect(statusDiffers({ replicas: 0, observedGeneration: 3 }, status)).toBe(false);
    expect(statusDiffers(undefined, status)).toBe(true);
  });
});
