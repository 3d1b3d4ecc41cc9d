/**
 * One leader among equals, by a Lease (coordination.k8s.io/v1) that the leader renews. Whether a Lease has run out is judged on the
 * observer's own monotonic clock from when it last saw it change, so clocks that differ do no harm; the holder stops its work before
 * another may begin. A pause of the whole process can still outlast that: hence the token, which a store can compare.
 */
import { leases } from '#api/shapes/resources';
import type { Lease } from '#api/shapes/types/coordination-v1';
import { type Clock, formatMicroTime } from '#base/clock';
import { hasReason, messageOf } from '#base/errors';
import type { Runnable } from '#base/lifecycle';
import type { Logger } from '#base/logging';
import type { Client } from './client.ts';

export interface LeaderLeaseOptions {
  readonly namespace: string;
  readonly name: string;
  /** Names this candidate; no two may share it. */
  readonly identity: string;
  readonly clock: Clock;
  readonly log: Logger;
  /** A leader that has not renewed for this long may be replaced; 15 s unless given. */
  readonly leaseMilliseconds?: number;
  /** A leader that cannot renew stops its work after this long; two thirds of the lease unless given. */
  readonly renewDeadlineMilliseconds?: number;
  /** Time between attempts; 2 s unless given. */
  readonly retryMilliseconds?: number;
}

/** Tells one leadership from every other: a write that carries it can be refused once the Lease has passed on. */
export interface FencingToken {
  readonly namespace: string;
  readonly name: string;
  readonly holder: string;
  /** Grows by one with each change of holder. */
  readonly transitions: number;
}

/**
 * Campaigns until the signal aborts; while it leads, `work` runs, with a signal of its own that aborts when leadership is lost.
 * Lost leadership is no failure: it campaigns again once `work` has ended. What `work` throws ends the run.
 */
export function runAsLeader(
  client: Client,
  options: LeaderLeaseOptions,
  work: (signal: AbortSignal, token: FencingToken) => Promise<void>,
): Runnable {
  return { name: `leader of ${options.name}`, run: (signal) => new Candidate(client, options).run(work, signal) };
}

class Candidate {
  readonly #client: Client;
  readonly #options: LeaderLeaseOptions;
  readonly #lease: number;
  readonly #deadline: number;
  readonly #retry: number;
  #observed: { readonly version: string; readonly at: number } | undefined;

  constructor(client: Client, options: LeaderLeaseOptions) {
    this.#client = client;
    this.#options = options;
    this.#lease = options.leaseMilliseconds ?? 15_000;
    this.#deadline = options.renewDeadlineMilliseconds ?? (this.#lease * 2) / 3;
    this.#retry = options.retryMilliseconds ?? 2_000;
  }

  async run(work: (signal: AbortSignal, token: FencingToken) => Promise<void>, signal: AbortSignal): Promise<void> {
    const { clock, log, identity } = this.#options;
    while (!signal.aborted) {
      const held = await this.#attempt();
      if (held !== undefined) {
        const token = this.#token(held);
        log.info('leading', { lease: this.#options.name, identity, transitions: token.transitions });
        await this.#lead(held, (inner) => work(inner, token), signal);
        if (!signal.aborted) log.warn('leadership lost', { lease: this.#options.name, identity });
        continue;
      }
      await clock.sleep(this.#retry, signal).catch(() => undefined);
    }
  }

  async #lead(held: Lease, work: (signal: AbortSignal) => Promise<void>, signal: AbortSignal): Promise<void> {
    const lost = new AbortController();
    const inner = AbortSignal.any([signal, lost.signal]);
    const renewing = this.#renew(held, inner).finally(() => lost.abort());
    try {
      await work(inner);
      if (!inner.aborted) throw new Error(`what ${this.#options.name} leads ended without being asked to`);
    } finally {
      lost.abort();
      await this.#release(await renewing);
    }
  }

  /** Renews until it cannot, or the signal aborts; gives the Lease as it last held it, undefined when another has it. */
  async #renew(held: Lease, signal: AbortSignal): Promise<Lease | undefined> {
    const { clock, log } = this.#options;
    let lease: Lease = held;
    let renewed = clock.monotonic();
    while (!signal.aborted) {
      await clock.sleep(this.#retry, signal).catch(() => undefined);
      if (signal.aborted) return lease;
      // The lease counts from before the request was sent: that is what others can have seen at the latest.
      const asked = clock.monotonic();
      try {
        lease = await this.#client.update(leases, this.#renewed(lease));
        renewed = asked;
      } catch (error) {
        log.warn('cannot renew the lease', { lease: this.#options.name, error: messageOf(error) });
        if (hasReason(error, 'Conflict') || hasReason(error, 'NotFound')) {
          const present = await this.#client.find(leases, this.#options).catch(() => lease);
          if (present?.spec?.holderIdentity !== this.#options.identity) return undefined;
          lease = present;
        }
      }
      if (clock.monotonic() - renewed >= this.#deadline) return undefined;
    }
    return lease;
  }

  /** Takes the Lease if it is free; undefined when it is not, or nobody can tell. */
  async #attempt(): Promise<Lease | undefined> {
    const { clock, log, namespace, name, identity } = this.#options;
    try {
      const lease = await this.#client.find(leases, { namespace, name });
      if (lease === undefined) {
        const now = formatMicroTime(clock.now());
        return await this.#client.create(leases, {
          metadata: { namespace, name },
          spec: { ...this.#spec(), acquireTime: now, renewTime: now, leaseTransitions: 0 },
        });
      }
      const version = lease.metadata.resourceVersion ?? '';
      if (this.#observed?.version !== version) this.#observed = { version, at: clock.monotonic() };
      const holder = lease.spec?.holderIdentity ?? '';
      const duration = (lease.spec?.leaseDurationSeconds ?? this.#lease / 1000) * 1000;
      if (holder !== '' && holder !== identity && clock.monotonic() - this.#observed.at < duration) return undefined;
      const now = formatMicroTime(clock.now());
      return await this.#client.update(leases, {
        ...lease,
        spec: { ...this.#spec(), acquireTime: now, renewTime: now, leaseTransitions: (lease.spec?.leaseTransitions ?? 0) + 1 },
      });
    } catch (error) {
      if (!hasReason(error, 'Conflict') && !hasReason(error, 'AlreadyExists')) {
        log.warn('cannot take the lease', { lease: name, error: messageOf(error) });
      }
      return undefined;
    }
  }

  /** Gives the Lease up, so that the next need not wait for it to run out. */
  async #release(lease: Lease | undefined): Promise<void> {
    if (lease === undefined) return;
    try {
      await this.#client.update(leases, { ...lease, spec: { ...lease.spec, holderIdentity: '', leaseDurationSeconds: 1 } });
    } catch (error) {
      this.#options.log.info('the lease could not be given up and will run out', { lease: this.#options.name, error: messageOf(error) });
    }
  }

  #renewed(lease: Lease): Lease {
    return { ...lease, spec: { ...lease.spec, ...this.#spec(), renewTime: formatMicroTime(this.#options.clock.now()) } };
  }

  #spec(): { holderIdentity: string; leaseDurationSeconds: number } {
    return { holderIdentity: this.#options.identity, leaseDurationSeconds: Math.ceil(this.#lease / 1000) };
  }

  #token(lease: Lease): FencingToken {
    const { namespace, name, identity } = this.#options;
    return { namespace, name, holder: identity, transitions: lease.spec?.leaseTransitions ?? 0 };
  }
}
