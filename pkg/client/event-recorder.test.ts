import { describe, expect, test } from '@jest/globals';
import { events } from '#api/shapes/resources';
import type { Event } from '#api/shapes/types/core-v1';
import { StatusError } from '#base/errors';
import { silentLogger } from '#base/logging';
import { ManualClock } from '#base/manual-clock';
import { createEventRecorder, type EventRecorder } from './event-recorder.ts';
import { MemoryTransport } from './memory-transport.ts';
import { createClient } from './typed-client.ts';

const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'web', namespace: 'shop', uid: 'u1', resourceVersion: '7' } };

interface World {
  readonly transport: MemoryTransport;
  readonly clock: ManualClock;
  readonly recorder: EventRecorder;
  stored(): Promise<Event[]>;
  /** Ends this recorder and starts another over the same store. */
  restart(): Promise<EventRecorder>;
}

async function withRecorder(test: (world: World) => Promise<void>): Promise<void> {
  const transport = new MemoryTransport();
  const client = createClient(transport);
  const clock = new ManualClock();
  const options = { component: 'test-controller', clock, log: silentLogger };
  let stop = new AbortController();
  const first = createEventRecorder(client, options);
  let running = first.run(stop.signal);
  try {
    await test({
      transport,
      clock,
      recorder: first,
      stored: async () => {
        await clock.advance(0);
        return (await client.list(events)).items;
      },
      restart: async () => {
        stop.abort();
        await running;
        stop = new AbortController();
        const next = createEventRecorder(client, options);
        running = next.run(stop.signal);
        return next;
      },
    });
  } finally {
    stop.abort();
    await running;
  }
}

describe('an event recorder', () => {
  test('writes an event in the form that kubectl reads', () =>
    withRecorder(async ({ recorder, stored }) => {
      recorder.event(pod, 'Warning', 'FailedScheduling', 'no nodes available to schedule pods');
      expect(await stored()).toMatchObject([
        {
          metadata: { namespace: 'shop', name: expect.stringMatching(/^web\.[0-9a-f]{16}$/) },
          involvedObject: { apiVersion: 'v1', kind: 'Pod', namespace: 'shop', name: 'web', uid: 'u1' },
          type: 'Warning',
          reason: 'FailedScheduling',
          message: 'no nodes available to schedule pods',
          count: 1,
          firstTimestamp: '2026-01-01T00:00:00Z',
          lastTimestamp: '2026-01-01T00:00:00Z',
          source: { component: 'test-controller' },
        },
      ]);
    }));

  test('counts what is told again instead of repeating it, also after a restart', () =>
    withRecorder(async ({ recorder, stored, clock, restart }) => {
      recorder.event(pod, 'Normal', 'Created', 'made a thing');
      recorder.event(pod, 'Normal', 'Created', 'made a thing');
      await clock.advance(5_000);
      recorder.event(pod, 'Normal', 'Created', 'made a thing');
      expect(await stored()).toMatchObject([{ count: 3, firstTimestamp: '2026-01-01T00:00:00Z', lastTimestamp: '2026-01-01T00:00:05Z' }]);
      (await restart()).event(pod, 'Normal', 'Created', 'made a thing');
      expect(await stored()).toMatchObject([{ count: 4 }]);
    }));

  test('combines many that differ in their message alone, and talks less of an object that is told of too often', () =>
    withRecorder(async ({ recorder, stored }) => {
      for (let turn = 0; turn < 100; turn++) recorder.event(pod, 'Warning', 'Failed', `attempt ${turn} failed`);
      const written = await stored();
      expect(written).toHaveLength(11);
      const combined = written.find((event) => event.message?.startsWith('(combined from similar events): '));
      expect(combined?.count).toBe(15);
    }));

  test('puts events about objects without a namespace into default', () =>
    withRecorder(async ({ recorder, stored }) => {
      recorder.event({ apiVersion: 'v1', kind: 'Node', metadata: { name: 'node-1', uid: 'u2' } }, 'Normal', 'NodeReady', 'ready');
      expect((await stored()).map((event) => event.metadata.namespace)).toEqual(['default']);
    }));

  test('writes later what could not be written at once, and gives up what may never be', () =>
    withRecorder(async ({ recorder, stored, transport, clock }) => {
      let down = true;
      transport.onRequest = (request) => {
        if (request.verb !== 'create') return;
        if (request.namespace === 'gone') throw new StatusError('Forbidden', 'the namespace is being terminated');
        if (down) throw new StatusError('ServiceUnavailable', 'down');
      };
      recorder.event(pod, 'Normal', 'Created', 'made a thing');
      recorder.event({ ...pod, metadata: { ...pod.metadata, namespace: 'gone' } }, 'Normal', 'Created', 'made a thing');
      expect(await stored()).toEqual([]);
      down = false;
      await clock.advance(2_000);
      expect((await stored()).map((event) => event.metadata.namespace)).toEqual(['shop']);
      await clock.advance(3_600_000);
      expect(clock.waiting).toBe(0);
    }));
});
