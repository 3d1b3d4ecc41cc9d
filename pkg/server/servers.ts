/** What a server needs that is one of several over a store: its name among them, who leads, and the endpoints of them all. */
import { randomUUID } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { readOptional, writeAtomically } from '#apiserver/auth/pki';
import { publishServers } from '#apiserver/bootstrap';
import { backoffDelay } from '#base/backoff';
import type { Clock } from '#base/clock';
import { messageOf } from '#base/errors';
import type { Runnable } from '#base/lifecycle';
import type { Logger } from '#base/logging';
import type { Client } from '#client/client';
import type { Backend, Compare } from '#storage/backend';
import { whileLeading } from './leadership.ts';
import { type Member, Membership } from './membership.ts';

export interface ServersOptions {
  /** `$BERTH_HOME`, where the server keeps its name. */
  readonly home: string;
  /** For the user `system:berth:server`. */
  readonly client: Client;
  readonly backend: Backend;
  readonly clock: Clock;
  readonly log: Logger;
}

export interface Servers {
  readonly membership: Membership;
  /** To be run after `enter`. */
  readonly parts: readonly Runnable[];
  /** Runs the work of one Lease while this server holds it. */
  lead(lease: string, work: (signal: AbortSignal, fence: Compare) => Promise<void>): Runnable;
  /** Says that this server is there, and where. */
  enter(place: Pick<Member, 'address' | 'port' | 'agents'>): Promise<void>;
}

export async function joinServers({ home, client, backend, clock, log }: ServersOptions): Promise<Servers> {
  const name = await nameOf(home);
  const identity = `${hostname()}_${randomUUID()}`;
  const membership = new Membership({ client, clock, log, own: { name, identity } });
  return {
    membership,
    parts: [membership, endpointsOf(membership, client, clock, log)],
    lead: (lease, work) => whileLeading({ name: lease, identity, client, backend, clock, log }, work),
    enter: async (place) => {
      await membership.join(place);
      await publishServers(client, await membership.newest());
    },
  };
}

/** The same at each start. */
async function nameOf(home: string): Promise<string> {
  const folder = join(home, 'server');
  const path = join(folder, 'name');
  const known = await readOptional(path);
  if (known !== undefined) return known.trim();
  const name = `berth-server-${randomUUID().slice(0, 8)}`;
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await writeAtomically(path, `${name}\n`, 0o600);
  return name;
}

/** Keeps the endpoints of the Service `kubernetes` at what servers there are. All servers do, and write the same. */
function endpointsOf(membership: Membership, client: Client, clock: Clock, log: Logger): Runnable {
  return {
    name: 'endpoints of the servers',
    run: async (signal) => {
      let wake: () => void = () => undefined;
      const stop = membership.onChange(() => wake());
      let failures = 0;
      while (!signal.aborted) {
        const woken = new Promise<void>((resolve) => {
          wake = resolve;
        });
        signal.addEventListener('abort', wake, { once: true });
        try {
          await publishServers(client, await membership.newest());
          failures = 0;
          await woken;
        } catch (error) {
          if (signal.aborted) break;
          log.warn('the endpoints of the servers could not be written', { error: messageOf(error) });
          await clock.sleep(backoffDelay({ initial: 200, maximum: 5_000 }, failures++), signal).catch(() => undefined);
        }
        signal.removeEventListener('abort', wake);
      }
      stop();
    },
  };
}
