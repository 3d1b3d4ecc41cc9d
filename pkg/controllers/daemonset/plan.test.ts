import { describe, expect, test } from '@jest/globals';
import type { DaemonSet } from '#api/shapes/types/apps-v1';
import type { Node, Pod, PodSpec } from '#api/shapes/types/core-v1';
import { formatTime } from '#base/clock';
import { planDaemonSet, specForNode, targetNodeOf } from './plan.ts';

const now = Date.UTC(2026, 0, 1);

function daemonSet(spec: Partial<DaemonSet['spec']> = {}, pod: Partial<PodSpec> = {}): DaemonSet {
  return {
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata: { name: 'agent', namespace: 'default', generation: 2 },
    spec: {
      selector: { matchLabels: { app: 'agent' } },
      template: { metadata: { labels: { app: 'agent' } }, spec: { containers: [{ name: 'main' }], ...pod } },
      ...spec,
    },
  };
}

function node(name: string, spec: Partial<Node['spec']> = {}, labels: Record<string, string> = {}): Node {
  return { apiVersion: 'v1', kind: 'Node', metadata: { name, labels }, spec };
}

function pod(name: string, nodeName: string, given: { hash?: string; ready?: boolean; phase?: string; deleting?: boolean } = {}): Pod {
  const { hash = 'new', ready = true, phase = 'Running', deleting = false } = given;
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      labels: { app: 'agent', 'controller-revision-hash': hash },
      ...(deleting ? { deletionTimestamp: formatTime(now) } : {}),
    },
    spec: { containers: [], nodeName },
    status: { phase, conditions: [{ type: 'Ready', status: ready ? 'True' : 'False', lastTransitionTime: formatTime(now - 60_000) }] },
  };
}

const names = (pods: readonly Pod[]): string[] => pods.map(({ metadata }) => metadata.name ?? '');
const three = [node('a'), node('b'), node('c')];

describe('the plan of a DaemonSet', () => {
  test('puts one pod on each node that it is meant for', () => {
    const nodes = [
      node('a', {}, { disk: 'ssd' }),
      node('b', {}, { disk: 'hdd' }),
      node('c', { taints: [{ key: 'only', effect: 'NoSchedule' }] }, { disk: 'ssd' }),
      node('d', { unschedulable: true, taints: [{ key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' }] }, { disk: 'ssd' }),
    ];
    const plan = planDaemonSet(daemonSet({}, { nodeSelector: { disk: 'ssd' } }), nodes, [], 'new', now);
    expect(plan.create).toEqual(['a', 'd']);
    expect(plan.status).toMatchObject({ desiredNumberScheduled: 2, numberUnavailable: 2 });
  });

  test('leaves a pod where new ones may not go, and takes it away where none may stay', () => {
    const nodes = [
      node('a', { taints: [{ key: 'x', effect: 'NoSchedule' }] }),
      node('b', { taints: [{ key: 'x', effect: 'NoExecute' }] }),
      node('c', { taints: [{ key: 'node.kubernetes.io/unreachable', effect: 'NoExecute' }] }),
    ];
    const plan = planDaemonSet(daemonSet(), nodes, [pod('1', 'a'), pod('2', 'b'), pod('3', 'c')], 'new', now);
    expect(names(plan.remove)).toEqual(['2']);
    expect(plan.status).toMatchObject({ numberMisscheduled: 2, desiredNumberScheduled: 1, numberAvailable: 1 });
  });

  test('takes away what ended and what is double, and waits for what is going', () => {
    const pods = [pod('ended', 'a', { phase: 'Failed' }), pod('one', 'b'), pod('two', 'b'), pod('going', 'c', { deleting: true })];
    const plan = planDaemonSet(daemonSet(), three, pods, 'new', now);
    expect(names(plan.remove)).toEqual(['ended', 'two']);
    expect(plan.create).toEqual([]);
  });

  test('rolls as many at once as may be away, those first that are of no use', () => {
    const old = ['a', 'b', 'c'].map((name) => pod(name, name, { hash: 'old' }));
    expect(names(planDaemonSet(daemonSet(), three, old, 'new', now).remove)).toEqual(['a']);
    const one = [pod('a', 'a', { ready: false }), ...old.slice(1)];
    expect(planDaemonSet(daemonSet(), three, one, 'new', now).remove).toEqual([]);
    const broken = [pod('a', 'a', { hash: 'old', ready: false }), ...old.slice(1)];
    expect(names(planDaemonSet(daemonSet(), three, broken, 'new', now).remove)).toEqual(['a']);
    const two = daemonSet({ updateStrategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: '50%' } } });
    expect(names(planDaemonSet(two, three, old, 'new', now).remove)).toEqual(['a', 'b']);
    expect(planDaemonSet(daemonSet({ updateStrategy: { type: 'OnDelete' } }), three, old, 'new', now).remove).toEqual([]);
  });

  test('with surge starts the new one first, and takes the old one away when that serves', () => {
    const surging = daemonSet({ updateStrategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } } });
    const old = ['a', 'b', 'c'].map((name) => pod(name, name, { hash: 'old' }));
    expect(planDaemonSet(surging, three, old, 'new', now)).toMatchObject({ create: ['a'], remove: [] });
    expect(planDaemonSet(surging, three, [...old, pod('a2', 'a', { ready: false })], 'new', now)).toMatchObject({ create: [], remove: [] });
    expect(names(planDaemonSet(surging, three, [...old, pod('a2', 'a')], 'new', now).remove)).toEqual(['a']);
  });

  test('makes pods for one node alone, that stay through its troubles', () => {
    const spec = specForNode({ containers: [], tolerations: [{ key: 'x', operator: 'Exists' }] }, 'a');
    expect(targetNodeOf({ apiVersion: 'v1', kind: 'Pod', metadata: {}, spec })).toBe('a');
    expect(spec.tolerations?.map(({ key }) => key)).toContain('node.kubernetes.io/unreachable');
  });
});
