import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { pods } from '#api/shapes/resources';
import type { Pod, Probe } from '#api/shapes/types/core-v1';
import { missingForCluster, startTestCluster, type TestCluster } from '../harness/cluster.ts';
import { eventually } from '../harness/commands.ts';
import { cgroupsOfPod } from '../harness/node-cgroups.ts';
import { isReady, openWorkbench, shell, sleeping, specOf, statusOf, type Workbench } from '../harness/workbench.ts';

const missing = missingForCluster();
const namespace = 'default';

/** Writes down when it was run, in a folder that all containers of the pod have. */
const noting = { volumes: [{ name: 'notes', emptyDir: {} }] };
const notes = { volumeMounts: [{ name: 'notes', mountPath: '/notes' }] };
const note = (text: string): string => `echo ${text} >> /notes/all`;

(missing === undefined ? describe : describe.skip)('the life of a pod', () => {
  let cluster: TestCluster;
  let bench: Workbench;

  beforeAll(async () => {
    cluster = await startTestCluster({ demoImage: true });
    bench = await openWorkbench(cluster);
  });

  afterAll(async () => {
    bench?.close();
    await cluster?.stop();
  });

  const reasons = async (name: string): Promise<Record<string, number>> => {
    const counted: Record<string, number> = {};
    for (const { reason = '', count = 1 } of await bench.eventsOf(name)) counted[reason] = (counted[reason] ?? 0) + count;
    return counted;
  };

  test.concurrent('Always: restarted at once, then with a back-off that is told; counts and last state are right', async () => {
    const made = await bench.create('crashing', specOf(shell('echo run; exit 3')));
    const backedOff = await bench.until('crashing', 'backs off', (pod) => statusOf(pod)?.state?.waiting?.reason === 'CrashLoopBackOff');
    expect(statusOf(backedOff)).toMatchObject({
      restartCount: 1,
      ready: false,
      lastState: { terminated: { exitCode: 3, reason: 'Error' } },
      state: { waiting: { message: expect.stringMatching(/^back-off 10s restarting failed container=main pod=crashing_default\(/) } },
    });
    expect(backedOff.status?.phase).toBe('Running');
    await bench.event('crashing', 'BackOff', /^Back-off restarting failed container main in pod crashing_default\(/);
    const again = await bench.until('crashing', 'backs off for longer', (pod) =>
      (statusOf(pod)?.state?.waiting?.message ?? '').includes('20s'),
    );
    expect(statusOf(again)?.restartCount).toBe(2);
    const told = await eventually('its third start is told', async () => {
      const all = await bench.eventsOf('crashing');
      return all.find(({ reason }) => reason === 'Started')?.count === 3 ? all : undefined;
    });
    expect(told.filter(({ reason }) => reason === 'BackOff')).toHaveLength(1);
    expect(told.filter(({ reason }) => reason === 'Started')).toHaveLength(1);
    expect(await bench.logs('crashing', 'previous=true')).toBe('run\n');
    // What came before the last two is collected.
    await eventually('old runs are collected', async () =>
      readdirSync(join(logFolder(made), 'main')).join() === '1.log,2.log' ? true : undefined,
    );
  });

  test.concurrent('Never and OnFailure: the phases that they end in', async () => {
    const [good, bad, retried] = await Promise.all([
      bench.finish('good', specOf(shell('exit 0'))),
      bench.finish('bad', specOf(shell('exit 4'))),
      bench.finish(
        'retried',
        specOf(shell(`${note('run')}; test $(wc -l < /notes/all) -ge 2`, notes), { restartPolicy: 'OnFailure', ...noting }),
      ),
    ]);
    expect(good.status).toMatchObject({
      phase: 'Succeeded',
      containerStatuses: [{ state: { terminated: { exitCode: 0, reason: 'Completed' } } }],
    });
    expect(bad.status).toMatchObject({
      phase: 'Failed',
      containerStatuses: [{ restartCount: 0, state: { terminated: { exitCode: 4, reason: 'Error' } } }],
    });
    expect(retried.status).toMatchObject({
      phase: 'Succeeded',
      containerStatuses: [{ restartCount: 1, lastState: { terminated: { exitCode: 1 } } }],
    });
    expect(good.status?.conditions?.find(({ type }) => type === 'Ready')).toMatchObject({ status: 'False', reason: 'PodCompleted' });
  });

  test.concurrent('init containers run in their order, a sidecar beside the others, until the pod ends', async () => {
    await bench.create(
      'ordered',
      specOf(shell(`${note('main')}; sleep 1; cat /notes/all`, notes), {
        restartPolicy: 'Never',
        terminationGracePeriodSeconds: 5,
        ...noting,
        initContainers: [
          shell(`while [ ! -e /notes/go ]; do sleep 0.1; done; ${note('first')}`, { name: 'first', ...notes }),
          shell(`${note('sidecar')}; touch /tmp/up; trap 'echo bye; exit 0' TERM; while true; do sleep 0.1; done`, {
            name: 'sidecar',
            restartPolicy: 'Always',
            startupProbe: { exec: { command: ['test', '-e', '/tmp/up'] }, periodSeconds: 1 },
            ...notes,
          }),
          shell(note('second'), { name: 'second', ...notes }),
        ],
      }),
    );
    const initializing = await bench.until('ordered', 'initializes', (pod) => statusOf(pod, 'first')?.state?.running !== undefined);
    expect(initializing.status).toMatchObject({
      phase: 'Pending',
      containerStatuses: [{ state: { waiting: { reason: 'PodInitializing' } } }],
    });
    expect(initializing.status?.conditions?.find(({ type }) => type === 'Initialized')?.status).toBe('False');
    expect(await cluster.berth(['exec', '-c', 'first', 'ordered', '--', 'touch', '/notes/go'])).toMatchObject({ code: 0 });
    const ended = await bench.until('ordered', 'ends', (pod) => pod.status?.phase === 'Succeeded');
    expect(await bench.logs('ordered', 'container=main')).toBe('first\nsidecar\nsecond\nmain\n');
    expect(await bench.logs('ordered', 'container=sidecar')).toBe('bye\n');
    expect(statusOf(ended, 'sidecar')?.state?.terminated).toMatchObject({ exitCode: 0 });
  });

  test.concurrent('an init container that fails ends the pod, or is tried again', async () => {
    const failed = await bench.finish(
      'init-fails',
      specOf(shell('echo never'), { initContainers: [shell('exit 9', { name: 'prepare' })] }),
    );
    expect(failed.status).toMatchObject({
      phase: 'Failed',
      initContainerStatuses: [{ state: { terminated: { exitCode: 9 } } }],
      containerStatuses: [{ state: { waiting: { reason: 'PodInitializing' } } }],
    });
    await bench.create('init-again', specOf(shell(sleeping), { initContainers: [shell('exit 9', { name: 'prepare' })] }));
    const again = await bench.until(
      'init-again',
      'backs off',
      (pod) => statusOf(pod, 'prepare')?.state?.waiting?.reason === 'CrashLoopBackOff',
    );
    expect(again.status?.phase).toBe('Pending');
    expect(again.status?.conditions?.find(({ type }) => type === 'Initialized')).toMatchObject({
      message: 'containers with incomplete status: [prepare]',
    });
  });

  // Time enough for a slow machine: only the answer counts.
  const often = { periodSeconds: 1, failureThreshold: 2, timeoutSeconds: 30 };

  test.concurrent.each<[string, Probe]>([
    ['exec', { exec: { command: ['test', '-e', '/tmp/up'] } }],
    ['httpGet', { httpGet: { path: '/up', port: 'web' } }],
    ['tcpSocket', { tcpSocket: { port: 80 } }],
  ])('%s: readiness comes and goes with the probe', async (kind, probe) => {
    const name = `ready-${kind.toLowerCase()}`;
    const up = 'touch /tmp/up; httpd -p 80 -h /tmp';
    const down = 'rm -f /tmp/up; killall httpd';
    await bench.create(
      name,
      specOf(shell(sleeping, { ports: [{ name: 'web', containerPort: 80 }], readinessProbe: { ...probe, ...often } })),
    );
    await bench.event(name, 'Unhealthy', /^Readiness probe failed: /);
    expect(statusOf((await bench.find(name))!)).toMatchObject({ ready: false, started: true });
    await bench.exec(name, 'sh', '-c', up);
    await bench.ready(name);
    await bench.exec(name, 'sh', '-c', down);
    const pod = await bench.until(name, 'is not ready', (now) => !isReady(now));
    expect(statusOf(pod)).toMatchObject({ ready: false, restartCount: 0 });
    expect(pod.status?.conditions?.find(({ type }) => type === 'Ready')).toMatchObject({
      reason: 'ContainersNotReady',
      message: 'containers with unready status: [main]',
    });
  });

  test.concurrent('liveness: the container is killed, says why, and is started again', async () => {
    await bench.start(
      'alive',
      specOf(
        shell('trap "" TERM; touch /tmp/up; while true; do sleep 0.1; done', {
          livenessProbe: { exec: { command: ['cat', '/tmp/up'] }, ...often },
        }),
        {
          terminationGracePeriodSeconds: 1,
        },
      ),
    );
    await bench.exec('alive', 'rm', '/tmp/up');
    const pod = await bench.until(
      'alive',
      'was restarted',
      (now) => statusOf(now)?.restartCount === 1 && statusOf(now)?.state?.running !== undefined,
    );
    expect(statusOf(pod)?.lastState?.terminated).toMatchObject({ exitCode: 137 });
    await bench.event('alive', 'Unhealthy', /^Liveness probe failed: cat: .*No such file or directory/);
    await bench.event('alive', 'Killing', /^Container main failed liveness probe, will be restarted$/);
  });

  test.concurrent('startup: nothing else is probed before it, and one that never comes is fatal', async () => {
    const probe = { exec: { command: ['test', '-e', '/tmp/up'] }, periodSeconds: 1, failureThreshold: 60, timeoutSeconds: 30 };
    await bench.create(
      'starting',
      specOf([
        shell('sleep 2; touch /tmp/up; exec sleep 3600', {
          startupProbe: probe,
          livenessProbe: { exec: { command: ['test', '-e', '/tmp/up'] }, periodSeconds: 1, failureThreshold: 1, timeoutSeconds: 30 },
        }),
        shell(sleeping, { name: 'never', startupProbe: { ...probe, failureThreshold: 1 } }),
      ]),
    );
    const pod = await bench.until(
      'starting',
      'one has started, one was restarted',
      (now) => statusOf(now)?.started === true && statusOf(now, 'never')!.restartCount > 0,
    );
    expect(statusOf(pod)?.restartCount).toBe(0);
    await bench.event('starting', 'Unhealthy', /^Startup probe failed: /);
    await bench.event('starting', 'Killing', /^Container never failed startup probe, will be restarted$/);
  });

  test.concurrent('postStart and preStop; the grace to end by itself; killed when it does not', async () => {
    const polite = shell(`trap '${note('ended')}; exit 0' TERM; ${note('begun')}; while true; do sleep 0.1; done`, {
      ...notes,
      lifecycle: {
        postStart: { exec: { command: ['sh', '-c', note('after')] } },
        preStop: { exec: { command: ['sh', '-c', note('before')] } },
      },
    });
    const folder = join(cluster.home, 'hooks');
    const onHost = { volumes: [{ name: 'notes', hostPath: { path: folder, type: 'DirectoryOrCreate' } }] };
    // Longer than the test waits: it goes because it ends by itself.
    await bench.start('polite', specOf(polite, { terminationGracePeriodSeconds: 600, ...onHost }));
    await bench.remove('polite');
    const noted = readFileSync(join(folder, 'all'), 'utf8').trim().split('\n');
    expect(noted.slice(0, 2).toSorted()).toEqual(['after', 'begun']);
    expect(noted.slice(2)).toEqual(['before', 'ended']);

    await bench.start('deaf', specOf(shell('trap "" TERM; while true; do sleep 0.1; done'), { terminationGracePeriodSeconds: 2 }));
    const since = performance.now();
    await bench.remove('deaf');
    expect(performance.now() - since).toBeGreaterThan(1900);
    await bench.event('deaf', 'Killing', /^Stopping container main$/);
    expect((await reasons('deaf')).Killing).toBe(1);
  });

  test.concurrent('a grace that is shortened, and none at all', async () => {
    // Longer than the test waits.
    const deaf = specOf(shell('trap "" TERM; while true; do sleep 0.1; done'), { terminationGracePeriodSeconds: 600 });
    const [slow, forced] = await Promise.all([bench.start('slow', deaf), bench.start('forced', deaf)]);
    await bench.client.delete(pods, { name: 'slow', namespace });
    await bench.remove('slow', 1);
    await bench.remove('forced', 0);
    for (const { metadata } of [slow, forced])
      await eventually('nothing of it is left', async () => (cgroupsOfPod(metadata.uid!).length === 0 ? true : undefined));
  });

  test.concurrent('a new image in a running pod: that container alone is started again', async () => {
    await bench.start('changing', specOf([shell(sleeping), shell(sleeping, { name: 'other' })]));
    const before = (await bench.find('changing'))!;
    await bench.client.patch(pods, { name: 'changing', namespace }, 'strategic', {
      spec: { containers: [{ name: 'main', image: 'berth.local/other:1' }] },
    });
    await bench.until('changing', 'lacks the image', (now) => /ImagePull/.test(statusOf(now, 'main')?.state?.waiting?.reason ?? ''));
    await bench.event('changing', 'Killing', /^Container main definition changed, will be restarted$/);
    await bench.client.patch(pods, { name: 'changing', namespace }, 'strategic', {
      spec: { containers: [{ name: 'main', image: 'berth.local/hello:1' }] },
    });
    const after = await bench.until('changing', 'runs again', (now) => isReady(now) && statusOf(now, 'main')?.restartCount === 1);
    expect(statusOf(after, 'other')?.containerID).toBe(statusOf(before, 'other')?.containerID);
  });

  test.concurrent('a postStart that fails stops the container, and says so', async () => {
    const failing = shell(sleeping, { lifecycle: { postStart: { exec: { command: ['sh', '-c', 'echo sorry >&2; exit 1'] } } } });
    await bench.create('post-fails', specOf(failing));
    await bench.event('post-fails', 'FailedPostStartHook', /sorry/);
    await bench.until('post-fails', 'is restarted', (now) => (statusOf(now)?.restartCount ?? 0) > 0);
  });

  test.concurrent('activeDeadlineSeconds ends a pod that runs for too long', async () => {
    // Set once it runs: how long it takes to start is not the matter.
    await bench.start('overdue', specOf(shell(sleeping)));
    await bench.client.patch(pods, { name: 'overdue', namespace }, 'merge', { spec: { activeDeadlineSeconds: 1 } });
    const pod = await bench.until('overdue', 'ends', ({ status }) => status?.phase === 'Failed');
    expect(pod.status).toMatchObject({
      phase: 'Failed',
      reason: 'DeadlineExceeded',
      message: expect.stringContaining('active on the node longer'),
    });
    await bench.until('overdue', 'has ended', (now) => statusOf(now)?.state?.terminated !== undefined);
  });

  test.concurrent('a termination message, from its file or from the log', async () => {
    const [file, log] = await Promise.all([
      bench.finish('message', specOf(shell('echo farewell > /tmp/last; exit 1', { terminationMessagePath: '/tmp/last' }))),
      bench.finish('message-log', specOf(shell('echo one; echo two; exit 1', { terminationMessagePolicy: 'FallbackToLogsOnError' }))),
    ]);
    expect(statusOf(file)?.state?.terminated?.message).toBe('farewell\n');
    expect(statusOf(log)?.state?.terminated?.message).toBe('one\ntwo\n');
  });

  test.concurrent('logs: rotated and bounded, followed over rotations and to the end', async () => {
    const line = 'x'.repeat(1000);
    // Slow enough for the rotation to come in between.
    const script = `i=0; while [ $i -lt 60 ]; do i=$((i+1)); echo begin $i; yes ${line} | head -n 1000; echo end $i; sleep 0.2; done; echo last`;
    const pod = await bench.create('talkative', specOf(shell(script), { restartPolicy: 'Never' }));
    await bench.until('talkative', 'runs', (now) => statusOf(now)?.state?.running !== undefined);
    const marks: string[] = [];
    let rest = '';
    let bytes = 0;
    for await (const chunk of await bench.followLogs('talkative')) {
      bytes += (chunk as Buffer).length;
      const lines = (rest + (chunk as Buffer).toString('latin1')).split('\n');
      rest = lines.pop() ?? '';
      marks.push(...lines.filter((text) => !text.startsWith('xxx')));
    }
    expect(bytes).toBeGreaterThan(60_000_000);
    expect(marks).toEqual([...Array.from({ length: 60 }, (_, index) => [`begin ${index + 1}`, `end ${index + 1}`]).flat(), 'last']);
    const folder = logFolder(pod);
    const sizes = readdirSync(join(folder, 'main')).map((name) => statSync(join(folder, 'main', name)).size);
    expect(sizes.length).toBeGreaterThan(1);
    expect(sizes.length).toBeLessThanOrEqual(5);
    expect(await bench.logs('talkative', 'tailLines=1')).toBe('last\n');
    await bench.remove('talkative');
    await eventually('its logs are collected', async () => (existsSync(folder) ? undefined : true));
  });

  test.concurrent('logs of a container that is restarted: followed to its end, those before by previous', async () => {
    const waits = 'while [ ! -e /notes/go ]; do sleep 0.1; done; rm /notes/go';
    const script = `echo run $(cat /proc/sys/kernel/random/uuid); ${waits}; exit 1`;
    await bench.create('repeating', specOf(shell(script, notes), noting));
    await bench.until('repeating', 'runs', (now) => statusOf(now)?.state?.running !== undefined);
    const parts: string[] = [];
    for await (const chunk of await bench.followLogs('repeating')) {
      parts.push((chunk as Buffer).toString());
      if (parts.length === 1) await bench.exec('repeating', 'touch', '/notes/go');
    }
    expect(parts.join('')).toMatch(/^run \S+\n$/);
    await bench.until('repeating', 'runs again', (now) => statusOf(now)?.restartCount === 1);
    expect(await bench.logs('repeating', 'previous=true')).toBe(parts.join(''));
    expect(await bench.logs('repeating')).not.toBe(parts.join(''));
  });

  test.concurrent('a pod that is deleted while it starts, and one whose image is missing, go at once', async () => {
    await bench.create('hasty', specOf(shell(sleeping), { terminationGracePeriodSeconds: 3 }));
    await bench.create(
      'imageless',
      specOf({ name: 'main', image: 'berth.local/none:1', imagePullPolicy: 'Never' }, { terminationGracePeriodSeconds: 600 }),
    );
    await bench.until('imageless', 'waits', (now) => statusOf(now)?.state?.waiting?.reason === 'ErrImageNeverPull');
    await Promise.all([
      bench.client.delete(pods, { name: 'hasty', namespace }),
      bench.client.delete(pods, { name: 'imageless', namespace }),
    ]);
    for (const name of ['imageless', 'hasty'])
      await eventually(`${name} is gone`, async () => ((await bench.find(name)) === undefined ? true : undefined));
  });

  function logFolder({ metadata }: Pod): string {
    return join(cluster.home, 'agent/logs', `${metadata.namespace}_${metadata.name}_${metadata.uid}`);
  }
});
