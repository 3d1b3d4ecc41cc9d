import { describe, expect, test } from '@jest/globals';
import type { Container, Pod, PodStatus } from '#api/shapes/types/core-v1';
import type { DesiredPod, ObservedPod } from './plan.ts';
import type { ContainerStatus, SandboxStatus } from './runtime/runtime.ts';
import { podStatus } from './status.ts';

const identity = { namespace: 'default', name: 'web', uid: 'uid-1' };
const now = Date.UTC(2026, 0, 1, 12);

const sandbox: SandboxStatus = {
  id: 's0',
  pod: identity,
  attempt: 0,
  state: 'Ready',
  createdAt: now,
  labels: {},
  annotations: {},
  addresses: ['10.42.0.7', 'fd00::7'],
};

function run(name: string, more: Partial<ContainerStatus> = {}): ContainerStatus {
  return {
    id: `${name}-${more.attempt ?? 0}`,
    sandboxId: 's0',
    pod: identity,
    name,
    attempt: 0,
    state: 'Running',
    createdAt: now,
    startedAt: now,
    finishedAt: undefined,
    exitCode: undefined,
    reason: '',
    message: '',
    image: 'i',
    imageId: 'sha256:1',
    logPath: '',
    labels: {},
    annotations: {},
    ...more,
  };
}

const ended = (name: string, exitCode: number, more: Partial<ContainerStatus> = {}): ContainerStatus =>
  run(name, { state: 'Exited', exitCode, finishedAt: now, ...more });

interface Given {
  readonly spec?: Partial<Pod['spec']>;
  readonly status?: PodStatus;
  readonly observed?: Partial<ObservedPod>;
  readonly desired?: Partial<DesiredPod>;
}

const containers: Container[] = [
  { name: 'a', image: 'i' },
  { name: 'b', image: 'i' },
];

function statusOf({ spec, status, observed, desired }: Given): PodStatus {
  const pod: Pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: identity,
    spec: { containers, ...spec },
    ...(status === undefined ? {} : { status }),
  };
  const runs = observed?.containers ?? [];
  return podStatus({
    observed: {
      sandboxes: [sandbox],
      containers: [],
      volumes: 'Mounted',
      images: new Map(),
      failures: new Map(),
      sandboxFailure: undefined,
      remains: true,
      probes: new Map(
        runs.filter(({ state }) => state === 'Running').map(({ id }) => [id, { started: true, ready: true, fatal: undefined }]),
      ),
      ...observed,
    },
    desired: { pod, startTime: now, outcome: undefined, termination: undefined, reported: undefined, ...desired },
    hostAddresses: ['192.0.2.1', '2001:db8::1'],
    terminationMessages: new Map(),
    runtimeName: 'containerd',
    now,
  });
}

const condition = (status: PodStatus, type: string) => status.conditions?.find((one) => one.type === type);

describe('the phase of a pod', () => {
  test.each<[string, Given]>([
    ['Pending', {}],
    ['Pending', { observed: { containers: [run('a')] } }],
    ['Running', { observed: { containers: [run('a'), run('b')] } }],
    ['Running', { observed: { containers: [run('a'), ended('b', 1)] } }],
    ['Running', { observed: { containers: [ended('a', 1), ended('b', 1)] } }],
    ['Running', { spec: { restartPolicy: 'OnFailure' }, observed: { containers: [ended('a', 0), ended('b', 1)] } }],
    ['Succeeded', { spec: { restartPolicy: 'OnFailure' }, observed: { containers: [ended('a', 0), ended('b', 0)] } }],
    ['Succeeded', { spec: { restartPolicy: 'Never' }, observed: { containers: [ended('a', 0), ended('b', 0)] } }],
    ['Failed', { spec: { restartPolicy: 'Never' }, observed: { containers: [ended('a', 0), ended('b', 1)] } }],
    ['Running', { observed: { containers: [run('a'), run('b')] }, desired: { outcome: { phase: 'Failed', reason: 'DeadlineExceeded' } } }],
    [
      'Failed',
      {
        observed: { containers: [ended('a', 137), ended('b', 137)] },
        desired: { outcome: { phase: 'Failed', reason: 'DeadlineExceeded' } },
      },
    ],
    ['Failed', { observed: { containers: [ended('a', 137), ended('b', 0)] }, desired: { termination: { since: now, graceSeconds: 1 } } }],
    ['Pending', { spec: { initContainers: [{ name: 'init', image: 'i' }] }, observed: { containers: [run('init')] } }],
    [
      'Failed',
      { spec: { restartPolicy: 'Never', initContainers: [{ name: 'init', image: 'i' }] }, observed: { containers: [ended('init', 1)] } },
    ],
  ])('is %s: %#', (phase, given) => {
    expect(statusOf(given).phase).toBe(phase);
  });
});

describe('what a container is doing', () => {
  test('waits, runs, or has ended, with what came before', () => {
    const status = statusOf({
      spec: { restartPolicy: 'Always' },
      observed: {
        containers: [
          run('a', { attempt: 1 }),
          ended('a', 137, { reason: 'OOMKilled' }),
          ended('b', 3, { attempt: 2, annotations: { 'io.berth.backoff-milliseconds': '20000' } }),
        ],
      },
    });
    expect(status.containerStatuses).toMatchObject([
      {
        name: 'a',
        restartCount: 1,
        ready: true,
        started: true,
        state: { running: {} },
        lastState: { terminated: { exitCode: 137, reason: 'OOMKilled' } },
      },
      {
        name: 'b',
        restartCount: 2,
        ready: false,
        containerID: 'containerd://b-2',
        state: { waiting: { reason: 'CrashLoopBackOff', message: expect.stringContaining('back-off 20s') } },
        lastState: { terminated: { exitCode: 3, reason: 'Error' } },
      },
    ]);
  });

  test('waits for what failed, with the message', () => {
    const failure = (reason: string) => ({ reason, message: `${reason}!`, retryAt: now + 1000 });
    const status = statusOf({
      observed: {
        images: new Map([['a', { state: 'Failed', failure: failure('ImagePullBackOff') }]]),
        failures: new Map([['b', failure('CreateContainerConfigError')]]),
      },
    });
    expect(status.containerStatuses?.map(({ state }) => state?.waiting)).toEqual(
      [
        { reason: 'ImagePullBackOff', message: 'ImagePullBackOff!', retryAt: now + 1000 },
        { reason: 'CreateContainerConfigError', message: 'CreateContainerConfigError!' },
      ].map(({ reason, message }) => ({ reason, message })),
    );
  });

  test('of a pulling image tells how far it is', () => {
    const status = statusOf({ observed: { images: new Map([['a', { state: 'Pulling', progress: '1.0 of 5.0 MB' }]]) } });
    expect(status.containerStatuses?.[0]?.state?.waiting).toEqual({
      reason: 'ContainerCreating',
      message: 'pulling image "i": 1.0 of 5.0 MB',
    });
  });
});

describe('conditions', () => {
  test('name what is not ready, and keep their time while they stay', () => {
    const reported = { conditions: [{ type: 'Ready', status: 'False', lastTransitionTime: '2025-01-01T00:00:00Z' }] };
    const status = statusOf({ observed: { containers: [run('a')] }, desired: { reported } });
    expect(condition(status, 'Ready')).toEqual({
      type: 'Ready',
      status: 'False',
      reason: 'ContainersNotReady',
      message: 'containers with unready status: [b]',
      lastTransitionTime: '2025-01-01T00:00:00Z',
    });
    expect(condition(status, 'PodReadyToStartContainers')).toMatchObject({ status: 'True', lastTransitionTime: '2026-01-01T12:00:00Z' });
  });

  test('Ready waits for the readiness gates that others set', () => {
    const spec = { readinessGates: [{ conditionType: 'example.org/gate' }] };
    const observed = { containers: [run('a'), run('b')] };
    expect(condition(statusOf({ spec, observed }), 'Ready')).toMatchObject({ status: 'False', reason: 'ReadinessGatesNotReady' });
    expect(condition(statusOf({ spec, observed }), 'ContainersReady')).toMatchObject({ status: 'True' });
    const status = { conditions: [{ type: 'example.org/gate', status: 'True' }] };
    expect(condition(statusOf({ spec, observed, status }), 'Ready')).toMatchObject({ status: 'True' });
  });

  test('Initialized names the init containers that are to come', () => {
    const initContainers = [
      { name: 'one', image: 'i' },
      { name: 'two', image: 'i' },
    ];
    const status = statusOf({ spec: { initContainers }, observed: { containers: [ended('one', 0)] } });
    expect(condition(status, 'Initialized')).toMatchObject({ status: 'False', message: 'containers with incomplete status: [two]' });
    expect(status.initContainerStatuses).toMatchObject([
      { ready: true },
      { ready: false, state: { waiting: { reason: 'PodInitializing' } } },
    ]);
  });
});

test('addresses are those of the sandbox, or of the node on its network', () => {
  expect(statusOf({})).toMatchObject({
    podIP: '10.42.0.7',
    podIPs: [{ ip: '10.42.0.7' }, { ip: 'fd00::7' }],
    hostIP: '192.0.2.1',
    hostIPs: [{ ip: '192.0.2.1' }, { ip: '2001:db8::1' }],
  });
  expect(statusOf({ spec: { hostNetwork: true } })).toMatchObject({ podIP: '192.0.2.1' });
});
