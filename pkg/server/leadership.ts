/**
 * What only one of several servers over a store may do at a time: scheduling, controllers. The leader holds a Lease in kube-system. Before it
 * begins it writes a key of its own, the fence, which every later write of its work compares: so nothing that a former leader
 * still has under way is done once the next has begun, however long it slept. Lost leadership ends the work, not the process.
 */
import { randomUUID } from 'node:crypto';
import { leases } from '#api/shapes/resources';
import { backoffDelay } from '#base/backoff';
import type { Clock } from '#base/clock';
import type { Runnable } from '#base/lifecycle';
import type { Logger } from '#base/logging';
import type { Client } from '#client/client';
import { runAsLeader } from '#client/leader-lease';
import { type Backend, type Compare, OutcomeUnknownError, type Revision } from '#storage/backend';
import { internalKey, objectKey } from '#storage/keys';
import { encodeJson } from '#storage/values';

export interface LeadershipOptions {
  /** Of the Lease, in kube-system. */
  readonly name: string;
  /** No other server, and no other start of this one, has it. */
  readonly identity: string;
  readonly client: Client;
  readonly backend: Backend;
  readonly clock: Clock;
  readonly log: Logger;
}

/** A leader that is killed is replaced within this and two attempts (milliseconds), which is below 15 s. */
const lease = 10_000;
const retry = 2_000;
const readBack = { initial: 50, maximum: 1_000 };

/** `work` runs while this server leads; its writes must carry the fence. */
export function whileLeading(options: LeadershipOptions, work: (signal: AbortSignal, fence: Compare) => Promise<void>): Runnable {
  const { name, identity, client, backend, clock, log } = options;
  const key = internalKey('leaders', name);
  let revision: Revision | undefined;
  return runAsLeader(
    client,
    {
      namespace: 'kube-system',
      name,
      identity,
      clock,
      log,
      leaseMilliseconds: lease,
      retryMilliseconds: retry,
      fence: async (token) => {
        const holds = { key: objectKey(leases, token), revision: Number(token.resourceVersion) };
        revision = await raise(backend, key, holds, clock);
        return revision !== undefined;
      },
    },
    async (signal) => {
      if (revision === undefined) throw new Error(`${name} is led without a fence`);
      await work(signal, { key, revision });
    },
  );
}

/** Puts the fence while `holds` does; gives its revision, undefined when it does not hold. */
async function raise(backend: Backend, key: string, holds: Compare, clock: Clock): Promise<Revision | undefined> {
  const value = encodeJson({ raised: randomUUID() });
  for (let attempt = 0; ; attempt++) {
    try {
      const result = await backend.commit({ compare: [holds], ops: [{ type: 'put', key, value }] });
      return result.committed ? result.revision : undefined;
    } catch (error) {
      if (!(error instanceof OutcomeUnknownError) || attempt > 5) throw error;
      await clock.sleep(backoffDelay(readBack, attempt));
      const { item } = await backend.get(key);
      if (item !== undefined && Buffer.compare(item.value, value) === 0) return item.revision;
    }
  }
}
