import { describe, expect, test } from '@jest/globals';
import type { Node, Pod } from '#api/shapes/types/core-v1';
import { type ClusterLists, explainPod, type PodExplanation } from './explain.ts';
import { requestsOf } from './pod-shape.ts';
import { placedOn, testNode, testPod } from './testing.ts';

function explain(pod: Pod, nodes: readonly Node[], others: readonly Pod[] = [], more: Partial<ClusterLists> = {}): PodExplanation {
  return explainPod(pod, { nodes, pods: others, ...more });
}

const affinityTo = (key: string, value: string) => ({
  nodeAffinity: {
    requiredDuringSchedulingIgnoredDuringExecution: {
      nodeSelectorTerms: [{ matchExpressions: [{ key, operator: 'In', values: [value] }] }],
    },
  },
});
const apartFrom = (app: string) => ({
  podAntiAffinity: {
    requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey: 'kubernetes.io/hostname', labelSelector: { matchLabels: { app } } }],
  },
});
const togetherWith = (app: string) => ({
  podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey: 'zone', labelSelector: { matchLabels: { app } } }] },
});
const port = (hostPort: number): Partial<Pod['spec']> => ({ containers: [{ name: 'main', ports: [{ containerPort: 80, hostPort }] }] });
const claimed: Partial<Pod['spec']> = { volumes: [{ name: 'data', persistentVolumeClaim: { claimName: 'data' } }] };
const claim = (volumeName?: string, annotations?: Record<string, string>) => ({
  apiVersion: 'v1',
  kind: 'PersistentVolumeClaim',
  metadata: { name: 'data', namespace: 'default', ...(annotations === undefined ? {} : { annotations }) },
  spec: volumeName === undefined ? {} : { volumeName },
});
const volume = {
  apiVersion: 'v1',
  kind: 'PersistentVolume',
  metadata: { name: 'pv' },
  spec: {
    nodeAffinity: {
      required: { nodeSelectorTerms: [{ matchExpressions: [{ key: 'kubernetes.io/hostname', operator: 'In', values: ['b'] }] }] },
    },
  },
};

interface Case {
  readonly name: string;
  readonly pod: Pod;
  readonly nodes: readonly Node[];
  readonly others?: readonly Pod[];
  readonly more?: Partial<ClusterLists>;
  readonly summary: string;
  readonly help?: string;
}

const refused: readonly Case[] = [
  { name: 'no node at all', pod: testPod('p'), nodes: [], summary: 'no nodes available to schedule pods' },
  {
    name: 'too little of two resources, counted each',
    pod: testPod('p', { cpu: '8', memory: '16Gi' }),
    nodes: [testNode('a'), testNode('b')],
    summary: '0/2 nodes are available: 2 Insufficient cpu, 2 Insufficient memory.',
    help: 'request at most 4 cpu (a has 4 in all); request at most 8Gi memory (a has 8Gi in all)',
  },
  {
    name: 'room that others hold',
    pod: testPod('p', { cpu: '2' }),
    nodes: [testNode('a')],
    others: [placedOn(testPod('other', { cpu: '2500m' }), 'a')],
    summary: '0/1 nodes are available: 1 Insufficient cpu.',
    help: 'free 500m cpu on a, or request at most 1500m',
  },
  {
    name: 'as many pods as the node takes',
    pod: testPod('p'),
    nodes: [testNode('a', { pods: '1' })],
    others: [placedOn(testPod('other'), 'a')],
    summary: '0/1 nodes are available: 1 Too many pods.',
    help: 'remove a pod from a',
  },
  {
    name: 'a node that has said nothing of itself yet',
    pod: testPod('p'),
    nodes: [testNode('a', { pods: '0' })],
    summary: '0/1 nodes are available: 1 Too many pods.',
    help: 'start the agent of a: it has not said yet what the node has',
  },
  {
    name: 'an extended resource',
    pod: testPod('p', { spec: { containers: [{ name: 'main', resources: { limits: { 'example.com/gpu': '1' } } }] } }),
    nodes: [testNode('a')],
    summary: '0/1 nodes are available: 1 Insufficient example.com/gpu.',
  },
  {
    name: 'a cordoned node',
    pod: testPod('p'),
    nodes: [testNode('a', { spec: { unschedulable: true } })],
    summary: '0/1 nodes are available: 1 node(s) were unschedulable.',
    help: 'uncordon it: kubectl uncordon a',
  },
  {
    name: 'taints, the nearest node first',
    pod: testPod('p'),
    nodes: [
      testNode('a', { spec: { taints: [{ key: 'node.kubernetes.io/not-ready', effect: 'NoExecute' }] } }),
      testNode('b', { spec: { taints: [{ key: 'only', value: 'gpu', effect: 'NoSchedule' }] } }),
    ],
    summary:
      '0/2 nodes are available: 1 node(s) had untolerated taint {node.kubernetes.io/not-ready: }, 1 node(s) had untolerated taint {only: gpu}.',
    help: 'tolerate the taint, or remove it: kubectl taint node b only:NoSchedule-',
  },
  {
    name: 'a nodeSelector',
    pod: testPod('p', { spec: { nodeSelector: { disk: 'ssd' } } }),
    nodes: [testNode('a')],
    summary: "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector.",
    help: 'label the node: kubectl label node a disk=ssd',
  },
  {
    name: 'required node affinity',
    pod: testPod('p', { spec: { affinity: affinityTo('disk', 'ssd') } }),
    nodes: [testNode('a', { labels: { disk: 'hdd' } })],
    summary: "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector.",
    help: 'label the node: kubectl label node a disk=ssd --overwrite',
  },
  {
    name: 'node affinity that labels cannot meet',
    pod: testPod('p', { spec: { affinity: affinityTo('kubernetes.io/arch', 'riscv64') } }),
    nodes: [testNode('a')],
    summary: "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector.",
    help: "change the pod's node affinity (in Compose: its placement constraints)",
  },
  {
    name: 'a host port in use',
    pod: testPod('p', { spec: port(80) }),
    nodes: [testNode('a')],
    others: [placedOn(testPod('other', { spec: port(80) }), 'a')],
    summary: "0/1 nodes are available: 1 node(s) didn't have free ports for the requested pod ports.",
  },
  {
    name: 'a claim that does not exist',
    pod: testPod('p', { spec: claimed }),
    nodes: [testNode('a')],
    summary: '0/1 nodes are available: persistentvolumeclaim "data" not found.',
    help: 'create the claim data in namespace default',
  },
  {
    name: 'a volume on another node',
    pod: testPod('p', { spec: claimed }),
    nodes: [testNode('a')],
    more: { claims: [claim('pv')], volumes: [volume] },
    summary: '0/1 nodes are available: 1 node(s) had volume node affinity conflict.',
  },
  {
    name: 'anti-affinity, of the pod and of those that are there',
    pod: testPod('p', { labels: { app: 'db' }, spec: { affinity: apartFrom('web') } }),
    nodes: [testNode('a'), testNode('b')],
    others: [
      placedOn(testPod('web', { labels: { app: 'web' } }), 'a'),
      placedOn(testPod('shy', { labels: { app: 'shy' }, spec: { affinity: apartFrom('db') } }), 'b'),
    ],
    summary:
      "0/2 nodes are available: 1 node(s) didn't match pod anti-affinity rules, 1 node(s) didn't satisfy existing pods anti-affinity rules.",
  },
  {
    name: 'affinity to pods that are nowhere',
    pod: testPod('p', { spec: { affinity: togetherWith('cache') } }),
    nodes: [testNode('a', { labels: { zone: 'z1' } })],
    summary: "0/1 nodes are available: 1 node(s) didn't match pod affinity rules.",
  },
];

describe('an explanation names', () => {
  test.each(refused)('$name', ({ pod, nodes, others, more, summary, help }) => {
    const explained = explain(pod, nodes, others, more);
    expect(explained.summary).toBe(summary);
    expect(explained.chosen).toBeUndefined();
    if (help !== undefined) expect(explained.smallestChange).toBe(help);
    for (const node of explained.nodes) {
      expect(node.fits).toBe(false);
      for (const { detail, help: each, plugin } of node.refusals)
        expect(Math.min(detail.length, each.length, plugin.length)).toBeGreaterThan(3);
    }
  });
});

describe('an explanation', () => {
  test('gives the node that would be chosen', () => {
    const explained = explain(testPod('p', { cpu: '1' }), [testNode('a', { cpu: '500m' }), testNode('b')]);
    expect(explained.chosen).toBe('b');
    expect(explained.summary).toBe('would be placed on b');
    expect(explained.nodes.map(({ node, fits }) => [node, fits])).toEqual([
      ['b', true],
      ['a', false],
    ]);
  });

  test('lets the first of a group that wants to be together in anywhere', () => {
    const pod = testPod('p', { labels: { app: 'cache' }, spec: { affinity: togetherWith('cache') } });
    expect(explain(pod, [testNode('a', { labels: { zone: 'z1' } })]).chosen).toBe('a');
  });

  test('keeps topology spread within maxSkew', () => {
    const constraint = {
      topologyKey: 'zone',
      maxSkew: 1,
      whenUnsatisfiable: 'DoNotSchedule',
      labelSelector: { matchLabels: { app: 'web' } },
    };
    const pod = testPod('p', { labels: { app: 'web' }, spec: { topologySpreadConstraints: [constraint] } });
    const nodes = [testNode('a', { labels: { zone: 'z1' } }), testNode('b', { labels: { zone: 'z2' } }), testNode('c')];
    const there = placedOn(testPod('w', { labels: { app: 'web' } }), 'a');
    const explained = explain(pod, nodes, [there]);
    expect(explained.chosen).toBe('b');
    expect(Object.fromEntries(explained.nodes.map(({ node, refusals }) => [node, refusals.map(({ reason }) => reason)]))).toEqual({
      a: ["node(s) didn't match pod topology spread constraints"],
      b: [],
      c: ["node(s) didn't match pod topology spread constraints (missing required label)"],
    });
  });

  test('places by preference where nothing forbids', () => {
    const preferred = {
      nodeAffinity: {
        preferredDuringSchedulingIgnoredDuringExecution: [
          { weight: 10, preference: { matchExpressions: [{ key: 'disk', operator: 'Exists' }] } },
        ],
      },
    };
    const nodes = [testNode('a'), testNode('b', { labels: { disk: 'ssd' } }), testNode('c')];
    expect(explain(testPod('p', { spec: { affinity: preferred } }), nodes).chosen).toBe('b');
    const avoided = nodes.map((node) =>
      node.metadata.name === 'a'
        ? node
        : testNode(node.metadata.name ?? '', { spec: { taints: [{ key: 'x', effect: 'PreferNoSchedule' }] } }),
    );
    expect(explain(testPod('p'), avoided).chosen).toBe('a');
    const withImage = nodes.map((node) =>
      node.metadata.name === 'c' ? testNode('c', { status: { images: [{ names: ['docker.io/library/app:1'] }] } }) : node,
    );
    expect(explain(testPod('p', { spec: { containers: [{ name: 'main', image: 'app:1' }] } }), [withImage[0]!, withImage[2]!]).chosen).toBe(
      'c',
    );
  });
});

test('requests are what containers, sidecars and init containers may use at once', () => {
  const resources = (cpu: string) => ({ resources: { requests: { cpu } } });
  const pod = testPod('p', {
    spec: {
      containers: [
        { name: 'c', ...resources('100m') },
        { name: 'b', ...resources('200m') },
      ],
      initContainers: [
        { name: 'first', ...resources('1') },
        { name: 'side', restartPolicy: 'Always', ...resources('50m') },
        { name: 'second', ...resources('990m') },
      ],
      overhead: { cpu: '10m' },
    },
  });
  expect(requestsOf(pod).get('cpu')).toBe(1050);
  expect(requestsOf(pod).get('pods')).toBe(1);
});
