import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { stacks } from '#api/shapes/resources';
import type { Stack, StackStatus } from '#api/shapes/types/compose-v1alpha1';
import type { ConfigMap, Node, Pod, Service } from '#api/shapes/types/core-v1';
import { formatTime } from '#base/clock';
import { convertStack, type PlannedStack } from '#compose/convert/convert-stack';
import { readStackSpec } from '#compose/stack-spec';
import { controllerReference } from '../owner.ts';
import { lostAfter, type ObservedStack } from './observed.ts';
import { type Action, planStack } from './plan.ts';
import { viewServices } from './service-view.ts';
import { statusOf } from './status.ts';

const start = Date.UTC(2026, 0, 1);

type Spec = Record<string, unknown>;

/** A stack in a world where actions take effect at once, and pods do what the test says. */
class World {
  stack: Stack;
  pods = new Map<string, Pod>();
  services = new Map<string, Service>();
  configMaps = new Map<string, ConfigMap>();
  claims = new Set<string>();
  nodes = new Map<string, Node>([['a', node('a', 'True')]]);
  now = start;
  #uid = 0;

  constructor(services: Record<string, Spec>, more: Spec = {}) {
    this.stack = {
      apiVersion: 'compose.berth.dev/v1alpha1',
      kind: 'Stack',
      metadata: { name: 'hello', namespace: 'default', uid: 'stack', generation: 1 },
      spec: { services, ...more },
    };
  }

  get desired(): PlannedStack {
    return convertStack({ name: 'hello', namespace: 'default' }, readStackSpec(this.stack.spec, 'hello'));
  }

  get observed(): ObservedStack {
    return {
      stack: this.stack,
      pods: [...this.pods.values()],
      services: [...this.services.values()],
      claims: [...this.claims].map((name) => ({ apiVersion: 'v1', kind: 'PersistentVolumeClaim', metadata: { name }, spec: {} })),
      configMaps: [...this.configMaps.values()],
      secrets: [],
      nodes: this.nodes,
      now: this.now,
    };
  }

  /** One reconcile: status first, then the actions. */
  step(): readonly Action[] {
    const views = viewServices(this.desired.services, this.observed);
    const { actions, obstacles } = planStack(this.desired, this.observed, views);
    this.stack = { ...this.stack, status: statusOf(this.observed, views, obstacles) };
    for (const action of actions) this.#apply(action);
    return actions;
  }

  /** Steps until nothing is to be done; every pod in between gets as far as `fate` says. */
  settle(fate: (pod: Pod) => Partial<Pod['status']> = ready): void {
    for (let round = 0; round < 200; round++) {
      const actions = this.step();
      let moved = false;
      for (const pod of this.pods.values()) {
        if (pod.metadata.deletionTimestamp !== undefined) {
          this.pods.delete(pod.metadata.name ?? '');
          moved = true;
        } else if (pod.status?.phase === 'Pending') {
          this.set(pod.metadata.name ?? '', fate(pod));
          moved = true;
        }
      }
      if (actions.length === 0 && !moved) return;
    }
    throw new Error('it does not settle');
  }

  set(name: string, status: Partial<Pod['status']>): void {
    const pod = this.pods.get(name);
    if (pod === undefined) throw new Error(`no pod ${name}`);
    this.pods.set(name, { ...pod, status: { ...pod.status, ...status } });
  }

  change(services: Record<string, Spec>, more: Spec = {}): void {
    this.stack = {
      ...this.stack,
      metadata: { ...this.stack.metadata, generation: (this.stack.metadata.generation ?? 1) + 1 },
      spec: { services, ...more },
    };
  }

  names(): string[] {
    return [...this.pods.keys()].toSorted();
  }

  state(service: string): string | undefined {
    return this.#service(service)?.state;
  }

  message(service: string): string | undefined {
    return this.#service(service)?.message;
  }

  get phase(): StackStatus['phase'] {
    return this.stack.status?.phase;
  }

  uidOf(name: string): string | undefined {
    return this.pods.get(name)?.metadata.uid;
  }

  #service(name: string): NonNullable<StackStatus['services']>[number] | undefined {
    return this.stack.status?.services?.find((one) => one.name === name);
  }

  #apply(action: Action): void {
    const ownerReferences = [controllerReference(this.stack, stacks)];
    switch (action.type) {
      case 'create pod': {
        const { name } = action.object.metadata;
        if (this.pods.has(name)) throw new Error(`${name} exists`);
        this.pods.set(name, {
          apiVersion: 'v1',
          kind: 'Pod',
          metadata: { ...action.object.metadata, uid: `uid-${this.#uid++}`, ownerReferences },
          spec: { ...action.object.spec, nodeName: 'a' },
          status: { phase: 'Pending' },
        });
        return;
      }
      case 'delete pod': {
        const name = action.object.metadata.name ?? '';
        if (action.force) this.pods.delete(name);
        else this.pods.set(name, { ...action.object, metadata: { ...action.object.metadata, deletionTimestamp: formatTime(this.now) } });
        return;
      }
      case 'create service':
        this.services.set(action.object.metadata.name ?? '', {
          apiVersion: 'v1',
          kind: 'Service',
          metadata: { ...action.object.metadata, ownerReferences },
          spec: {
            ...action.object.spec,
            sessionAffinity: 'None',
            ...(action.object.spec.type === 'NodePort'
              ? { ports: action.object.spec.ports?.map((port) => ({ ...port, nodePort: 30_001 })) ?? [] }
              : {}),
          },
        });
        return;
      case 'update service':
        this.services.set(action.object.metadata.name ?? '', action.object);
        return;
      case 'delete service':
        this.services.delete(action.object.metadata.name ?? '');
        return;
      case 'create claim':
        this.claims.add(action.object.metadata.name ?? '');
        return;
      case 'adopt':
        this.configMaps.set(action.object.metadata.name ?? '', {
          ...action.object,
          metadata: { ...action.object.metadata, ownerReferences },
        });
        return;
      case 'delete content':
        this.configMaps.delete(action.object.metadata.name ?? '');
        return;
      default:
        action satisfies never;
    }
  }
}

function node(name: string, ready: string, since = start): Node {
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name },
    spec: {},
    status: { conditions: [{ type: 'Ready', status: ready, lastTransitionTime: formatTime(since) }] },
  };
}

function ready(): Partial<Pod['status']> {
  return {
    phase: 'Running',
    podIP: '10.0.0.1',
    conditions: [{ type: 'Ready', status: 'True' }],
    containerStatuses: [{ name: 'main', image: '', imageID: '', ready: true, restartCount: 0, state: { running: {} } }],
  };
}

function running(): Partial<Pod['status']> {
  return { ...ready(), conditions: [{ type: 'Ready', status: 'False' }] };
}

function ended(exitCode: number): Partial<Pod['status']> {
  return {
    phase: exitCode === 0 ? 'Succeeded' : 'Failed',
    conditions: [{ type: 'Ready', status: 'False' }],
    containerStatuses: [{ name: 'main', image: '', imageID: '', ready: false, restartCount: 0, state: { terminated: { exitCode } } }],
  };
}

const health = { test: ['CMD', 'true'] };
const web = { image: 'web:1', restart: 'always' };

describe('the plan of a stack', () => {
  test('makes pods in slots, a Service for names and one for published ports, and one claim for a volume', () => {
    const world = new World(
      { web: { ...web, scale: 2, ports: ['8080:80', '90'], volumes: ['data:/data'] }, api: { image: 'api', volumes: ['data:/d'] } },
      { volumes: { data: {} } },
    );
    world.settle();
    expect(world.names()).toEqual(['hello-api-1', 'hello-web-1', 'hello-web-2']);
    expect([...world.services.keys()].toSorted()).toEqual(['hello-api', 'hello-web', 'hello-web-nodeports', 'hello-web-published']);
    expect([...world.claims]).toEqual(['hello-data']);
    expect(world.phase).toBe('Healthy');
    expect(world.stack.status?.services?.[0]).toMatchObject({
      name: 'web',
      desired: 2,
      ready: 2,
      state: 'Running',
      endpoints: ['10.0.0.1', '10.0.0.1'],
      ports: [
        { target: 80, published: 8080, protocol: 'TCP' },
        { target: 90, published: 30001, protocol: 'TCP' },
      ],
    });
  });

  test('does nothing at the goal, and only what changed when applied again', () => {
    const world = new World({ web: { ...web, scale: 2 }, api: { image: 'api', restart: 'always' } });
    world.settle();
    expect(world.step()).toEqual([]);
    const [before, api] = [world.uidOf('hello-web-1'), world.uidOf('hello-api-1')];
    world.change({ web: { ...web, scale: 2 }, api: { image: 'api:2', restart: 'always' } });
    world.settle();
    expect(world.uidOf('hello-web-1')).toBe(before);
    expect(world.uidOf('hello-api-1')).not.toBe(api);
  });

  test('prunes what went away, and keeps its volumes', () => {
    const world = new World({ web: { ...web, ports: ['80:80'] }, db: { image: 'db', volumes: ['data:/data'] } }, { volumes: { data: {} } });
    world.settle();
    world.change({ web });
    world.settle();
    expect(world.names()).toEqual(['hello-web-1']);
    expect([...world.services.keys()]).toEqual(['hello-web']);
    expect([...world.claims]).toEqual(['hello-data']);
  });

  test('scales down from the highest slot', () => {
    const world = new World({ web: { ...web, scale: 3 } });
    world.settle();
    world.change({ web: { ...web, scale: 1 } });
    world.settle();
    expect(world.names()).toEqual(['hello-web-1']);
    world.change({ web: { ...web, scale: 0 } });
    world.settle();
    expect(world.names()).toEqual([]);
    expect(world.state('web')).toBe('Stopped');
  });

  test('makes a pod only when what it depends on is as it asks, with the reason in the status', () => {
    const world = new World({
      web: {
        ...web,
        depends_on: { api: { condition: 'service_healthy' }, init: { condition: 'service_completed_successfully' } },
      },
      api: { image: 'api', healthcheck: health },
      init: { image: 'init' },
    });
    world.step();
    world.step();
    expect(world.names()).toEqual(['hello-api-1', 'hello-init-1']);
    expect(world.message('web')).toBe('waits for api to be healthy');
    world.set('hello-api-1', running());
    expect(world.step()).toEqual([]);
    world.set('hello-api-1', ready());
    expect(world.step()).toEqual([]);
    expect(world.message('web')).toBe('waits for init to complete');
    world.set('hello-init-1', ended(0));
    world.step();
    expect(world.names()).toContain('hello-web-1');
  });

  test('a dependency that failed blocks, and the stack has failed', () => {
    const world = new World({
      web: { ...web, depends_on: { init: { condition: 'service_completed_successfully' } } },
      init: { image: 'init' },
    });
    world.settle(() => ended(3));
    expect(world.names()).toEqual(['hello-init-1']);
    expect([world.state('init'), world.message('init')]).toEqual(['Failed', 'hello-init-1 ended with exit code 3']);
    expect([world.state('web'), world.message('web')]).toEqual(['Blocked', 'waits for init to complete, which failed']);
    expect(world.phase).toBe('Failed');
  });

  test('a dependency that is not required may fail', () => {
    const world = new World({
      web: { ...web, depends_on: { init: { condition: 'service_completed_successfully', required: false } } },
      init: { image: 'init' },
    });
    world.settle((pod) => (pod.metadata.name === 'hello-init-1' ? ended(1) : ready()));
    expect(world.state('web')).toBe('Running');
  });

  test('a one-shot that finished stays finished, also when its pod is gone, until its template changes', () => {
    const world = new World({ init: { image: 'init' } });
    world.settle(() => ended(0));
    expect([world.state('init'), world.phase]).toEqual(['Completed', 'Completed']);
    world.pods.clear();
    expect(world.step()).toEqual([]);
    expect(world.state('init')).toBe('Completed');
    world.change({ init: { image: 'init:2' } });
    world.settle(() => ended(0));
    expect(world.names()).toEqual(['hello-init-1']);
  });

  test('a failed one-shot is not started again by itself', () => {
    const world = new World({ job: { image: 'job' } });
    world.settle(() => ended(1));
    const uid = world.uidOf('hello-job-1');
    expect(world.step()).toEqual([]);
    expect(world.uidOf('hello-job-1')).toBe(uid);
  });

  test('what a node ended or took with it is replaced, whatever the restart policy', () => {
    const world = new World({ job: { image: 'job' }, done: { image: 'done' } });
    world.settle((pod) => (pod.metadata.name === 'hello-done-1' ? ended(0) : ready()));
    const [job, done] = [world.uidOf('hello-job-1'), world.uidOf('hello-done-1')];
    world.set('hello-job-1', { phase: 'Failed', reason: 'Evicted' });
    world.settle();
    expect(world.uidOf('hello-job-1')).not.toBe(job);
    const second = world.uidOf('hello-job-1');
    world.nodes.set('a', node('a', 'Unknown', world.now));
    world.now += lostAfter - 1000;
    expect(world.step()).toEqual([]);
    world.now += 1000;
    expect(world.step()).toMatchObject([{ type: 'delete pod', force: true }]);
    world.nodes.set('a', node('a', 'True'));
    world.settle();
    expect(world.uidOf('hello-job-1')).not.toBe(second);
    expect(world.uidOf('hello-done-1')).toBe(done);
  });

  test('a pod that is going on a lost node does not keep its slot', () => {
    const world = new World({ web });
    world.settle();
    world.set('hello-web-1', {});
    const pod = world.pods.get('hello-web-1')!;
    world.pods.set('hello-web-1', { ...pod, metadata: { ...pod.metadata, deletionTimestamp: formatTime(start) } });
    world.nodes.set('a', node('a', 'Unknown', start - lostAfter));
    expect(world.step()).toMatchObject([{ type: 'delete pod', force: true }]);
    world.nodes.set('a', node('a', 'True'));
    world.settle();
    expect(world.names()).toEqual(['hello-web-1']);
  });

  test('rolls one replica after the other, stopping the next when the last is ready', () => {
    const world = new World({ web: { ...web, scale: 3, healthcheck: health } });
    world.settle();
    world.change({ web: { ...web, image: 'web:2', scale: 3, healthcheck: health } });
    expect(world.step()).toMatchObject([{ type: 'delete pod', object: { metadata: { name: 'hello-web-1' } } }]);
    expect(world.step()).toEqual([]);
    world.pods.delete('hello-web-1');
    expect(world.step()).toMatchObject([{ type: 'create pod', slot: 1 }]);
    world.set('hello-web-1', running());
    expect(world.step()).toEqual([]);
    expect([world.state('web'), world.message('web')]).toEqual(['Updating', '1 of 3 replicas are new']);
    world.set('hello-web-1', ready());
    expect(world.step()).toMatchObject([{ type: 'delete pod', object: { metadata: { name: 'hello-web-2' } } }]);
    world.settle();
    expect(world.state('web')).toBe('Healthy');
  });

  test('a service waits for the new template of what it depends on before it rolls', () => {
    const depends = { depends_on: { api: { condition: 'service_healthy' } } };
    const world = new World({ web: { ...web, ...depends }, api: { image: 'api:1', healthcheck: health } });
    world.settle();
    world.change({ web: { ...web, image: 'web:2', ...depends }, api: { image: 'api:2', healthcheck: health } });
    expect(world.step()).toMatchObject([{ type: 'delete pod', object: { metadata: { name: 'hello-api-1' } } }]);
    world.settle();
    expect(world.phase).toBe('Healthy');
  });

  test('a changed content rolls its service; the old content goes when no pod has it', () => {
    const config = (name: string): ConfigMap => ({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name, labels: { 'compose.berth.dev/stack': 'hello' } },
    });
    const spec = { web: { ...web, configs: ['page'] }, api: web };
    const world = new World(spec, { configs: { page: { object: 'hello-page-1' } } });
    world.step();
    expect([world.state('web'), world.message('web')]).toEqual([
      'Blocked',
      'ConfigMap hello-page-1 does not exist: apply the Compose file again',
    ]);
    world.configMaps.set('hello-page-1', config('hello-page-1'));
    world.settle();
    const [uid, api] = [world.uidOf('hello-web-1'), world.uidOf('hello-api-1')];
    expect(world.configMaps.get('hello-page-1')?.metadata.ownerReferences).toHaveLength(1);
    world.configMaps.set('hello-page-2', config('hello-page-2'));
    world.change(spec, { configs: { page: { object: 'hello-page-2' } } });
    world.step();
    expect([...world.configMaps.keys()]).toEqual(['hello-page-1', 'hello-page-2']);
    world.settle();
    expect([...world.configMaps.keys()]).toEqual(['hello-page-2']);
    expect(world.uidOf('hello-web-1')).not.toBe(uid);
    expect(world.uidOf('hello-api-1')).toBe(api);
  });

  test('does not touch what has its names and belongs to others', () => {
    const world = new World({ web, api: web });
    world.services.set('hello-web', { apiVersion: 'v1', kind: 'Service', metadata: { name: 'hello-web' }, spec: {} });
    world.settle();
    expect(world.names()).toEqual(['hello-api-1']);
    expect([world.state('web'), world.phase]).toEqual(['Blocked', 'Failed']);
  });

  test('updates a Service whose ports changed, and keeps what the server gave it', () => {
    const world = new World({ web: { ...web, ports: ['127.0.0.1:8080:80'] } });
    world.settle();
    world.change({ web: { ...web, ports: ['8081:80'] } });
    world.settle();
    const service = world.services.get('hello-web-published');
    expect(service?.spec).toMatchObject({ ports: [{ port: 8081, targetPort: 80 }], sessionAffinity: 'None' });
    expect(service?.metadata.annotations).toEqual({});
    expect(world.step()).toEqual([]);
  });

  test('says why a replica is not there', () => {
    const world = new World({ web });
    world.step();
    world.set('hello-web-1', { conditions: [{ type: 'PodScheduled', status: 'False', message: '0/1 nodes are available' }] });
    world.step();
    expect(world.message('web')).toBe('hello-web-1 fits on no node: 0/1 nodes are available');
    world.set('hello-web-1', {
      phase: 'Running',
      conditions: [],
      containerStatuses: [
        {
          name: 'web',
          image: '',
          imageID: '',
          ready: false,
          restartCount: 4,
          state: { waiting: { reason: 'CrashLoopBackOff' } },
          lastState: { terminated: { exitCode: 137, reason: 'OOMKilled' } },
        },
      ],
    });
    world.step();
    expect([world.state('web'), world.message('web'), world.phase]).toEqual([
      'Unhealthy',
      'hello-web-1 ran out of memory (4 restarts), and is started again after a while',
      'Degraded',
    ]);
  });

  test('says of a pod without containers what its node says of it, and of a program that cannot be started why', () => {
    const world = new World({ web });
    world.step();
    world.set('hello-web-1', { phase: 'Pending', message: 'the volume cannot be mounted' });
    world.step();
    expect([world.state('web'), world.message('web')]).toEqual(['Starting', 'hello-web-1: the volume cannot be mounted']);
    const terminated = { exitCode: 128, reason: 'StartError', message: 'exec: "none": not found' };
    const container = { name: 'web', image: '', imageID: '', ready: false, restartCount: 1, state: { terminated } };
    world.set('hello-web-1', { phase: 'Failed', containerStatuses: [container] });
    world.step();
    expect([world.state('web'), world.message('web')]).toEqual([
      'Failed',
      'hello-web-1 could not be started: exec: "none": not found (1 restart)',
    ]);
  });

  test('a service that was well and is not ready any more is unhealthy', () => {
    const world = new World({ web: { ...web, healthcheck: health } });
    world.step();
    world.set('hello-web-1', running());
    world.step();
    expect(world.state('web')).toBe('Starting');
    world.set('hello-web-1', ready());
    world.step();
    world.set('hello-web-1', running());
    world.step();
    expect([world.state('web'), world.phase]).toEqual(['Unhealthy', 'Degraded']);
  });
});

describe('from any state', () => {
  const services = fc.record(
    {
      web: fc.record({
        image: fc.constantFrom('web:1', 'web:2'),
        restart: fc.constantFrom('always', 'no', 'on-failure:2'),
        scale: fc.integer({ min: 0, max: 4 }),
        healthcheck: fc.constantFrom(health, {}),
        ports: fc.constantFrom([], ['80:80'], ['80']),
        deploy: fc.record({ update_config: fc.record({ parallelism: fc.integer({ min: 0, max: 3 }) }) }),
      }),
      api: fc.record({ image: fc.constantFrom('api:1', 'api:2'), restart: fc.constant('always'), healthcheck: fc.constant(health) }),
      init: fc.record({ image: fc.constantFrom('init:1', 'init:2') }),
    },
    { requiredKeys: [] },
  );
  const statuses: Partial<Pod['status']>[] = [{ phase: 'Pending' }, running(), ready(), ended(0), { phase: 'Failed', reason: 'Evicted' }];

  test('it settles at what is asked for, never doubles a slot, and keeps to the number of replicas that may be away', () => {
    fc.assert(
      fc.property(
        services,
        services,
        fc.array(fc.tuple(fc.nat(20), fc.nat(statuses.length - 1), fc.boolean())),
        (first, second, events) => {
          const world = new World(first);
          world.step();
          for (const [which, status, gone] of events) {
            const name = world.names()[which % Math.max(1, world.names().length)];
            if (name !== undefined && gone) world.pods.delete(name);
            else if (name !== undefined) world.set(name, statuses[status]);
            world.step();
          }
          // From here on whatever starts gets ready; one-shots end.
          for (const [name, pod] of world.pods) if (pod.status?.phase !== 'Succeeded') world.set(name, fate(pod));
          world.change(second);
          const serving = (): number =>
            [...world.pods.values()].filter((pod) => pod.metadata.name?.startsWith('hello-web') && isServing(pod)).length;
          const before = serving();
          const plan = world.step();
          const { scale = 1, deploy } = (second.web ?? { scale: 0 }) as {
            scale?: number;
            deploy?: { update_config: { parallelism: number } };
          };
          const parallelism = deploy?.update_config.parallelism ?? 1;
          const atLeast = second.web === undefined || parallelism === 0 ? 0 : Math.min(before, scale) - parallelism;
          expect(serving()).toBeGreaterThanOrEqual(atLeast);
          expect(new Set(plan.filter(({ type }) => type === 'create pod').map((action) => JSON.stringify(action))).size).toBe(
            plan.filter(({ type }) => type === 'create pod').length,
          );
          world.settle(fate);
          for (const { name, replicas } of world.desired.services) {
            const pods = [...world.pods.values()].filter(({ metadata }) => metadata.labels?.['compose.berth.dev/service'] === name);
            expect(pods.length).toBeLessThanOrEqual(replicas);
            expect(world.state(name)).toMatch(/Running|Healthy|Completed|Stopped/);
          }
          const known = new Set(world.desired.services.map(({ name }) => name));
          expect([...world.pods.values()].every(({ metadata }) => known.has(metadata.labels?.['compose.berth.dev/service'] ?? ''))).toBe(
            true,
          );
          expect(world.step()).toEqual([]);
        },
      ),
      { numRuns: 100 },
    );
  });

  function fate(pod: Pod): Partial<Pod['status']> {
    return pod.metadata.name?.startsWith('hello-init') ? ended(0) : ready();
  }

  function isServing(pod: Pod): boolean {
    return pod.metadata.deletionTimestamp === undefined && pod.status?.conditions?.[0]?.status === 'True' && pod.status.phase === 'Running';
  }
});
