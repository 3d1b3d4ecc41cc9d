/**
 * Events as `kubectl describe` shows them: told in passing, written in the background, counted and not repeated.
 * The same (reporter, object, type, reason, message) is one Event whose name follows from these, so that also another process, or
 * the same one after a restart, counts on; many that differ in their message alone are combined into one. An object that is talked
 * about too often is talked about less; nothing that happens here fails or holds up the caller.
 */
import { createHash } from 'node:crypto';
import type { KubernetesObject } from '#api/object';
import { events } from '#api/shapes/resources';
import type { Event, ObjectReference } from '#api/shapes/types/core-v1';
import { type Clock, formatTime } from '#base/clock';
import { hasReason, messageOf } from '#base/errors';
import { isAbort, type Runnable } from '#base/lifecycle';
import type { Logger } from '#base/logging';
import type { Client } from './client.ts';
import { createWorkQueue, type WorkQueue } from './workqueue.ts';

export type EventType = 'Normal' | 'Warning';

export interface EventRecorder extends Runnable {
  /** Tells of something that happened to `object`. Returns at once and never throws. */
  event(object: KubernetesObject | ObjectReference, type: EventType, reason: string, message: string): void;
}

export interface EventRecorderOptions {
  /** Who reports: `default-scheduler`, `deployment-controller`, … */
  readonly component: string;
  readonly clock: Clock;
  readonly log: Logger;
}

/** What `involvedObject` says of an object. */
export function referenceTo(object: KubernetesObject): ObjectReference {
  const { namespace, name, uid, resourceVersion } = object.metadata;
  return {
    apiVersion: object.apiVersion,
    kind: object.kind,
    ...(namespace === undefined ? {} : { namespace }),
    ...(name === undefined ? {} : { name }),
    ...(uid === undefined ? {} : { uid }),
    ...(resourceVersion === undefined ? {} : { resourceVersion }),
  };
}

const writers = 8;
const mostPending = 20_000;
const messageLimit = 1024;
/** As many may be told of one object at once; after that one more every five minutes. */
const burst = 25;
const refill = 300_000;
/** More than this many messages for one (object, reason) within ten minutes are combined. */
const similarLimit = 10;
const similarWindow = 600_000;
/** What was not heard of for this long is forgotten here (not in the store). */
const memory = 3_600_000;

export function createEventRecorder(client: Client, options: EventRecorderOptions): EventRecorder {
  return new BackgroundRecorder(client, options);
}

interface Entry {
  readonly namespace: string;
  readonly name: string;
  readonly involved: ObjectReference;
  readonly type: EventType;
  readonly reason: string;
  readonly message: string;
  /** Occurrences not yet written. */
  pending: number;
  /** Occurrences as the store has them; undefined: not known. */
  written: number | undefined;
  first: number;
  last: number;
}

interface Budget {
  tokens: number;
  at: number;
}

interface Similar {
  readonly messages: Set<string>;
  since: number;
}

class BackgroundRecorder implements EventRecorder {
  readonly name: string;
  readonly #client: Client;
  readonly #options: EventRecorderOptions;
  readonly #queue: WorkQueue;
  readonly #entries = new Map<string, Entry>();
  readonly #budgets = new Map<string, Budget>();
  readonly #similar = new Map<string, Similar>();
  #dropped = 0;
  #swept = 0;

  constructor(client: Client, options: EventRecorderOptions) {
    this.name = `events of ${options.component}`;
    this.#client = client;
    this.#options = options;
    this.#queue = createWorkQueue({ clock: options.clock, backoff: { initial: 500, maximum: 30_000 } });
  }

  event(object: KubernetesObject | ObjectReference, type: EventType, reason: string, given: string): void {
    const { clock, component, log } = this.#options;
    const involved = 'metadata' in object ? referenceTo(object) : object;
    const now = clock.now();
    this.#sweep(now);
    const subject = `${involved.kind} ${involved.namespace ?? ''}/${involved.name ?? ''} ${involved.uid ?? ''}`;
    let message = given.length > messageLimit ? `${given.slice(0, messageLimit - 1)}…` : given;
    let identity = message;
    if (this.#tooManySimilar(`${subject} ${type} ${reason}`, message, now)) {
      identity = '(combined)';
      message = `(combined from similar events): ${message}`.slice(0, messageLimit);
    }
    if (!this.#afford(subject, now)) {
      log.debug('event not written, the object has too many', { subject, reason });
      return;
    }
    const hash = createHash('sha256').update([component, subject, type, reason, identity].join('\n')).digest('hex').slice(0, 16);
    // 0 sorts before the times with which nodes' events begin: what placed a pod comes before what ran it, within one second too.
    const name = `${(involved.name ?? 'unknown').slice(0, 253 - 17)}.0${hash.slice(1)}`;
    const namespace = involved.namespace === undefined || involved.namespace === '' ? 'default' : involved.namespace;
    const key = `${namespace}/${name}`;
    const known = this.#entries.get(key);
    if (known === undefined && this.#queue.length >= mostPending) {
      if (this.#dropped++ % 1000 === 0) log.warn('events are dropped, the API server takes them too slowly', { dropped: this.#dropped });
      return;
    }
    this.#entries.set(key, {
      namespace,
      name,
      involved,
      type,
      reason,
      message,
      pending: (known?.pending ?? 0) + 1,
      written: known?.written,
      first: known?.first ?? now,
      last: now,
    });
    this.#queue.add(key);
  }

  run(signal: AbortSignal): Promise<void> {
    return this.#queue.process(writers, (key) => this.#write(key, signal), signal);
  }

  async #write(key: string, signal: AbortSignal): Promise<void> {
    const entry = this.#entries.get(key);
    if (entry === undefined || entry.pending === 0) return;
    const count = entry.pending;
    try {
      const written = await this.#store(entry, count);
      const now = this.#entries.get(key);
      if (now !== undefined) {
        now.pending -= count;
        now.written = written;
      }
      this.#queue.forget(key);
    } catch (error) {
      if (signal.aborted || isAbort(error)) return;
      const final =
        hasReason(error, 'Forbidden') || hasReason(error, 'Invalid') || hasReason(error, 'NotFound') || this.#queue.failures(key) >= 8;
      const now = this.#entries.get(key);
      // A namespace that is going away takes no more events; that is no fault of anyone.
      const level = hasReason(error, 'Forbidden') || hasReason(error, 'NotFound') ? 'debug' : 'warn';
      this.#options.log[level]('cannot write an event', { event: key, reason: entry.reason, error: messageOf(error), final });
      if (final && now !== undefined) {
        now.pending = 0;
        this.#queue.forget(key);
      } else {
        if (now !== undefined) now.written = undefined;
        this.#queue.retry(key);
      }
    }
  }

  /** Writes `count` more occurrences; gives how many the store has now. */
  async #store(entry: Entry, count: number): Promise<number> {
    const { namespace, name } = entry;
    if (entry.written === undefined) {
      try {
        await this.#client.create(events, this.#draft(entry, count));
        return count;
      } catch (error) {
        if (!hasReason(error, 'AlreadyExists')) throw error;
      }
      const present = await this.#client.find(events, { namespace, name });
      entry.written = present?.count ?? 0;
    }
    const total = entry.written + count;
    try {
      await this.#client.patch(events, { namespace, name }, 'merge', {
        count: total,
        lastTimestamp: formatTime(entry.last),
        message: entry.message,
      });
      return total;
    } catch (error) {
      if (!hasReason(error, 'NotFound')) throw error;
      // It expired since; this occurrence begins a new one.
      await this.#client.create(events, this.#draft({ ...entry, first: entry.last }, count));
      return count;
    }
  }

  #draft(entry: Entry, count: number): Omit<Event, 'apiVersion' | 'kind'> {
    const { component } = this.#options;
    return {
      metadata: { name: entry.name, namespace: entry.namespace },
      involvedObject: entry.involved,
      type: entry.type,
      reason: entry.reason,
      message: entry.message,
      count,
      firstTimestamp: formatTime(entry.first),
      lastTimestamp: formatTime(entry.last),
      source: { component },
      reportingComponent: component,
      reportingInstance: '',
    };
  }

  #tooManySimilar(key: string, message: string, now: number): boolean {
    let similar = this.#similar.get(key);
    if (similar === undefined || now - similar.since > similarWindow) {
      similar = { messages: new Set(), since: now };
      this.#similar.set(key, similar);
    }
    if (similar.messages.has(message)) return false;
    if (similar.messages.size >= similarLimit) return true;
    similar.messages.add(message);
    return false;
  }

  #afford(subject: string, now: number): boolean {
    const budget = this.#budgets.get(subject) ?? { tokens: burst, at: now };
    budget.tokens = Math.min(burst, budget.tokens + Math.max(0, now - budget.at) / refill);
    budget.at = now;
    this.#budgets.set(subject, budget);
    if (budget.tokens < 1) return false;
    budget.tokens -= 1;
    return true;
  }

  /** Once a minute, forgets what has long been quiet, so that memory stays bounded by what is talked about. */
  #sweep(now: number): void {
    if (now - this.#swept < 60_000) return;
    this.#swept = now;
    for (const [key, entry] of this.#entries) if (entry.pending === 0 && now - entry.last > memory) this.#entries.delete(key);
    for (const [key, budget] of this.#budgets) if (budget.tokens + (now - budget.at) / refill >= burst) this.#budgets.delete(key);
    for (const [key, similar] of this.#similar) if (now - similar.since > similarWindow) this.#similar.delete(key);
  }
}
