import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { Pod, PodSpec } from '#api/shapes/types/core-v1';
import type { FakeScript } from './runtime/fake/script.ts';
import { TestNode } from './test-node.ts';

let folder: string;
let node: TestNode;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'agent-worker-'));
});
afterEach(async () => {
  await node.close();
  await rm(folder, { recursive: true, force: true });
});

function start(script: FakeScript): void {
  node = new TestNode(folder, script);
}

function pod(spec: Partial<PodSpec>, metadata: Partial<Pod['metadata']> = {}): Pod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'web', namespace: 'default', uid: 'uid-1', ...metadata },
    spec: { containers: [{ name: 'main', image: 'berth.local/hello:1' }], ...spec },
  };
}

const hello = 'berth.local/hello:1';
const running: FakeScript = { images: { [hello]: { present: true } } };

describe('a pod', () => {
  test('runs, and says so as Kubernetes does', async () => {
    start(running);
    node.assign(pod({}));
    const status = await node.untilStatus(({ phase }) => phase === 'Running');
    expect(status).toMatchObject({
      podIP: '10.64.0.1',
      hostIP: '192.0.2.1',
      qosClass: 'BestEffort',
      containerStatuses: [{ name: 'main', ready: true, started: true, restartCount: 0, state: { running: {} } }],
    });
    expect(status.containerStatuses?.[0]?.containerID).toMatch(/^fake:\/\//);
    expect(Object.fromEntries((status.conditions ?? []).map(({ type, status: value }) => [type, value]))).toEqual({
      PodReadyToStartContainers: 'True',
      Initialized: 'True',
      Ready: 'True',
      ContainersReady: 'True',
      PodScheduled: 'True',
    });
    expect(node.reasons()).toEqual(['Pulled', 'Created', 'Started']);
  });

  test('that is deleted is stopped, reported with its end, and leaves nothing', async () => {
    start(running);
    node.assign(pod({}));
    await node.untilStatus(({ phase }) => phase === 'Running');
    node.assign(pod({}, { deletionTimestamp: '2026-01-01T00:00:30Z', deletionGracePeriodSeconds: 30 }));
    await node.until(() => node.last('uid-1')?.stopped === true);
    expect(node.last('uid-1')?.status.containerStatuses?.[0]?.state?.terminated).toMatchObject({ exitCode: expect.any(Number) });
    expect(node.machine.sandboxes.size + node.machine.containers.size).toBe(0);
    await expect(readFile(join(folder, 'pods', 'uid-1', 'state.json'))).rejects.toThrow('ENOENT');
  });

  test('whose container ends again and again is restarted with a growing back-off', async () => {
    start({ images: { [hello]: { present: true, containers: [{ exitAfterMilliseconds: 100, exitCode: 3 }] } } });
    node.assign(pod({}));
    await node.advanceUntil(() => node.container('main')?.lastState?.terminated !== undefined);
    const crash = await node.advanceUntil(() => node.container('main')?.state?.waiting?.reason === 'CrashLoopBackOff');
    expect(crash.containerStatuses?.[0]).toMatchObject({
      restartCount: 1,
      state: { waiting: { message: 'back-off 10s restarting failed container=main pod=web_default(uid-1)' } },
      lastState: { terminated: { exitCode: 3, reason: 'Error' } },
    });
    await node.advanceUntil(() => node.container('main')?.restartCount === 2);
    await node.advanceUntil(() => node.container('main')?.state?.waiting?.message?.includes('20s') === true);
    expect(node.last('uid-1')?.status.phase).toBe('Running');
    expect(node.reasons().filter((reason) => reason === 'BackOff')).toHaveLength(2);
  });

  test('with restart policy Never ends, and stays ended', async () => {
    start({ images: { [hello]: { present: true, containers: [{ exitAfterMilliseconds: 100, outOfMemory: true }] } } });
    node.assign(pod({ restartPolicy: 'Never' }));
    const status = await node.advanceUntil(() => node.last('uid-1')?.status.phase === 'Failed');
    expect(status.containerStatuses?.[0]?.state?.terminated).toMatchObject({ exitCode: 137, reason: 'OOMKilled' });
    await node.restartAgent();
    await node.settle();
    expect(node.machine.containers.size).toBe(1);
    expect(node.last('uid-1')?.status.phase).toBe('Failed');
  });

  test('runs its init containers in their order, a sidecar beside the others, and ends when its own containers have', async () => {
    const order: string[] = [];
    start({
      images: {
        '*': {
          present: true,
          containers: ({ name }) => {
            order.push(name);
            return name === 'sidecar' ? {} : { exitAfterMilliseconds: 1000 };
          },
        },
      },
    });
    node.assign(
      pod({
        restartPolicy: 'OnFailure',
        initContainers: [
          { name: 'first', image: hello },
          { name: 'sidecar', image: hello, restartPolicy: 'Always' },
          { name: 'second', image: hello },
        ],
      }),
    );
    await node.until(() => node.last('uid-1')?.status.initContainerStatuses?.[0]?.state?.running !== undefined);
    expect(node.last('uid-1')?.status).toMatchObject({
      phase: 'Pending',
      containerStatuses: [{ state: { waiting: { reason: 'PodInitializing' } } }],
    });
    await node.advanceUntil(() => node.last('uid-1')?.status.phase === 'Succeeded');
    expect(order).toEqual(['first', 'sidecar', 'second', 'main']);
    expect([...node.machine.containers.values()].every(({ status }) => status.state === 'Exited')).toBe(true);
  });

  test('that ran goes on under an agent that was killed, with the same containers', async () => {
    start(running);
    node.assign(pod({}));
    await node.untilStatus(({ phase }) => phase === 'Running');
    const before = [...node.machine.containers.keys()];
    await node.restartAgent();
    await node.settle();
    expect([...node.machine.containers.keys()]).toEqual(before);
    expect(node.last('uid-1')?.status.phase).toBe('Running');
  });

  test('gets a new sandbox when its own is lost', async () => {
    start(running);
    node.assign(pod({}));
    await node.untilStatus(({ phase }) => phase === 'Running');
    const [sandbox] = [...node.machine.sandboxes.keys()];
    await node.runtime.stopSandbox(sandbox!);
    await node.view.refreshSandbox(sandbox!);
    await node.advanceUntil(() => node.container('main')?.restartCount === 1 && node.container('main')?.ready === true);
    expect([...node.machine.sandboxes.values()].map(({ config }) => config.attempt)).toContain(1);
  });

  test('says why when its image, its configuration or its command is not to be had', async () => {
    start({
      images: {
        [hello]: { present: true },
        'berth.local/broken:1': {
          present: true,
          containers: [{ startFailure: { code: 'NotFound', message: 'exec: "nope": executable file not found in $PATH' } }],
        },
        'berth.local/missing:1': { pullFailure: { code: 'NotFound', message: 'not found' } },
      },
    });
    node.assign(
      pod({
        containers: [
          { name: 'missing', image: 'berth.local/missing:1' },
          { name: 'broken', image: 'berth.local/broken:1' },
          { name: 'unset', image: hello, envFrom: [{ configMapRef: { name: 'settings' } }] },
          { name: 'never', image: 'berth.local/missing:1', imagePullPolicy: 'Never' },
        ],
      }),
    );
    await node.advanceUntil(() => node.container('missing')?.state?.waiting?.reason === 'ImagePullBackOff');
    await node.advanceUntil(() => node.container('broken')?.state?.waiting?.reason === 'RunContainerError');
    await node.until(() => node.container('unset')?.state?.waiting?.reason === 'CreateContainerConfigError');
    await node.until(() => node.container('never')?.state?.waiting?.reason === 'ErrImageNeverPull');
    expect(node.container('broken')?.state?.waiting?.message).toContain('executable file not found');
    expect(node.container('unset')?.state?.waiting).toEqual({
      reason: 'CreateContainerConfigError',
      message: 'configmap "settings" not found',
    });
    expect(node.reasons()).toEqual(expect.arrayContaining(['Pulling', 'Failed', 'BackOff']));

    node.give({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'settings', namespace: 'default' } }, 'configmaps');
    await node.until(() => node.container('unset')?.state?.running !== undefined);
  });

  test('whose volume cannot be had waits with the reason, and starts when it can', async () => {
    start(running);
    node.assign(pod({ volumes: [{ name: 'settings', configMap: { name: 'settings' } }] }));
    await node.until(() => node.reasons().includes('FailedMount'));
    expect(node.events.at(-1)?.message).toBe('MountVolume.SetUp failed for volume "settings" : configmap "settings" not found');
    node.give(
      { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'settings', namespace: 'default' }, data: { a: 'b' } } as never,
      'configmaps',
    );
    await node.untilStatus(({ phase }) => phase === 'Running');
  });

  test('is not ready before its readiness probe succeeds, and is restarted when its liveness probe fails', async () => {
    let healthy = false;
    start(running);
    node.probe = () => ({ success: healthy, message: 'no' });
    node.assign(
      pod({
        containers: [
          {
            name: 'main',
            image: hello,
            readinessProbe: { exec: { command: ['ready'] }, periodSeconds: 1 },
            livenessProbe: { exec: { command: ['alive'] }, periodSeconds: 1, failureThreshold: 3, initialDelaySeconds: 10 },
          },
        ],
      }),
    );
    await node.untilStatus(({ phase }) => phase === 'Running');
    expect(node.container('main')?.ready).toBe(false);
    healthy = true;
    await node.advanceUntil(() => node.container('main')?.ready === true);
    healthy = false;
    await node.advanceUntil(() => node.container('main')?.restartCount === 1);
    expect(node.reasons()).toEqual(expect.arrayContaining(['Unhealthy', 'Killing']));
    expect(node.events.find(({ reason }) => reason === 'Killing')?.message).toBe('Container main failed liveness probe, will be restarted');
  });

  test('that is over its deadline fails', async () => {
    start(running);
    node.assign(pod({ activeDeadlineSeconds: 60 }));
    await node.untilStatus(({ phase }) => phase === 'Running');
    const status = await node.advanceUntil(() => node.last('uid-1')?.status.phase === 'Failed');
    expect(status).toMatchObject({ reason: 'DeadlineExceeded' });
  });

  test('that ignores TERM is killed after its grace, at once when the grace is cut', async () => {
    start({ images: { [hello]: { present: true, containers: [{ ignoresTerm: true }] } } });
    node.assign(pod({ terminationGracePeriodSeconds: 3600 }));
    await node.untilStatus(({ phase }) => phase === 'Running');
    node.assign(pod({}, { deletionTimestamp: '2026-01-01T01:00:00Z', deletionGracePeriodSeconds: 3600 }));
    await node.settle();
    expect(node.last('uid-1')?.stopped).toBe(false);
    node.assign(pod({}, { deletionTimestamp: '2026-01-01T01:00:00Z', deletionGracePeriodSeconds: 0 }));
    await node.until(() => node.last('uid-1')?.stopped === true);
  });

  test('that was taken away while no agent ran is collected, and nothing of another', async () => {
    start(running);
    node.assign(pod({}));
    node.assign(pod({}, { name: 'other', uid: 'uid-2' }));
    await node.until(() => node.last('uid-1')?.status.phase === 'Running' && node.last('uid-2')?.status.phase === 'Running');
    node.forget('default', 'web');
    await node.restartAgent();
    await node.settle();
    expect(node.machine.containers.size).toBe(2);
    await node.collect();
    expect([...node.machine.containers.values()].map(({ status }) => status.pod.uid)).toEqual(['uid-2']);
    expect(await readdir(join(folder, 'pods'))).toEqual(['uid-2']);
    expect(await readdir(join(folder, 'logs'))).toEqual(['default_other_uid-2']);
  });

  test('that is no longer assigned is stopped', async () => {
    start(running);
    node.assign(pod({}));
    await node.untilStatus(({ phase }) => phase === 'Running');
    node.unassign('default', 'web');
    await node.until(() => node.machine.containers.size === 0);
  });
});
