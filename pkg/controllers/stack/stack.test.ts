import { describe, expect, test } from '@jest/globals';
import { configMaps, events, nodes, persistentVolumeClaims, pods, services, stacks } from '#api/shapes/resources';
import type { Stack } from '#api/shapes/types/compose-v1alpha1';
import { runAll } from '#base/lifecycle';
import { silentLogger } from '#base/logging';
import { ManualClock } from '#base/manual-clock';
import type { Client } from '#client/client';
import { InformerSet } from '#client/informer-set';
import { MemoryTransport } from '#client/memory-transport';
import { createClient } from '#client/typed-client';
import { stack as controller } from './stack.ts';

interface World {
  readonly client: Client;
  readonly clock: ManualClock;
  /** Ends the controller and begins another one. */
  restart(): Promise<void>;
  stack(name?: string): Promise<Stack>;
  podNames(): Promise<string[]>;
}

async function withController(run: (world: World) => Promise<void>): Promise<void> {
  const client = createClient(new MemoryTransport());
  const clock = new ManualClock();
  let stop = new AbortController();
  let running: Promise<void>;
  const start = (): void => {
    stop = new AbortController();
    const informers = new InformerSet(client, { clock, log: silentLogger });
    const part = controller.create({ clientFor: () => client, informers, clock, log: silentLogger, resources: () => [] });
    running = runAll([informers, part], stop.signal);
  };
  start();
  try {
    await run({
      client,
      clock,
      restart: async () => {
        stop.abort();
        await running;
        start();
        await clock.advance(100);
      },
      stack: (name = 'hello') => client.get(stacks, { name, namespace: 'default' }),
      podNames: async () => (await client.list(pods)).items.map(({ metadata }) => metadata.name ?? '').toSorted(),
    });
  } finally {
    stop.abort();
    await running!;
  }
}

async function create(client: Client, name: string, spec: Stack['spec']): Promise<void> {
  await client.create(stacks, { metadata: { name, namespace: 'default', uid: `uid-${name}`, generation: 1 }, spec });
}

async function setPod(client: Client, name: string, phase: 'Running' | 'Succeeded'): Promise<void> {
  const pod = await client.get(pods, { name, namespace: 'default' });
  const ready = phase === 'Running';
  await client.updateStatus(pods, {
    ...pod,
    status: {
      phase,
      conditions: [{ type: 'Ready', status: ready ? 'True' : 'False' }],
      containerStatuses: [
        { name: 'x', image: '', imageID: '', ready, restartCount: 0, state: ready ? { running: {} } : { terminated: { exitCode: 0 } } },
      ],
    },
  });
}

describe('the stack controller', () => {
  test('makes what a stack says, owned by it, and reports health by service', async () => {
    await withController(async ({ client, clock, stack, podNames }) => {
      await create(client, 'hello', {
        services: {
          web: { image: 'web', restart: 'always', depends_on: ['init'], ports: ['8080:80'], volumes: ['data:/data'] },
          init: { image: 'init' },
        },
        volumes: { data: {} },
      });
      await clock.advance(1000);
      expect(await podNames()).toEqual(['hello-init-1']);
      expect((await stack()).status?.phase).toBe('Progressing');
      await setPod(client, 'hello-init-1', 'Succeeded');
      await clock.advance(1000);
      await setPod(client, 'hello-web-1', 'Running');
      await clock.advance(1000);
      const { status } = await stack();
      expect(status).toMatchObject({
        phase: 'Healthy',
        services: [
          { name: 'web', state: 'Running', ready: 1, desired: 1 },
          { name: 'init', state: 'Completed', completed: 1 },
        ],
        conditions: [
          { type: 'Accepted', status: 'True' },
          { type: 'Ready', status: 'True' },
        ],
      });
      const pod = await client.get(pods, { name: 'hello-web-1', namespace: 'default' });
      expect(pod.metadata.ownerReferences).toMatchObject([{ kind: 'Stack', name: 'hello', uid: 'uid-hello', controller: true }]);
      expect((await client.list(services)).items.map(({ metadata }) => metadata.name ?? '').toSorted()).toEqual([
        'hello-init',
        'hello-web',
        'hello-web-published',
      ]);
      const claim = await client.get(persistentVolumeClaims, { name: 'hello-data', namespace: 'default' });
      expect(claim.metadata.ownerReferences).toBeUndefined();
    });
  });

  test('a finished one-shot stays finished when the controller restarts and its pod is gone', async () => {
    await withController(async ({ client, clock, restart, stack, podNames }) => {
      await create(client, 'hello', { services: { init: { image: 'init' } } });
      await clock.advance(1000);
      await setPod(client, 'hello-init-1', 'Succeeded');
      await clock.advance(1000);
      await client.delete(pods, { name: 'hello-init-1', namespace: 'default' });
      await clock.advance(1000);
      await restart();
      await clock.advance(1000);
      expect(await podNames()).toEqual([]);
      expect((await stack()).status?.phase).toBe('Completed');
    });
  });

  test('waiting for a dependency survives a restart of the controller', async () => {
    await withController(async ({ client, clock, restart, podNames }) => {
      await create(client, 'hello', {
        services: {
          web: { image: 'web', depends_on: { api: { condition: 'service_healthy' } } },
          api: { image: 'api', healthcheck: { test: 'x' } },
        },
      });
      await clock.advance(1000);
      await restart();
      await clock.advance(1000);
      expect(await podNames()).toEqual(['hello-api-1']);
      await setPod(client, 'hello-api-1', 'Running');
      await clock.advance(1000);
      expect(await podNames()).toEqual(['hello-api-1', 'hello-web-1']);
    });
  });

  test('two stacks with the same service names live side by side', async () => {
    await withController(async ({ client, clock, podNames }) => {
      const spec = { services: { web: { image: 'web' }, db: { image: 'db' } } };
      await create(client, 'one', spec);
      await create(client, 'two', spec);
      await clock.advance(1000);
      expect(await podNames()).toEqual(['one-db-1', 'one-web-1', 'two-db-1', 'two-web-1']);
      const names = (await client.list(services)).items.map(({ metadata }) => metadata.annotations?.['berth.dev/network-names']);
      expect(names).toContain('{"default/one_default":["web"]}');
      expect(names).toContain('{"default/two_default":["web"]}');
    });
  });

  test('adopts the contents that it refers to', async () => {
    await withController(async ({ client, clock, podNames }) => {
      await create(client, 'hello', {
        services: { web: { image: 'web', configs: ['page'] } },
        configs: { page: { object: 'hello-page-x' } },
      });
      await clock.advance(1000);
      expect(await podNames()).toEqual([]);
      await client.create(configMaps, {
        metadata: { name: 'hello-page-x', namespace: 'default', labels: { 'compose.berth.dev/stack': 'hello' } },
      });
      await clock.advance(1000);
      expect(await podNames()).toEqual(['hello-web-1']);
      const config = await client.get(configMaps, { name: 'hello-page-x', namespace: 'default' });
      expect(config.metadata.ownerReferences).toMatchObject([{ kind: 'Stack', uid: 'uid-hello' }]);
    });
  });

  test('says what is wrong with a spec, and leaves what runs alone', async () => {
    await withController(async ({ client, clock, stack, podNames }) => {
      await create(client, 'hello', { services: { web: { image: 'web' } } });
      await clock.advance(1000);
      const object = await stack();
      await client.update(stacks, {
        ...object,
        metadata: { ...object.metadata, generation: 2 },
        spec: { services: { web: { image: 'web', init: true } } },
      });
      await clock.advance(1000);
      expect((await stack()).status).toMatchObject({
        phase: 'Failed',
        observedGeneration: 2,
        conditions: [{ type: 'Accepted', status: 'False', message: expect.stringContaining('services.web.init: ') }, { type: 'Ready' }],
      });
      expect(await podNames()).toEqual(['hello-web-1']);
      await clock.advance(5000);
      const told = (await client.list(events)).items.filter(({ reason }) => reason === 'Invalid');
      expect(told).toHaveLength(1);
      expect(told[0]?.count ?? 1).toBe(1);
    });
  });

  test('replaces the pods of a node that has been silent for long, without being told again', async () => {
    await withController(async ({ client, clock }) => {
      const condition = { type: 'Ready', status: 'Unknown', lastTransitionTime: new Date(clock.now()).toISOString() };
      await client.create(nodes, { metadata: { name: 'a' }, spec: {}, status: { conditions: [condition] } });
      await create(client, 'hello', { services: { web: { image: 'web' } } });
      await clock.advance(1000);
      const pod = await client.get(pods, { name: 'hello-web-1', namespace: 'default' });
      await client.update(pods, {
        ...pod,
        metadata: { ...pod.metadata, labels: { ...pod.metadata.labels, lost: 'yes' } },
        spec: { ...pod.spec, nodeName: 'a' },
      });
      await clock.advance(200_000);
      expect((await client.list(pods)).items[0]?.metadata.labels?.lost).toBe('yes');
      await clock.advance(100_000);
      expect((await client.list(pods)).items[0]?.metadata.labels?.lost).toBeUndefined();
    });
  });
});
