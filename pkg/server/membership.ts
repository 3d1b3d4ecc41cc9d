/**
 * The servers over one store. Each holds a Lease in kube-system, renews it, and removes the Leases of those that have not renewed theirs for
 * 15 s; one that ends in order removes its own. So who is there is what is stored, the same for all, and is followed by a watch.
 * Invariant: nobody's Lease is removed but on this process's own monotonic clock, over a time in which it could itself renew.
 */
import { leases } from '#api/shapes/resources';
import type { Lease } from '#api/shapes/types/coordination-v1';
import { type Clock, formatMicroTime } from '#base/clock';
import { hasReason, messageOf } from '#base/errors';
import { type Runnable, runAll } from '#base/lifecycle';
import type { Logger } from '#base/logging';
import type { Client } from '#client/client';
import { createInformer, type Informer } from '#client/informer';

export interface Member {
  /** Kept over restarts. */
  readonly name: string;
  /** Of this start of it. */
  readonly identity: string;
  /** Where its API is reached: an address, without the port. */
  readonly address: string;
  readonly port: number;
  /** `host:port` that agents dial; undefined: it has no dispatcher. */
  readonly agents: string | undefined;
  /** Of the store, in which it serves agents; empty: in none yet. */
  readonly era: string;
  /** Whether it was seen to renew its Lease, or to take it: one that is only there may be dead already. */
  readonly renewed: boolean;
}

export interface MembershipOptions {
  readonly client: Client;
  readonly clock: Clock;
  readonly log: Logger;
  readonly own: Pick<Member, 'name' | 'identity'>;
  /** 5 s unless given. */
  readonly renewMilliseconds?: number;
  /** 15 s unless given. */
  readonly leaseMilliseconds?: number;
}

const namespace = 'kube-system';
const label = 'berth.dev/server';
const annotations = { address: 'berth.dev/address', port: 'berth.dev/port', agents: 'berth.dev/agents', era: 'berth.dev/era' };
/** Milliseconds that removing the own Lease may take at the end. */
const leaveWithin = 2_000;

export class Membership implements Runnable {
  readonly name = 'membership';
  readonly own: Pick<Member, 'name' | 'identity'>;
  readonly #options: MembershipOptions;
  readonly #informer: Informer<Lease>;
  readonly #seen = new Map<string, { version: string; at: number; renewed: boolean }>();
  readonly #listeners = new Set<() => void>();
  readonly #lost = new Set<() => void>();
  #place: Pick<Member, 'address' | 'port' | 'agents'> = { address: '', port: 0, agents: undefined };
  #era = '';
  #lease: Lease | undefined;
  /** Since when every renewal of our own has succeeded; on the monotonic clock. */
  #well = 0;

  constructor(options: MembershipOptions) {
    this.#options = options;
    this.own = options.own;
    const { client, clock, log } = options;
    this.#informer = createInformer(client, leases, { namespace, labelSelector: label, clock, log });
    this.#informer.onChange(({ type, object, old }) => this.#note(type, object, old));
  }

  /** This server and the others, by name, as far as the watch has come. */
  get members(): readonly Member[] {
    return this.#membersOf(this.#informer.list());
  }

  /** The same, as of every write that was acknowledged before the call. */
  async newest(): Promise<readonly Member[]> {
    const { items } = await this.#options.client.list(leases, { namespace, labelSelector: label });
    return this.#membersOf(items);
  }

  /** `listener` is called when servers have come, gone, or changed. Gives back how to stop it. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** `listener` is called when another has taken this server for dead. */
  onLost(listener: () => void): void {
    this.#lost.add(listener);
  }

  /** Takes the Lease, which one of an earlier start may hold. To be called before `run`. */
  async join(place: Pick<Member, 'address' | 'port' | 'agents'>): Promise<void> {
    this.#place = place;
    await this.#write();
    this.#well = this.#options.clock.monotonic();
  }

  /** Says in which era this server serves agents. */
  async serve(era: string): Promise<void> {
    this.#era = era;
    await this.#write();
  }

  async run(signal: AbortSignal): Promise<void> {
    await runAll([this.#informer, { name: 'lease of this server', run: (inner) => this.#keep(inner) }], signal);
  }

  async #keep(signal: AbortSignal): Promise<void> {
    const { clock, log, renewMilliseconds = 5_000 } = this.#options;
    while (!signal.aborted) {
      await clock.sleep(renewMilliseconds, signal).catch(() => undefined);
      if (signal.aborted) break;
      const well = this.#well;
      // Until this has succeeded nobody is taken for dead: the store may have been away for all.
      this.#well = Number.POSITIVE_INFINITY;
      try {
        await this.#write();
        this.#well = Math.min(well, clock.monotonic());
        await this.#removeDead();
      } catch (error) {
        // Said once an outage, not at each attempt.
        log[Number.isFinite(well) ? 'warn' : 'debug']('the lease of this server could not be renewed', { error: messageOf(error) });
      }
    }
    await Promise.race([this.#leave(), clock.sleep(leaveWithin)]);
  }

  async #write(): Promise<void> {
    const { client, clock, log, leaseMilliseconds = 15_000 } = this.#options;
    const { name, identity } = this.own;
    const { address, port, agents } = this.#place;
    const key = { namespace, name };
    const spec = {
      holderIdentity: identity,
      leaseDurationSeconds: Math.ceil(leaseMilliseconds / 1000),
      renewTime: formatMicroTime(clock.now()),
    };
    const metadata = {
      ...key,
      labels: { [label]: 'true' },
      annotations: {
        [annotations.address]: address,
        [annotations.port]: String(port),
        ...(agents === undefined ? {} : { [annotations.agents]: agents }),
        ...(this.#era === '' ? {} : { [annotations.era]: this.#era }),
      },
    };
    const before = this.#lease;
    if (before !== undefined) {
      try {
        const { resourceVersion = '', uid = '' } = before.metadata;
        this.#lease = await client.update(leases, {
          ...before,
          metadata: { ...metadata, resourceVersion, uid },
          spec: { ...before.spec, ...spec },
        });
        return;
      } catch (error) {
        if (!hasReason(error, 'Conflict') && !hasReason(error, 'NotFound')) throw error;
      }
    }
    const present = await client.find(leases, key);
    this.#lease =
      present === undefined
        ? await client.create(leases, { metadata, spec })
        : await client.update(leases, { ...present, metadata: { ...present.metadata, ...metadata }, spec: { ...present.spec, ...spec } });
    if (before === undefined) return;
    if (present === undefined) {
      log.warn('this server was taken for dead, and is back');
      for (const listener of this.#lost) listener();
    } else if (present.spec?.holderIdentity !== identity) {
      log.error('another server has the same name: give each a $BERTH_HOME of its own', { name, other: present.spec?.holderIdentity });
    }
  }

  async #removeDead(): Promise<void> {
    const { client, clock, log, leaseMilliseconds = 15_000 } = this.#options;
    for (const lease of this.#informer.list()) {
      const name = nameOf(lease);
      const seen = this.#seen.get(name);
      if (name === this.own.name || seen === undefined) continue;
      if (clock.monotonic() - Math.max(seen.at, this.#well) < leaseMilliseconds) continue;
      const { uid = '', resourceVersion = '' } = lease.metadata;
      log.warn('a server has not renewed its lease and is taken for dead', { server: name, holder: lease.spec?.holderIdentity });
      await client.delete(leases, { namespace, name }, { preconditions: { uid, resourceVersion } }).catch((error: unknown) => {
        if (!hasReason(error, 'Conflict') && !hasReason(error, 'NotFound')) throw error;
      });
    }
  }

  async #leave(): Promise<void> {
    const uid = this.#lease?.metadata.uid ?? '';
    try {
      await this.#options.client.delete(leases, { namespace, name: this.own.name }, { preconditions: { uid } });
    } catch (error) {
      this.#options.log.info('the lease of this server could not be removed and will run out', { error: messageOf(error) });
    }
  }

  #membersOf(list: readonly Lease[]): readonly Member[] {
    return list
      .map((lease) => {
        const seen = this.#seen.get(nameOf(lease));
        return memberOf(lease, seen !== undefined && (seen.renewed || seen.version !== lease.metadata.resourceVersion));
      })
      .toSorted((a, b) => (a.name < b.name ? -1 : 1));
  }

  #note(type: 'ADDED' | 'MODIFIED' | 'DELETED', lease: Lease, old: Lease | undefined): void {
    const name = nameOf(lease);
    const wasRenewed = this.#seen.get(name)?.renewed ?? false;
    const renewed = type !== 'DELETED' && (this.#informer.hasSynced || name === this.own.name);
    if (type === 'DELETED') this.#seen.delete(name);
    else this.#seen.set(name, { version: lease.metadata.resourceVersion ?? '', at: this.#options.clock.monotonic(), renewed });
    const before = old === undefined ? undefined : memberOf(old, wasRenewed);
    const after = type === 'DELETED' ? undefined : memberOf(lease, renewed);
    if (JSON.stringify(before) !== JSON.stringify(after)) for (const listener of this.#listeners) listener();
  }
}

function nameOf(lease: Lease): string {
  return lease.metadata.name ?? '';
}

function memberOf(lease: Lease, renewed: boolean): Member {
  const noted = lease.metadata.annotations ?? {};
  return {
    name: nameOf(lease),
    identity: lease.spec?.holderIdentity ?? '',
    address: noted[annotations.address] ?? '',
    port: Number(noted[annotations.port] ?? 0),
    agents: noted[annotations.agents],
    era: noted[annotations.era] ?? '',
    renewed,
  };
}
