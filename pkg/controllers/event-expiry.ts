/** Events are forgotten an hour after they last happened. */
import { events } from '#api/shapes/resources';
import type { Event } from '#api/shapes/types/core-v1';
import { hasReason } from '#base/errors';
import { splitKey } from '#client/informer';
import { defineController, own } from './controller.ts';

const lifetime = 3_600_000;

export const eventExpiry = defineController({
  name: 'event-expiry',
  workers: 4,
  watches: () => [own(events)],
  reconcile: async (key, { client, clock, store }) => {
    const event = store(events).get(key);
    if (event === undefined) return undefined;
    const left = lastTimeOf(event) + lifetime - clock.now();
    // Told again meanwhile, it comes back with its next change; nothing needs to be precise here.
    if (left > 0) return { after: left + 1_000 };
    const { resourceVersion = '' } = event.metadata;
    const { name, namespace = '' } = splitKey(key);
    try {
      await client.delete(events, { name, namespace }, { preconditions: { resourceVersion } });
    } catch (error) {
      if (!hasReason(error, 'NotFound') && !hasReason(error, 'Conflict')) throw error;
    }
    return undefined;
  },
});

function lastTimeOf(event: Event): number {
  const times = [event.series?.lastObservedTime, event.lastTimestamp, event.eventTime, event.metadata.creationTimestamp ?? undefined];
  const known = times.map((text) => Date.parse(text ?? '')).filter((time) => !Number.isNaN(time));
  return known.length === 0 ? 0 : Math.max(...known);
}
