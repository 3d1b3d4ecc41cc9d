import { describe, expect, test } from '@jest/globals';
import { configMaps, pods } from '#api/shapes/resources';
import { StatusError } from '#base/errors';
import { runAll } from '#base/lifecycle';
import { silentLogger } from '#base/logging';
import { ManualClock } from '#base/manual-clock';
import { InformerSet } from '#client/informer-set';
import { MemoryTransport } from '#client/memory-transport';
import { createClient } from '#client/typed-client';
import { type ControllerDefinition, defineController, own, owned } from './controller.ts';

async function withController(
  definition: ControllerDefinition,
  test: (world: { transport: MemoryTransport; client: ReturnType<typeof createClient>; clock: ManualClock }) => Promise<void>,
): Promise<void> {
  const transport = new MemoryTransport();
  const client = createClient(transport);
  const clock = new ManualClock();
  const informers = new InformerSet(client, { clock, log: silentLogger });
  const controller = defineController(definition).create({
    clientFor: () => client,
    informers,
    clock,
    log: silentLogger,
    resources: () => [],
  });
  const stop = new AbortController();
  const running = runAll([informers, controller], stop.signal);
  try {
    await test({ transport, client, clock });
  } finally {
    stop.abort();
    await running;
  }
}

const owner = { metadata: { name: 'owner', namespace: 'default', uid: 'u1' } };
const reference = { apiVersion: 'v1', kind: 'ConfigMap', name: 'owner', uid: 'u1', controller: true };

describe('a controller', () => {
  test('sees in its next reconcile all that it wrote in the last', async () => {
    const seen: number[] = [];
    await withController(
      {
        name: 'test',
        watches: () => [own(configMaps), owned(pods, configMaps)],
        reconcile: async (key, { client, store }) => {
          const present = store(pods).byIndex('owner', 'u1').length;
          seen.push(present);
          if (key !== 'default/owner' || present >= 5) return undefined;
          for (let each = 0; each < 2; each++) {
            await client.create(pods, {
              metadata: { name: `pod-${present + each}`, namespace: 'default', ownerReferences: [reference] },
              spec: { containers: [] },
            });
          }
          return undefined;
        },
      },
      async ({ client, clock }) => {
        await client.create(configMaps, owner);
        await clock.advance(1_000);
        expect((await client.list(pods)).items).toHaveLength(6);
      },
    );
    expect(new Set(seen)).toEqual(new Set([0, 2, 4, 6]));
  });

  test('tries a failing key again, later each time, and holds up no other', async () => {
    const calls: Record<string, number> = {};
    await withController(
      {
        name: 'test',
        workers: 1,
        watches: () => [own(configMaps)],
        reconcile: (key) => {
          calls[key] = (calls[key] ?? 0) + 1;
          return key === 'default/bad' ? Promise.reject(new StatusError('Conflict', 'again')) : Promise.resolve(undefined);
        },
      },
      async ({ client, clock }) => {
        await client.create(configMaps, { metadata: { name: 'bad', namespace: 'default' } });
        await client.create(configMaps, { metadata: { name: 'good', namespace: 'default' } });
        await clock.advance(10_000);
        expect(calls['default/good']).toBe(1);
        expect(calls['default/bad']).toBeGreaterThan(8);
        expect(calls['default/bad']).toBeLessThan(14);
      },
    );
  });

  test('looks again when it asked to', async () => {
    let calls = 0;
    await withController(
      {
        name: 'test',
        watches: () => [own(configMaps)],
        reconcile: () => Promise.resolve(++calls < 3 ? { after: 1_000 } : undefined),
      },
      async ({ client, clock }) => {
        await client.create(configMaps, owner);
        await clock.advance(1_500);
        expect(calls).toBe(2);
        await clock.advance(60_000);
        expect(calls).toBe(3);
      },
    );
  });

  test('may read only what it declared, so that no store is empty by mistake', async () => {
    let message = '';
    await withController(
      {
        name: 'test',
        watches: () => [own(configMaps)],
        reconcile: (_key, { store }) => {
          try {
            store(pods);
          } catch (error) {
            message = String(error);
          }
          return Promise.resolve(undefined);
        },
      },
      async ({ client, clock }) => {
        await client.create(configMaps, owner);
        await clock.advance(0);
      },
    );
    expect(message).toContain('neither watches nor reads pods');
  });
});
