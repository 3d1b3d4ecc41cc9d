/**
 * The eras of the store: one begins whenever a server opens it while no other serves agents from it, and ends where the next begins. An agent that
 * has acted on revision 500 of an era that the store knows to have ended at 400 was given more by a store that is no longer there: an older copy was
 * put in its place. Revisions alone do not tell that, for the old copy is written to and soon passes 500. Kept in a config map, so that it is part of every copy.
 */
import { randomUUID } from 'node:crypto';
import { configMaps } from '#api/shapes/resources';
import type { Clock } from '#base/clock';
import { hasReason } from '#base/errors';
import type { Client } from '#client/client';
import type { Peers } from './peers.ts';

export interface Era {
  readonly id: string;
  /** The newest revision of the store when it began. */
  readonly start: number;
  /** Begun by a deliberate restore: agents that had come further accept what it has. */
  readonly restored?: boolean;
  /** The start of a server that began it, where there may be several. */
  readonly by?: string;
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
/** Milliseconds between looks at whether others live. */
const lookAgain = 500;

export interface EraOptions {
  readonly client: Client;
  /** The newest revision when this server opened the store, before it wrote anything. */
  readonly openedAt: number;
  /** Other servers over the same store; undefined: there are none. */
  readonly peers: Peers | undefined;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** Begins an era, or joins the one in which another server serves agents. Waits until it is known whether one does. Rejects with the signal's reason. */
export async function openEra({ client, openedAt, peers, clock, signal }: EraOptions): Promise<Eras> {
  let start = openedAt;
  for (let conflicts = 0; ; ) {
    signal.throwIfAborted();
    const stored = await client.find(configMaps, key);
    const list = parseEras(stored?.data?.eras);
    const newest = list.at(-1);
    if (peers !== undefined && newest !== undefined) {
      const serving = (await peers.newest()).filter(({ identity, era }) => era === newest.id || identity === newest.by);
      const others = serving.filter(({ name }) => name !== peers.own.name);
      if (newest.by === peers.own.identity || others.some(({ renewed }) => renewed)) return await joined(list, peers);
      if (others.length > 0) {
        // One that was killed, or one that lives: its next renewal tells, or its end.
        await clock.sleep(lookAgain, signal);
        start = Number((await client.list(configMaps, { namespace: key.namespace, limit: 1 })).metadata.resourceVersion ?? start);
        continue;
      }
    }
    const era = { id: randomUUID(), start, ...(peers === undefined ? {} : { by: peers.own.identity }) };
    const data = { eras: JSON.stringify([...list, era].slice(-kept)) };
    try {
      if (stored === undefined) await client.create(configMaps, { metadata: key, data });
      else await client.update(configMaps, { ...stored, data });
      return await joined([...list, era], peers);
    } catch (error) {
      const raced = hasReason(error, 'Conflict') || hasReason(error, 'AlreadyExists');
      if (!raced || ++conflicts >= attempts) throw error;
    }
  }
}

async function joined(list: readonly Era[], peers: Peers | undefined): Promise<Eras> {
  const eras = erasOf(list.slice(-kept));
  await peers?.serve(eras.current);
  return eras;
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
