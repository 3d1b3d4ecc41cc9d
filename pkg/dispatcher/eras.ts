/**
 * The eras of the store: one begins whenever a server opens it, and ends where the next begins. An agent that has acted on revision 500 of an era that
 * the store knows to have ended at 400 was given more by a store that is no longer there: an older copy was put in its place. Revisions alone do not
 * tell that, for the old copy is written to and soon passes 500. Kept in a config map, so that it is part of every copy.
 */
import { randomUUID } from 'node:crypto';
import { configMaps } from '#api/shapes/resources';
import { hasReason } from '#base/errors';
import type { Client } from '#client/client';

export interface Era {
  readonly id: string;
  /** The newest revision of the store when it began. */
  readonly start: number;
  /** Begun by a deliberate restore: agents that had come further accept what it has. */
  readonly restored?: boolean;
}

export interface Eras {
  readonly current: string;
  /** The newest restored one; empty when there is none. */
  readonly restored: string;
  diverged(era: string, revision: number): boolean;
}

const key = { namespace: 'kube-system', name: 'berth-store-eras' };
const kept = 500;
const attempts = 10;

/** Begins an era. `openedAt`: the newest revision when this server opened the store. */
export async function beginEra(client: Client, openedAt: number): Promise<Eras> {
  for (let attempt = 1; ; attempt++) {
    const stored = await client.find(configMaps, key);
    const list = [...parseEras(stored?.data?.eras), { id: randomUUID(), start: openedAt }].slice(-kept);
    const data = { eras: JSON.stringify(list) };
    try {
      if (stored === undefined) await client.create(configMaps, { metadata: key, data });
      else await client.update(configMaps, { ...stored, data });
      return erasOf(list);
    } catch (error) {
      const raced = hasReason(error, 'Conflict') || hasReason(error, 'AlreadyExists');
      if (!raced || attempt >= attempts) throw error;
    }
  }
}

export function erasOf(list: readonly Era[]): Eras {
  return {
    current: list.at(-1)?.id ?? '',
    restored: list.findLast(({ restored }) => restored === true)?.id ?? '',
    diverged: (era, revision) => hasDiverged(list, era, revision),
  };
}

/** `era` is the agent's, empty when it has accepted nothing yet. */
export function hasDiverged(list: readonly Era[], era: string, revision: number): boolean {
  if (era === '') return false;
  const index = list.findIndex(({ id }) => id === era);
  if (index >= 0) {
    const next = list[index + 1];
    return next !== undefined && revision > next.start;
  }
  // Not known: either so old that it is no longer kept, or of a store that this one is an older copy of.
  const oldest = list[0];
  return !(list.length >= kept && oldest !== undefined && revision <= oldest.start);
}

function parseEras(text: string | undefined): Era[] {
  if (text === undefined) return [];
  try {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) ? value.filter(isEra) : [];
  } catch {
    return [];
  }
}

function isEra(value: unknown): value is Era {
  return (
    typeof value === 'object' &&
    value !== null &&
    'id' in value &&
    typeof value.id === 'string' &&
    'start' in value &&
    typeof value.start === 'number'
  );
}
