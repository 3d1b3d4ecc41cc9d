import type { Event } from '#api/shapes/types/core-v1';

/** Oldest first, by when each was last seen. */
export function sortEvents(list: readonly Event[]): readonly Event[] {
  return list.toSorted((a, b) => Date.parse(lastSeen(a)) - Date.parse(lastSeen(b)));
}

export function lastSeen(event: Event): string {
  return event.series?.lastObservedTime ?? event.lastTimestamp ?? event.eventTime ?? event.metadata.creationTimestamp ?? '';
}
