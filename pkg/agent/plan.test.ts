import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { Container, Pod } from '#api/shapes/types/core-v1';
import { type DesiredPod, type ObservedPod, type Outcome, planPod, type Step } from './plan.ts';
import { annotation, containerHash } from './pod.ts';
import type { ContainerStatus, SandboxStatus } from './runtime/runtime.ts';

const identity = { namespace: 'default', name: 'web', uid: 'uid-1' };

function podOf(spec: Partial<Pod['spec']>): Pod {
  return { apiVersion: 'v1', kind: 'Pod', metadata: identity, spec: { containers: [{ name: 'a', image: 'i' }], ...spec } };
}

/** A runtime as the plan sees it: carries out steps at once, and can be harmed. */
class World {
  now = 1_000_000;
  sandboxes: SandboxStatus[] = [];
  containers: ContainerStatus[] = [];
  mounted = false;
  remains = true;
  outcome: Outcome | undefined;
  termination: DesiredPod['termination'];
  readonly started: { name: string; attempt: number; sandboxId: string }[] = [];
  readonly images = new Map<string, 'Present'>();
  pod: Pod;
  #ids = 0;

  constructor(pod: Pod) {
    this.pod = pod;
  }

  plan(): Step {
    return planPod(this.observed(), this.desired(), this.now);
  }

  observed(): ObservedPod {
    return {
      sandboxes: this.sandboxes,
      containers: this.containers,
      volumes: this.mounted ? 'Mounted' : 'Unmounted',
      images: new Map([...this.images].map(([name]) => [name, { state: 'Present', id: `image-${name}` }])),
      probes: new Map(
        this.containers.filter(({ state }) => state === 'Running').map(({ id }) => [id, { started: true, ready: true, fatal: undefined }]),
      ),
      failures: new Map(),
      sandboxFailure: undefined,
      remains: this.remains,
    };
  }

  desired(): DesiredPod {
    return { pod: this.pod, startTime: 1_000_000, outcome: this.outcome, termination: this.termination, reported: undefined };
  }

  apply(step: Step): void {
    switch (step.type) {
      case 'SetUp':
        this.mounted = true;
        return;
      case 'RunSandbox':
        this.sandboxes.push({
          id: `s${this.#ids++}`,
          pod: identity,
          attempt: step.attempt,
          state: 'Ready',
          createdAt: this.now,
          labels: {},
          annotations: {},
          addresses: ['10.0.0.1'],
        });
        return;
      case 'EnsureImage':
        this.images.set(step.container.name, 'Present');
        return;
      case 'StartContainer':
        this.images.delete(step.container.name);
        this.started.push({ name: step.container.name, attempt: step.attempt, sandboxId: step.sandboxId });
        this.containers.push(runOf(step.container, step.attempt, step.sandboxId, step.backoffMilliseconds, `c${this.#ids++}`, this.now));
        return;
      case 'StopContainers':
        for (const { id } of step.targets) this.end(id, 137);
        return;
      case 'StopSandboxes':
        for (const id of step.ids) this.loseSandbox(id);
        return;
      case 'Remove':
        this.containers = this.containers.filter(({ id }) => !step.containers.includes(id));
        this.sandboxes = this.sandboxes.filter(({ id }) => !step.sandboxes.includes(id));
        return;
      case 'Finish':
        this.outcome = step.outcome;
        return;
      case 'Release':
        for (const id of step.sandboxes) this.loseSandbox(id);
        this.mounted = false;
        return;
      case 'TearDown':
        this.containers = [];
        this.sandboxes = [];
        this.mounted = false;
        this.remains = false;
        return;
      case 'Gone':
      case 'Wait':
    }
  }

  end(id: string, exitCode: number): void {
    this.containers = this.containers.map((run) =>
      run.id === id && run.state !== 'Exited' ? { ...run, state: 'Exited', exitCode, finishedAt: this.now } : run,
    );
  }

  loseSandbox(id: string): void {
    this.sandboxes = this.sandboxes.map((sandbox) => (sandbox.id === id ? { ...sandbox, state: 'NotReady' } : sandbox));
    for (const run of this.containers) if (run.sandboxId === id) this.end(run.id, 255);
  }

  /** Steps until there is nothing to do; throws when that does not come. */
  settle(): Step {
    for (let count = 0; count < 200; count++) {
      const step = this.plan();
      if (step.type === 'Wait' || step.type === 'Gone') return step;
      this.apply(step);
    }
    throw new Error('the plan does not come to rest');
  }

  running(): string[] {
    return this.containers.filter(({ state }) => state === 'Running').map(({ name }) => name);
  }
}

function runOf(container: Container, attempt: number, sandboxId: string, backoff: number, id: string, now: number): ContainerStatus {
  return {
    id,
    sandboxId,
    pod: identity,
    name: container.name,
    attempt,
    state: 'Running',
    createdAt: now,
    startedAt: now,
    finishedAt: undefined,
    exitCode: undefined,
    reason: '',
    message: '',
    image: 'image',
    imageId: 'image',
    logPath: '',
    labels: {},
    annotations: { [annotation.hash]: containerHash(container), [annotation.backoff]: String(backoff) },
  };
}

const container = (name: string, more: Partial<Container> = {}): Container => ({ name, image: 'i', ...more });

describe('the plan of a pod', () => {
  test('goes from volumes to sandbox, image and start, and then rests', () => {
    const world = new World(podOf({}));
    const steps: string[] = [];
    for (let step = world.plan(); step.type !== 'Wait'; step = world.plan()) {
      steps.push(step.type);
      world.apply(step);
    }
    expect(steps).toEqual(['SetUp', 'RunSandbox', 'EnsureImage', 'StartContainer']);
  });

  test('restarts at once, then after 10 s, 20 s, … up to 5 min, and at once again after ten good minutes', () => {
    const world = new World(podOf({}));
    world.settle();
    const waits: number[] = [];
    for (let round = 0; round < 8; round++) {
      world.end(world.containers.find(({ state }) => state === 'Running')!.id, 1);
      const rest = world.settle();
      const until = rest.type === 'Wait' ? rest.until : undefined;
      waits.push(until === undefined ? 0 : until - world.now);
      if (until !== undefined) world.now = until;
      world.settle();
      expect(world.running()).toEqual(['a']);
    }
    expect(waits).toEqual([0, 10_000, 20_000, 40_000, 80_000, 160_000, 300_000, 300_000]);
    world.now += 600_000;
    world.end(world.containers.find(({ state }) => state === 'Running')!.id, 1);
    world.settle();
    expect(world.running()).toEqual(['a']);
  });

  test('with a bound on restarts ends in Failed', () => {
    const world = new World(podOf({ restartPolicy: 'OnFailure', berth: { maxRestarts: 2 } }));
    for (let round = 0; round < 5 && world.outcome === undefined; round++) {
      world.settle();
      const run = world.containers.find(({ state }) => state === 'Running');
      if (run !== undefined) world.end(run.id, 1);
      world.now += 300_000;
    }
    world.settle();
    expect(world.started.map(({ attempt }) => attempt)).toEqual([0, 1, 2]);
    expect(world.outcome).toEqual({ phase: 'Failed' });
  });

  test('restarts a container whose image changed, and only that one', () => {
    const world = new World(podOf({ containers: [container('a'), container('b')] }));
    world.settle();
    const other = world.containers.find(({ name }) => name === 'b')!.id;
    world.pod = podOf({ containers: [container('a', { image: 'j' }), container('b')] });
    world.settle();
    expect(world.started.filter(({ name }) => name === 'a')).toHaveLength(2);
    expect(world.containers.find(({ id }) => id === other)?.state).toBe('Running');
  });

  test('keeps of each container the newest and the one before', () => {
    const world = new World(podOf({}));
    for (let round = 0; round < 5; round++) {
      world.settle();
      world.end(world.containers.find(({ state }) => state === 'Running')!.id, 1);
      world.now += 300_000;
    }
    world.settle();
    expect(world.containers.map(({ attempt }) => attempt)).toEqual([4, 5]);
  });

  test('a failed init container of a pod that is never restarted fails the pod', () => {
    const world = new World(podOf({ restartPolicy: 'Never', initContainers: [container('init')] }));
    world.settle();
    world.end(world.containers[0]!.id, 2);
    world.settle();
    expect(world.outcome).toEqual({ phase: 'Failed' });
    expect(world.started.map(({ name }) => name)).toEqual(['init']);
  });

  test('a pod that has ended gives back its sandbox and volumes, and keeps its containers for their logs', () => {
    const world = new World(podOf({ restartPolicy: 'Never' }));
    world.settle();
    world.end(world.containers[0]!.id, 0);
    world.settle();
    expect(world.outcome).toEqual({ phase: 'Succeeded' });
    expect(world.mounted).toBe(false);
    expect(world.sandboxes.map(({ state }) => state)).toEqual(['NotReady']);
    expect(world.containers).toHaveLength(1);
  });

  test('sidecars are stopped after the others, the last begun first', () => {
    const sidecar = (name: string): Container => container(name, { restartPolicy: 'Always' });
    const world = new World(podOf({ initContainers: [sidecar('one'), sidecar('two')] }));
    world.settle();
    world.termination = { since: world.now, graceSeconds: 30 };
    const stopped: string[] = [];
    for (let step = world.plan(); step.type !== 'Gone'; step = world.plan()) {
      if (step.type === 'StopContainers') stopped.push(step.targets.map(({ name }) => name).join());
      world.apply(step);
    }
    expect(stopped).toEqual(['a', 'two', 'one']);
  });

  test('whatever happens: no container runs twice, attempts rise, init comes first, Never means once, and deletion ends in nothing', () => {
    const harm = fc.oneof(
      fc.record({ type: fc.constant('end' as const), pick: fc.nat(), code: fc.constantFrom(0, 0, 1, 137) }),
      fc.record({ type: fc.constant('lose' as const) }),
      fc.record({ type: fc.constant('forget' as const) }),
      fc.record({ type: fc.constant('time' as const), ms: fc.nat({ max: 700_000 }) }),
      fc.record({ type: fc.constant('step' as const) }),
      fc.record({ type: fc.constant('step' as const) }),
      fc.record({ type: fc.constant('step' as const) }),
    );
    fc.assert(
      fc.property(
        fc.constantFrom('Always', 'OnFailure', 'Never'),
        fc.integer({ min: 1, max: 3 }),
        fc.array(fc.boolean(), { maxLength: 2 }),
        fc.array(harm, { maxLength: 80 }),
        (restartPolicy, count, inits, harms) => {
          const world = new World(
            podOf({
              restartPolicy,
              containers: Array.from({ length: count }, (_, index) => container(`main${index}`)),
              initContainers: inits.map((stays, index) => container(`init${index}`, stays ? { restartPolicy: 'Always' } : {})),
            }),
          );
          for (const event of harms) {
            if (event.type === 'end') {
              const live = world.containers.filter(({ state }) => state === 'Running');
              if (live.length > 0) world.end(live[event.pick % live.length]!.id, event.code);
            } else if (event.type === 'lose') {
              const [last] = world.sandboxes.slice(-1);
              if (last !== undefined) world.loseSandbox(last.id);
            } else if (event.type === 'forget') world.mounted = false;
            else if (event.type === 'time') world.now += event.ms;
            else world.apply(world.plan());

            const running = world.running();
            expect(new Set(running).size).toBe(running.length);
          }
          world.settle();

          for (const name of new Set(world.started.map((start) => start.name))) {
            const attempts = world.started.filter((start) => start.name === name).map(({ attempt }) => attempt);
            expect(attempts).toEqual(attempts.map((_, index) => index));
            if (restartPolicy === 'Never' && name.startsWith('main')) expect(attempts).toHaveLength(1);
          }
          for (const [index, start] of world.started.entries()) {
            if (!start.name.startsWith('main')) continue;
            const before = world.started.slice(0, index).filter(({ sandboxId }) => sandboxId === start.sandboxId);
            for (let init = 0; init < inits.length; init++) expect(before.map(({ name }) => name)).toContain(`init${init}`);
          }
          if (world.outcome !== undefined) expect(world.running()).toEqual([]);

          world.termination = { since: world.now, graceSeconds: 30 };
          expect(world.settle()).toEqual({ type: 'Gone' });
          expect([world.containers, world.sandboxes, world.mounted]).toEqual([[], [], false]);
        },
      ),
      { numRuns: 300 },
    );
  });
});

describe('ephemeral containers', () => {
  const debugged = (...ephemeralContainers: NonNullable<Pod['spec']['ephemeralContainers']>): World => {
    const world = new World(podOf({}));
    world.settle();
    world.pod = podOf({ ephemeralContainers });
    return world;
  };

  test('are started in the running pod, and never again', () => {
    const world = debugged({ name: 'debug', image: 'i', targetContainerName: 'a' });
    expect(world.settle()).toMatchObject({ type: 'Wait' });
    expect(world.running()).toEqual(['a', 'debug']);
    world.end(world.containers.find(({ name }) => name === 'debug')!.id, 1);
    world.now += 1_000_000;
    world.settle();
    expect(world.running()).toEqual(['a']);
    world.containers = world.containers.filter(({ name }) => name !== 'debug');
    const reported = {
      ephemeralContainerStatuses: [{ name: 'debug', containerID: 'x', image: '', imageID: '', ready: false, restartCount: 0 }],
    };
    expect(planPod(world.observed(), { ...world.desired(), reported }, world.now)).toMatchObject({ type: 'Wait' });
  });

  test('wait for the container at which they aim', () => {
    const world = debugged({ name: 'debug', image: 'i', targetContainerName: 'a' });
    world.pod = {
      ...world.pod,
      spec: { ...world.pod.spec, restartPolicy: 'Never', containers: [...world.pod.spec.containers, { name: 'b', image: 'i' }] },
    };
    world.end(world.containers[0]!.id, 0);
    world.settle();
    expect(world.running()).toEqual(['b']);
  });

  test('do not keep a pod from ending, and end with it', () => {
    const world = debugged({ name: 'debug', image: 'i' });
    world.pod = { ...world.pod, spec: { ...world.pod.spec, restartPolicy: 'Never' } };
    world.settle();
    world.end(world.containers[0]!.id, 0);
    world.settle();
    expect(world.outcome).toEqual({ phase: 'Succeeded' });
    expect(world.running()).toEqual([]);
  });
});
