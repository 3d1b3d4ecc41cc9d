import { describe, expect, test } from '@jest/globals';
import { formatQuantity, parseQuantity } from '../quantity.ts';
import type { Container, Pod, PodSpec } from '../shapes/types/core-v1.ts';
import { claimFaults, defaultContainers, podFaults } from './limits.ts';
import { podTotals } from './pod-totals.ts';
import { chargeOf, exceeded, formatAmounts, growth, missingOf, usedOf } from './quota.ts';
import { isInScope } from './scopes.ts';
import { resourceOf, usageOf } from './usage.ts';

const now = Date.UTC(2026, 0, 1);
const pods = { group: '', plural: 'pods' };

function container(
  name: string,
  requests: Record<string, string> = {},
  limits: Record<string, string> = {},
  more: Partial<Container> = {},
): Container {
  return { name, image: 'i', resources: { requests, limits }, ...more };
}

function pod(spec: Partial<PodSpec>, more: Partial<Pod> = {}): Pod {
  return { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'p', namespace: 'd' }, spec: { containers: [], ...spec }, ...more };
}

const spelled = (amounts: ReadonlyMap<string, Parameters<typeof formatQuantity>[0]>): Record<string, string> =>
  Object.fromEntries([...amounts].map(([name, amount]) => [name, formatQuantity(amount)]));

describe('what a pod takes', () => {
  test('is its containers together, or its largest init container with the sidecars before it', () => {
    const spec: PodSpec = {
      containers: [container('a', { cpu: '500m', memory: '1Gi' }), container('b', { cpu: '250m' })],
      initContainers: [
        container('side', { cpu: '100m' }, {}, { restartPolicy: 'Always' }),
        container('big', { cpu: '2', memory: '64Mi' }),
        container('late', { cpu: '1' }, {}, { restartPolicy: 'Always' }),
      ],
    };
    expect(spelled(podTotals(spec, 'requests'))).toEqual({ cpu: '2100m', memory: '1Gi' });
    expect(spelled(podTotals({ ...spec, containers: [container('a', { cpu: '3' })] }, 'requests'))).toEqual({
      cpu: '4100m',
      memory: '64Mi',
    });
  });

  test('has the names that stand in quotas', () => {
    const one = pod({ containers: [container('a', { cpu: '1', 'example.com/gpu': '2' }, { memory: '1Gi' })] });
    expect(spelled(usageOf(pods, one, now))).toEqual({
      'count/pods': '1',
      pods: '1',
      cpu: '1',
      'requests.cpu': '1',
      'requests.example.com/gpu': '2',
      'limits.memory': '1Gi',
    });
    expect(spelled(usageOf(pods, { ...one, status: { phase: 'Succeeded' } } as Pod, now))).toEqual({ 'count/pods': '1' });
    const late = pod({}, { metadata: { name: 'p', deletionTimestamp: '2025-12-31T23:59:00Z' } });
    expect(spelled(usageOf(pods, late, now))).toEqual({ 'count/pods': '1' });
  });
});

describe('what others take', () => {
  test('by kind', () => {
    const service = (type: string): Record<string, string> =>
      spelled(
        usageOf({ group: '', plural: 'services' }, { kind: 'Service', spec: { type, ports: [{ port: 1 }, { port: 2 }] } } as never, now),
      );
    expect(service('ClusterIP')).toMatchObject({ services: '1', 'services.nodeports': '0' });
    expect(service('LoadBalancer')).toMatchObject({ 'services.loadbalancers': '1', 'services.nodeports': '2' });
    const claim = { kind: 'PersistentVolumeClaim', spec: { storageClassName: 'fast', resources: { requests: { storage: '2Gi' } } } };
    expect(spelled(usageOf({ group: '', plural: 'persistentvolumeclaims' }, claim as never, now))).toEqual({
      'count/persistentvolumeclaims': '1',
      persistentvolumeclaims: '1',
      'requests.storage': '2Gi',
      'fast.storageclass.storage.k8s.io/requests.storage': '2Gi',
      'fast.storageclass.storage.k8s.io/persistentvolumeclaims': '1',
    });
    expect(spelled(usageOf({ group: 'apps', plural: 'deployments' }, { kind: 'Deployment' } as never, now))).toEqual({
      'count/deployments.apps': '1',
    });
  });

  test.each([
    ['count/deployments.apps', 'apps', 'deployments'],
    ['count/secrets', '', 'secrets'],
    ['services.nodeports', '', 'services'],
    ['fast.storageclass.storage.k8s.io/requests.storage', '', 'persistentvolumeclaims'],
    ['requests.storage', '', 'persistentvolumeclaims'],
    ['limits.cpu', '', 'pods'],
    ['memory', '', 'pods'],
    ['configmaps', '', 'configmaps'],
  ])('%s is found in %s/%s', (name, group, plural) => {
    expect(resourceOf(name)).toEqual({ group, plural });
  });
});

describe('a quota', () => {
  const spec = { hard: { pods: '2', 'requests.cpu': '1', 'limits.memory': '1Gi' } };
  const one = pod({ containers: [container('a', { cpu: '600m' }, { memory: '512Mi' })] });

  test('adds up what it names, and knows what would be too much', () => {
    const used = usedOf(
      spec,
      [
        { resource: pods, object: one },
        { resource: { group: '', plural: 'secrets' }, object: one },
      ],
      now,
    );
    expect(spelled(used)).toEqual({ pods: '1', 'requests.cpu': '600m', 'limits.memory': '512Mi' });
    const charge = chargeOf(spec, pods, one, now) ?? new Map();
    expect(exceeded(spec, used, charge)).toEqual(['requests.cpu']);
    expect(formatAmounts(charge, ['pods', 'requests.cpu'])).toBe('pods=1,requests.cpu=600m');
    expect(growth(charge, charge).size).toBe(0);
    expect(spelled(growth(charge, new Map([['pods', parseQuantity('1')]])))).toEqual({ 'requests.cpu': '600m', 'limits.memory': '512Mi' });
    expect(chargeOf(spec, { group: '', plural: 'secrets' }, one, now)).toBeUndefined();
  });

  test('wants its pods to say what it bounds', () => {
    expect(missingOf(spec, one)).toBeUndefined();
    expect(missingOf(spec, pod({ containers: [container('b'), container('a', { cpu: '1' })] }))).toBe(
      'limits.memory for: a,b; requests.cpu for: b',
    );
  });

  test.each<[string, string, string[], Partial<PodSpec>, boolean]>([
    ['Terminating', 'Exists', [], { activeDeadlineSeconds: 5 }, true],
    ['Terminating', 'Exists', [], {}, false],
    ['NotTerminating', 'Exists', [], {}, true],
    ['BestEffort', 'Exists', [], { containers: [container('a')] }, true],
    ['BestEffort', 'Exists', [], { containers: [container('a', { cpu: '1' })] }, false],
    ['NotBestEffort', 'Exists', [], { containers: [container('a', { cpu: '1' })] }, true],
    ['PriorityClass', 'In', ['high'], { priorityClassName: 'high' }, true],
    ['PriorityClass', 'NotIn', ['high'], { priorityClassName: 'high' }, false],
    ['PriorityClass', 'DoesNotExist', [], {}, true],
    [
      'CrossNamespacePodAffinity',
      'Exists',
      [],
      { affinity: { podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey: 'z', namespaces: ['x'] }] } } },
      true,
    ],
  ])('of %s %s %j', (scopeName, operator, values, fields, is) => {
    expect(isInScope({ scopeSelector: { matchExpressions: [{ scopeName, operator, values }] } }, pods, pod(fields))).toBe(is);
    expect(
      isInScope({ scopeSelector: { matchExpressions: [{ scopeName, operator, values }] } }, { group: '', plural: 'secrets' }, pod(fields)),
    ).toBe(false);
  });
});

describe('limit ranges', () => {
  test('fill in what containers leave open, and say so', () => {
    const given = pod({
      containers: [container('a', { cpu: '100m' }), { name: 'b', image: 'i' }],
      initContainers: [container('c', {}, { cpu: '1' })],
    });
    defaultContainers(given, [{ type: 'Container', default: { cpu: '2', memory: '1Gi' }, defaultRequest: { cpu: '1' } }]);
    expect(given.spec.containers.map(({ resources }) => resources)).toEqual([
      { requests: { cpu: '100m' }, limits: { cpu: '2', memory: '1Gi' } },
      { requests: { cpu: '1' }, limits: { cpu: '2', memory: '1Gi' } },
    ]);
    expect(given.spec.initContainers?.[0]?.resources).toEqual({ requests: { cpu: '1' }, limits: { cpu: '1', memory: '1Gi' } });
    expect(given.metadata.annotations).toEqual({
      'kubernetes.io/limit-ranger':
        'LimitRanger plugin set: cpu, memory limit for container a; cpu request for container b; cpu, memory limit for container b; cpu request for init container c; memory limit for init container c',
    });
  });

  test('refuse what is too much, too little or not said', () => {
    const given = pod({ containers: [container('a', { cpu: '100m' }, { cpu: '4' }), container('b')] });
    expect(podFaults(given, [{ type: 'Container', min: { cpu: '200m' }, max: { cpu: '2' }, maxLimitRequestRatio: { cpu: '10' } }])).toEqual(
      [
        'minimum cpu usage per Container is 200m, but request is 100m',
        'maximum cpu usage per Container is 2, but limit is 4',
        'cpu max limit to request ratio per Container is 10, but provided ratio is 40.000000',
        'minimum cpu usage per Container is 200m.  No request is specified',
        'maximum cpu usage per Container is 2.  No limit is specified',
        'cpu max limit to request ratio per Container is 10, but no request is specified or request is 0',
      ],
    );
    expect(podFaults(given, [{ type: 'Pod', max: { cpu: '3' } }])).toEqual(['maximum cpu usage per Pod is 3, but limit is 4']);
    const claim = { spec: { resources: { requests: { storage: '5Gi' } } } };
    expect(claimFaults(claim as never, [{ type: 'PersistentVolumeClaim', min: { storage: '10Gi' }, max: { storage: '1Gi' } }])).toEqual([
      'minimum storage usage per PersistentVolumeClaim is 10Gi, but request is 5Gi',
      'maximum storage usage per PersistentVolumeClaim is 1Gi, but request is 5Gi',
    ]);
  });
});
