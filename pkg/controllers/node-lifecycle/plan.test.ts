import { describe, expect, test } from '@jest/globals';
import type { Node, Pod, Taint, Toleration } from '#api/shapes/types/core-v1';
import { planTaints } from './plan.ts';
import { timeToEviction } from './taint-eviction.ts';

const now = '2026-01-01T00:00:00Z';
const at = Date.parse(now);

function node(
  ready: string,
  more: { taints?: Taint[]; unschedulable?: boolean; conditions?: { type: string; status: string }[] } = {},
): Node {
  const { taints, unschedulable, conditions = [] } = more;
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name: 'a' },
    spec: { ...(taints === undefined ? {} : { taints }), ...(unschedulable === undefined ? {} : { unschedulable }) },
    status: { conditions: [{ type: 'Ready', status: ready }, ...conditions] },
  };
}

describe('the taints of a node', () => {
  test('keep pods away from one that is not ready, and drive them off while others are well', () => {
    expect(planTaints(node('False'), true, now)).toEqual([
      { key: 'node.kubernetes.io/not-ready', effect: 'NoSchedule' },
      { key: 'node.kubernetes.io/not-ready', effect: 'NoExecute', timeAdded: now },
    ]);
    expect(planTaints(node('Unknown'), false, now)).toEqual([{ key: 'node.kubernetes.io/unreachable', effect: 'NoSchedule' }]);
  });

  test('keep the time since when they are there, and others’ taints', () => {
    const old = { key: 'node.kubernetes.io/unreachable', effect: 'NoExecute', timeAdded: '2025-12-31T23:59:00Z' };
    const foreign = { key: 'gpu', value: 'only', effect: 'NoSchedule' };
    const schedule = { key: 'node.kubernetes.io/unreachable', effect: 'NoSchedule' };
    expect(planTaints(node('Unknown', { taints: [old, foreign, schedule] }), true, now)).toBeUndefined();
    expect(planTaints(node('True', { taints: [old, foreign, schedule] }), true, now)).toEqual([foreign]);
    expect(planTaints(node('Unknown', { taints: [old, foreign, schedule] }), false, now)).toEqual([foreign, schedule]);
  });

  test('tell of a node that is cordoned or short of something', () => {
    const conditions = [
      { type: 'DiskPressure', status: 'True' },
      { type: 'MemoryPressure', status: 'False' },
    ];
    expect(planTaints(node('True', { unschedulable: true, conditions }), true, now)?.map(({ key }) => key)).toEqual([
      'node.kubernetes.io/disk-pressure',
      'node.kubernetes.io/unschedulable',
    ]);
    expect(planTaints(node('True'), true, now)).toBeUndefined();
  });
});

describe('a pod on a node with NoExecute taints', () => {
  const taint: Taint = { key: 'x', effect: 'NoExecute', timeAdded: now };
  const pod = (...tolerations: Toleration[]): Pod => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {},
    spec: { containers: [], tolerations },
  });

  test('goes at once where it tolerates one of them not, and stays where it tolerates all for ever', () => {
    expect(timeToEviction(pod(), [taint], at)).toBe(0);
    expect(timeToEviction(pod({ operator: 'Exists' }), [taint], at)).toBeUndefined();
    expect(timeToEviction(pod({ key: 'x', operator: 'Exists' }), [taint, { key: 'y', effect: 'NoExecute' }], at)).toBe(0);
    expect(timeToEviction(pod(), [], at)).toBeUndefined();
  });

  test('goes when the shortest toleration has run out, counted from when the taint came', () => {
    const limited = pod({ key: 'x', operator: 'Exists', tolerationSeconds: 300 }, { operator: 'Exists', tolerationSeconds: 60 });
    expect(timeToEviction(limited, [taint], at + 20_000)).toBe(40_000);
    expect(timeToEviction(limited, [taint], at + 61_000)).toBe(0);
  });
});
