import { describe, expect, test } from '@jest/globals';
import { StatusError } from '#base/errors';
import { parseFieldSelector } from '../field-selector.ts';
import { podFields } from '../pod-spec/pod-fields.ts';
import { checkSelectable, matchesFields, validateChange, validateNew } from '../registry.ts';
import { decodeObject } from '../schema/decode.ts';
import { typeTable } from '../schema/type-table.ts';
import type { Pod, PodSpec } from '../shapes/types/core-v1.ts';
import { kindRegistry } from './index.ts';
import { pod as podKind } from './pod.ts';

const now = Date.UTC(2026, 0, 1, 12);

function make(spec: object, metadata: object = {}): Pod {
  const { object } = decodeObject<Pod>('core.v1.Pod', {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'x', namespace: 'd', ...metadata },
    spec,
  });
  podKind.defaults?.(object);
  return object;
}

const simple = { containers: [{ name: 'a', image: 'busybox' }] };

function faults(spec: object): string[] {
  try {
    validateNew(podKind, make(spec));
    return [];
  } catch (error) {
    if (!(error instanceof StatusError)) throw error;
    return (error.details?.causes ?? []).map(({ field, message }) => `${field}: ${message}`);
  }
}

describe('defaults', () => {
  test('are those of Kubernetes', () => {
    const pod = make({
      containers: [
        {
          name: 'a',
          image: 'busybox',
          ports: [{ containerPort: 80 }],
          readinessProbe: { httpGet: { port: 80 } },
          resources: { limits: { cpu: 1 } },
        },
      ],
      volumes: [{ name: 'v' }, { name: 'c', configMap: { name: 'c' } }],
    });
    expect(pod.spec).toMatchObject({
      restartPolicy: 'Always',
      dnsPolicy: 'ClusterFirst',
      schedulerName: 'default-scheduler',
      terminationGracePeriodSeconds: 30,
      securityContext: {},
      serviceAccountName: 'default',
      containers: [
        {
          imagePullPolicy: 'Always',
          terminationMessagePath: '/dev/termination-log',
          terminationMessagePolicy: 'File',
          ports: [{ containerPort: 80, protocol: 'TCP' }],
          readinessProbe: {
            httpGet: { port: 80, path: '/', scheme: 'HTTP' },
            timeoutSeconds: 1,
            periodSeconds: 10,
            successThreshold: 1,
            failureThreshold: 3,
          },
          resources: { limits: { cpu: '1' }, requests: { cpu: '1' } },
        },
      ],
      volumes: [
        { name: 'v', emptyDir: {} },
        { name: 'c', configMap: { name: 'c', defaultMode: 420 } },
      ],
    });
  });

  test('images with a tag are pulled once, those without or latest always', () => {
    const policy = (image: string): string | undefined => make({ containers: [{ name: 'a', image }] }).spec.containers[0]?.imagePullPolicy;
    expect(['a', 'a:latest', 'host:5000/a', 'a:1', 'host:5000/a:1', 'a@sha256:0'].map(policy)).toEqual([
      'Always',
      'Always',
      'Always',
      'IfNotPresent',
      'IfNotPresent',
      'IfNotPresent',
    ]);
  });

  test('running them twice changes nothing', () => {
    const once = make(simple);
    const twice = structuredClone(once);
    podKind.defaults?.(twice);
    expect(twice).toEqual(once);
  });
});

describe('validation', () => {
  test('a plain pod is valid', () => {
    expect(faults(simple)).toEqual([]);
  });

  test.each<[object, string]>([
    [{}, 'spec.containers: Required value'],
    [{ containers: [{ name: 'a' }] }, 'spec.containers[0].image: Required value'],
    [{ containers: [{ image: 'i' }] }, 'spec.containers[0].name: Required value'],
    [
      { ...simple, restartPolicy: 'Sometimes' },
      'spec.restartPolicy: Unsupported value: "Sometimes": supported values: "Always", "OnFailure", "Never"',
    ],
    [{ containers: [...simple.containers, ...simple.containers] }, 'spec.containers[1].name: Duplicate value: "a"'],
    [
      { containers: [{ name: 'a', image: 'i', volumeMounts: [{ name: 'gone', mountPath: '/x' }] }] },
      'spec.containers[0].volumeMounts[0].name: Not found: "gone"',
    ],
    [
      { containers: [{ name: 'a', image: 'i', ports: [{ containerPort: 70000 }] }] },
      'spec.containers[0].ports[0].containerPort: Invalid value: 70000: must be between 1 and 65535, inclusive',
    ],
    [
      { containers: [{ name: 'a', image: 'i', resources: { limits: { cpu: '1' }, requests: { cpu: '2' } } }] },
      'spec.containers[0].resources.requests: Invalid value: "2": must be less than or equal to cpu limit of 1',
    ],
    [
      { containers: [{ name: 'a', image: 'i', livenessProbe: {} }] },
      'spec.containers[0].livenessProbe: Required value: must specify a handler type',
    ],
    [
      { containers: [{ name: 'a', image: 'i', env: [{ name: 'A=B' }] }] },
      'spec.containers[0].env[0].name: Invalid value: "A=B": a valid environment variable name must consist only of printable ASCII characters other than \'=\'',
    ],
    [
      { ...simple, volumes: [{ name: 'v', emptyDir: {}, hostPath: { path: '/x' } }] },
      'spec.volumes[0].hostPath: Forbidden: may not specify more than 1 volume type',
    ],
    [
      { ...simple, tolerations: [{ value: 'x' }] },
      'spec.tolerations[0].operator: Invalid value: "": operator must be Exists when `key` is empty, which means "match all values and all keys"',
    ],
    [{ ...simple, hostAliases: [{ ip: 'x' }] }, 'spec.hostAliases[0].ip: Invalid value: "x": must be a valid IP address'],
    [{ ...simple, hostname: 'A' }, 'spec.hostname: Invalid value: "A": a lowercase RFC 1123 label'],
    [
      { ...simple, berth: { maxRestarts: 2 } },
      'spec.berth.maxRestarts: Invalid value: 2: may only be set when `restartPolicy` is OnFailure',
    ],
    [
      { ...simple, volumes: [{ name: 'v', nfs: { server: 's', path: '/' } }] },
      'spec.volumes[0].nfs: Forbidden: not supported by Berth: use a persistentVolumeClaim',
    ],
    [{ ...simple, runtimeClassName: 'kata' }, 'spec.runtimeClassName: Forbidden: not supported by Berth: nodes have one runtime'],
    [{ ...simple, hostUsers: false }, 'spec.hostUsers: Forbidden'],
    [
      { containers: [{ name: 'a', image: 'i', securityContext: { seccompProfile: { type: 'Localhost', localhostProfile: 'p' } } }] },
      'spec.containers[0].securityContext.seccompProfile: Forbidden',
    ],
  ])('%j: %s', (spec, message) => {
    const [first = '', ...more] = faults(spec);
    expect([first.slice(0, message.length), more]).toEqual([message, []]);
  });

  test('harmless values of refused fields pass', () => {
    expect(
      faults({ ...simple, hostUsers: true, os: { name: 'linux' }, securityContext: { seccompProfile: { type: 'RuntimeDefault' } } }),
    ).toEqual([]);
  });

  test('what has no effect is warned of, with its path', () => {
    const warnings = (fields: object): string[] =>
      (podKind.warnings?.(make({ ...simple, ...fields }), undefined) ?? []).map((warning) => warning.split(':')[0] ?? '');
    expect(warnings({ automountServiceAccountToken: true })).toEqual(['spec.automountServiceAccountToken']);
    expect(warnings({ automountServiceAccountToken: false, priority: 5, preemptionPolicy: 'PreemptLowerPriority' })).toEqual([]);
  });

  test('the image may change, most else may not', () => {
    const change = (spec: object): string => {
      try {
        validateChange(podKind, make(spec), make(simple));
        return '';
      } catch (error) {
        return (error as StatusError).message;
      }
    };
    expect(change({ containers: [{ name: 'a', image: 'other', imagePullPolicy: 'Always' }] })).toBe('');
    expect(change({ ...simple, activeDeadlineSeconds: 5, tolerations: [{ key: 'a', operator: 'Exists' }] })).toBe('');
    expect(change({ ...simple, hostNetwork: true })).toContain(
      'spec: Forbidden: pod updates may not change fields other than `spec.containers[*].image`',
    );
    expect(change({ containers: [...simple.containers, { name: 'b', image: 'i' }] })).toContain(
      'pod updates may not add or remove containers',
    );
  });
});

test('every field of every type that a pod spec can reach has its line in the table', () => {
  const missing: string[] = [];
  const stale: string[] = [];
  const seen = new Set<string>();
  const visit = (typeName: string): void => {
    const type = typeTable.find(typeName);
    if (seen.has(typeName) || type?.form !== 'message') return;
    seen.add(typeName);
    const lines = podFields[typeName] ?? {};
    for (const field of type.fields) {
      const line = lines[field.name];
      if (line === undefined) missing.push(`${typeName}.${field.name}`);
      else if (line.support === 'honoured') visit(field.type);
    }
    for (const name of Object.keys(lines)) if (!type.fields.some((field) => field.name === name)) stale.push(`${typeName}.${name}`);
  };
  visit('core.v1.PodSpec');
  expect({
    missing,
    stale,
    unreached: Object.keys(podFields).filter(
      (name) => !seen.has(name) && !['core.v1.AppArmorProfile', 'core.v1.SeccompProfile'].includes(name),
    ),
  }).toEqual({ missing: [], stale: [], unreached: [] });
});

describe('the row of a pod', () => {
  const withStatus = (status: object, spec: Partial<PodSpec> = {}, metadata: object = {}): Pod => ({
    ...make({ ...simple, ...spec }, { creationTimestamp: '2026-01-01T11:00:00Z', ...metadata }),
    status: decodeObject<Pod>('core.v1.Pod', { metadata: {}, status }).object.status ?? {},
  });
  const row = (pod: Pod): unknown[] => [...podKind.columns.cells(pod, now)];
  const running = { name: 'a', ready: true, restartCount: 0, image: '', imageID: '', state: { running: {} } };

  test('running', () => {
    const pod = withStatus({ phase: 'Running', containerStatuses: [running], podIPs: [{ ip: '10.0.0.1' }] }, { nodeName: 'n' });
    expect(row(pod)).toEqual(['x', '1/1', 'Running', '0', '60m', '10.0.0.1', 'n', '<none>', '<none>']);
  });

  test.each<[string, object, Partial<PodSpec>, object, string]>([
    ['pending', { phase: 'Pending' }, {}, {}, '0/1 Pending 0'],
    [
      'crashing',
      {
        phase: 'Running',
        containerStatuses: [
          {
            ...running,
            ready: false,
            restartCount: 3,
            state: { waiting: { reason: 'CrashLoopBackOff' } },
            lastState: { terminated: { exitCode: 1, finishedAt: '2026-01-01T11:59:55Z' } },
          },
        ],
      },
      {},
      {},
      '0/1 CrashLoopBackOff 3 (5s ago)',
    ],
    [
      'completed',
      {
        phase: 'Succeeded',
        containerStatuses: [{ ...running, ready: false, state: { terminated: { exitCode: 0, reason: 'Completed' } } }],
      },
      {},
      {},
      '0/1 Completed 0',
    ],
    [
      'ended by a signal',
      { phase: 'Failed', containerStatuses: [{ ...running, ready: false, state: { terminated: { exitCode: 137, signal: 9 } } }] },
      {},
      {},
      '0/1 Signal:9 0',
    ],
    [
      'initializing',
      { phase: 'Pending', initContainerStatuses: [{ ...running, name: 'i', state: { running: {} } }] },
      { initContainers: [{ name: 'i', image: 'i' }] },
      {},
      '0/1 Init:0/1 0',
    ],
    [
      'failing to initialize',
      { phase: 'Pending', initContainerStatuses: [{ ...running, name: 'i', state: { terminated: { exitCode: 2 } } }] },
      { initContainers: [{ name: 'i', image: 'i' }] },
      {},
      '0/1 Init:ExitCode:2 0',
    ],
    [
      'with a sidecar',
      { phase: 'Running', initContainerStatuses: [{ ...running, name: 'i', started: true }], containerStatuses: [running] },
      { initContainers: [{ name: 'i', image: 'i', restartPolicy: 'Always' }] },
      {},
      '2/2 Running 0',
    ],
    ['going', { phase: 'Running', containerStatuses: [running] }, {}, { deletionTimestamp: '2026-01-01T11:59:59Z' }, '1/1 Terminating 0'],
    ['evicted', { phase: 'Failed', reason: 'Evicted' }, {}, {}, '0/1 Evicted 0'],
  ])('%s', (_name, status, spec, metadata, expected) => {
    const [, ready, state, restarts] = row(withStatus(status, spec, metadata));
    expect([ready, state, restarts].join(' ')).toBe(expected);
  });
});

test('pods are selected by node and phase', () => {
  const served = kindRegistry.find('', 'v1', 'pods');
  if (served === undefined) throw new Error('no pods');
  const pod = { ...make({ ...simple, nodeName: 'n' }), status: { phase: 'Running' } };
  const selector = parseFieldSelector('spec.nodeName=n,status.phase!=Failed,spec.hostNetwork=false');
  checkSelectable(served, selector);
  expect(matchesFields(served, selector, pod)).toBe(true);
});

describe('binding', () => {
  const binding = podKind.subresources.find((one) => one.name === 'binding');
  const bind = (pod: Pod, target: object): Pod =>
    binding?.write?.(pod, decodeObject('core.v1.Binding', { metadata: {}, target }).object, now) as Pod;

  test('gives a pod its node, once', () => {
    const bound = bind(make(simple), { kind: 'Node', name: 'n' });
    expect(bound.spec.nodeName).toBe('n');
    expect(bound.status?.conditions).toEqual([{ type: 'PodScheduled', status: 'True', lastTransitionTime: '2026-01-01T12:00:00Z' }]);
    expect(() => bind(bound, { kind: 'Node', name: 'm' })).toThrow('pod x is already assigned to node "n"');
    expect(() => bind(make(simple, { deletionTimestamp: '2026-01-01T00:00:00Z' }), { name: 'n' })).toThrow('is being deleted');
  });
});

test('a pod without a node goes at once, one that runs gets its grace', () => {
  const grace = (pod: Pod, requested?: number): number | undefined => podKind.deletion?.gracePeriod?.(pod, requested);
  expect(grace(make(simple))).toBe(0);
  const bound = make({ ...simple, nodeName: 'n' });
  expect([grace(bound), grace(bound, 5), grace(bound, 0)]).toEqual([30, 5, 0]);
  expect(grace({ ...bound, status: { phase: 'Succeeded' } })).toBe(0);
  expect(grace(make({ ...simple, nodeName: 'n', terminationGracePeriodSeconds: -5 }))).toBe(1);
});
