/**
 * One leader among equals, by a Lease (coordination.k8s.io/v1) that the leader renews. Whether a Lease has run out is judged on the
 * observer's own monotonic clock from when it last saw it change, so clocks that differ do no harm; the holder stops its work before
 * another may begin. A pause of the whole process can still outlast that: hence the token, which a store can compare.
 */
import { leases } from '#api/shapes/resources';
import type { Lease } from '#api/shapes/types/coordination-v1';
import { type Clock, formatMicroTime } from '#base/clock';
import { hasReason, messageOf } from '#base/errors';
import { aborted, type Runnable } from '#base/lifecycle';
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
  /**
   * Makes former leaders' writes fail, before `work` begins; false when the Lease is no longer as `token` says. What it throws is logged, and the
   * Lease is campaigned for again.
   */
  readonly fence?: (token: FencingToken) => Promise<boolean>;
}

/** Tells one leadership from every other: a write that carries it can be refused once the Lease has passed on. */
export interface FencingToken {
  readonly namespace: string;
  readonly name: string;
  readonly holder: string;
  /** Grows by one with each change of holder. */
  readonly transitions: number;
  /** The Lease's resourceVersion when it was taken. */
  readonly resourceVersion: string;
}

/**
 * Campaigns until the signal aborts; while it leads, `work` runs, with a signal of its own that aborts when leadership is lost.
 * Lost leadership is no failure: it campaigns again once `work` has ended. What `work` throws while it leads ends the run.
 */
export function runAsLeader(
  client: Client,
  options: LeaderLeaseOptions,
  work: (signal: AbortSignal, token: FencingToken) => Promise<void>,
): Runnable {
  return { name: `leader of ${options.name}`, run: (signal) => new Candidate(client, options).run(work, signal) };
}

/** Milliseconds that giving up the Lease may take at the end. */
const releaseWithin = 2_000;

interface Held {
  readonly lease: Lease;
  /** On the monotonic clock, from before it was asked for: that is what others can have seen at the latest. */
  readonly since: number;
}

class Candidate {
  readonly #client: Client;
  readonly #options: LeaderLeaseOptions;
  readonly #lease: number;
  readonly #deadline: number;
  readonly #retry: number;
  /** Why the last attempt failed. */
  #failing = '';
  #observed: { readonly version: string; readonly at: number } | undefined;

  constructor(client: Client, options: LeaderLeaseOptions) {
    this.#client = client;
    this.#options = options;
    this.#lease = options.leaseMilliseconds ?? 15_000;
    this.#deadline = options.renewDeadlineMilliseconds ?? (this.#lease * 2) / 3;
    this.#retry = options.retryMilliseconds ?? 2_000;
  }

  async run(work: (signal: AbortSignal, token: FencingToken) => Promise<void>, signal: AbortSignal): Promise<void> {
    const { log, identity } = this.#options;
    while (!signal.aborted) {
      const held = await unlessAborted(this.#attempt(), signal);
      const token = held === undefined ? undefined : this.#token(held.lease);
      if (held !== undefined && token !== undefined && (await this.#fence(held, token))) {
        log.info('leading', { lease: this.#options.name, identity, transitions: token.transitions });
        await this.#lead(held, (inner) => work(inner, token), signal);
        if (!signal.aborted) log.warn('leadership lost', { lease: this.#options.name, identity });
        continue;
      }
      await this.#free(signal);
    }
  }

  async #fence(held: Held, token: FencingToken): Promise<boolean> {
    const { fence, clock, log, name } = this.#options;
    try {
      if (fence !== undefined && !(await fence(token))) return false;
    } catch (error) {
      log.warn('cannot begin to lead', { lease: name, error: messageOf(error) });
      return false;
    }
    return clock.monotonic() - held.since < this.#deadline;
  }

  /** Until the next attempt is due, or the Lease is given up. */
  async #free(signal: AbortSignal): Promise<void> {
    const { clock, namespace, name } = this.#options;
    const over = new AbortController();
    const inner = AbortSignal.any([signal, over.signal]);
    const given = (async () => {
      const selection = { namespace, fieldSelector: `metadata.name=${name}`, resourceVersion: this.#observed?.version ?? '' };
      if (selection.resourceVersion === '') return await aborted(inner);
      for await (const { type, object } of this.#client.watch(leases, selection, inner)) {
        if (type === 'DELETED' || (type !== 'BOOKMARK' && (object.spec?.holderIdentity ?? '') === '')) return;
      }
      await aborted(inner);
    })().catch(() => aborted(inner));
    await Promise.race([given, clock.sleep(this.#retry, inner).catch(() => undefined)]);
    over.abort();
  }

  async #lead(held: Held, work: (signal: AbortSignal) => Promise<void>, signal: AbortSignal): Promise<void> {
    const lost = new AbortController();
    const inner = AbortSignal.any([signal, lost.signal]);
    const renewing = this.#renew(held, inner, () => lost.abort());
    try {
      await work(inner);
      if (!inner.aborted) throw new Error(`what ${this.#options.name} leads ended without being asked to`);
    } catch (error) {
      if (signal.aborted || !lost.signal.aborted) throw error;
      this.#options.log.warn('what was led failed while it stopped', { lease: this.#options.name, error: messageOf(error) });
    } finally {
      const wasLost = lost.signal.aborted;
      lost.abort();
      const last = await renewing;
      if (!wasLost) await Promise.race([this.#release(last), this.#options.clock.sleep(releaseWithin)]);
    }
  }

  /** Renews until the signal aborts; `lost` is called when it could not in time, whatever the store does then, or when another has it. Gives the Lease as it last held it. */
  async #renew(held: Held, signal: AbortSignal, lost: () => void): Promise<Lease> {
    const { clock, log } = this.#options;
    let { lease } = held;
    const expiry = (since: number): { cancel(): void } => clock.schedule(Math.max(0, since + this.#deadline - clock.monotonic()), lost);
    let timer = expiry(held.since);
    try {
      while (!signal.aborted) {
        await clock.sleep(this.#retry, signal).catch(() => undefined);
        if (signal.aborted) return lease;
        const asked = clock.monotonic();
        try {
          const renewed = await unlessAborted(this.#client.update(leases, this.#renewed(lease)), signal);
          if (renewed === undefined) return lease;
          lease = renewed;
          timer.cancel();
          if (!signal.aborted) timer = expiry(asked);
        } catch (error) {
          log.warn('cannot renew the lease', { lease: this.#options.name, error: messageOf(error) });
          if (hasReason(error, 'Conflict') || hasReason(error, 'NotFound')) {
            const present = await this.#client.find(leases, this.#options).catch(() => lease);
            if (present?.spec?.holderIdentity !== this.#options.identity) {
              lost();
              return lease;
            }
            lease = present;
          }
        }
      }
      return lease;
    } finally {
      timer.cancel();
    }
  }

  /** Takes the Lease if it is free; undefined when it is not, or nobody can tell. */
  async #attempt(): Promise<Held | undefined> {
    const { clock, log, namespace, name, identity } = this.#options;
    const since = clock.monotonic();
    try {
      const lease = await this.#client.find(leases, { namespace, name });
      if (lease === undefined) {
        const now = formatMicroTime(clock.now());
        const made = await this.#client.create(leases, {
          metadata: { namespace, name },
          spec: { ...this.#spec(), acquireTime: now, renewTime: now, leaseTransitions: 0 },
        });
        return { lease: made, since };
      }
      const version = lease.metadata.resourceVersion ?? '';
      if (this.#observed?.version !== version) this.#observed = { version, at: clock.monotonic() };
      const holder = lease.spec?.holderIdentity ?? '';
      const duration = (lease.spec?.leaseDurationSeconds ?? this.#lease / 1000) * 1000;
      if (holder !== '' && holder !== identity && clock.monotonic() - this.#observed.at < duration) return undefined;
      const now = formatMicroTime(clock.now());
      const taken = await this.#client.update(leases, {
        ...lease,
        spec: { ...this.#spec(), acquireTime: now, renewTime: now, leaseTransitions: (lease.spec?.leaseTransitions ?? 0) + 1 },
      });
      this.#failing = '';
      return { lease: taken, since };
    } catch (error) {
      if (!hasReason(error, 'Conflict') && !hasReason(error, 'AlreadyExists')) {
        const message = messageOf(error);
        // Said once, not at each attempt.
        log[message === this.#failing ? 'debug' : 'warn']('cannot take the lease', { lease: name, error: message });
        this.#failing = message;
      }
      return undefined;
    }
  }

  /** Gives the Lease up, so that the next need not wait for it to run out. */
  async #release(lease: Lease): Promise<void> {
    const given = (held: Lease): Lease => ({ ...held, spec: { ...held.spec, holderIdentity: '', leaseDurationSeconds: 1 } });
    try {
      await this.#client.update(leases, given(lease)).catch(async (error: unknown) => {
        // A renewal that was on its way came first.
        const present = hasReason(error, 'Conflict') ? await this.#client.find(leases, this.#options) : undefined;
        if (present?.spec?.holderIdentity !== this.#options.identity) throw error;
        await this.#client.update(leases, given(present));
      });
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
    return {
      namespace,
      name,
      holder: identity,
      transitions: lease.spec?.leaseTransitions ?? 0,
      resourceVersion: lease.metadata.resourceVersion ?? '',
    };
  }
}

/** What the work gives; undefined if the signal aborts first, whatever becomes of the work then. */
async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T | undefined> {
  let onAbort: () => void = () => undefined;
  const gone = new Promise<undefined>((resolve) => {
    onAbort = () => resolve(undefined);
  });
  signal.addEventListener('abort', onAbort, { once: true });
  if (signal.aborted) onAbort();
  try {
    return await Promise.race([work, gone]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
