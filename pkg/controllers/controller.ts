/**
 * The frame of every controller: changes of watched objects become keys in a queue, and `reconcile` is given a key, reads the world and
 * moves it one step. Invariant: a key is never reconciled twice at once, it sees all that its last reconcile wrote, and after an error, or
 * any number of lost events, it comes again. What a key means and what to do is the single controller's; where it can, as a pure plan.
 */
import { setMaxListeners } from 'node:events';
import { deepEqual } from '#api/equality';
import { groupResourceOf, type KubernetesObject, parseApiVersion, type ResourceType } from '#api/object';
import type { Clock } from '#base/clock';
import { messageOf, StatusError } from '#base/errors';
import type { Runnable } from '#base/lifecycle';
import { isAbort } from '#base/lifecycle';
import type { Logger } from '#base/logging';
import type { Client } from '#client/client';
import { createEventRecorder, type EventRecorder } from '#client/event-recorder';
import { type Informer, keyOf } from '#client/informer';
import type { InformerSet } from '#client/informer-set';
import { createWorkQueue, type WorkQueueObserver } from '#client/workqueue';
import { TrackingClient } from './tracking-client.ts';

/** What the wiring gives to all controllers of a process. */
export interface ControllerEnvironment {
  /** A client for this user; a controller's is `system:controller:<name>`. */
  clientFor(user: string): Client;
  /** Shared by all; the wiring runs it. */
  readonly informers: InformerSet;
  readonly clock: Clock;
  readonly log: Logger;
  /** Every resource that can be listed, watched and deleted: what namespace deletion and garbage collection go over. */
  resources(): readonly ResourceType[];
  /** PEM of the authority that signed the API server's certificate; without it pods are not told whom to trust. */
  readonly certificateAuthority?: string;
  /**
   * Signs a PEM request as it asks, for `seconds` or what is usual, at most a year; gives PEM. Throws `BadRequest` where the request is not signed by its own
   * key. Without it certificates that are asked for are made by nobody.
   */
  readonly signCertificate?: (
    request: string,
    options: { readonly usages: readonly string[]; readonly seconds?: number },
  ) => Promise<string>;
  /** The observer of the named queue (`createWorkQueueMetrics`); queues are not measured without it. */
  readonly metrics?: (queue: string) => WorkQueueObserver;
}

export interface Controller {
  readonly name: string;
  /** Asks for its informers at once; `run` waits until they have synced. */
  create(environment: ControllerEnvironment): Runnable;
}

export interface ReconcileContext {
  /** For the controller's own user. The next reconcile of the same key waits until the stores have seen what is written through it. */
  readonly client: Client;
  readonly events: EventRecorder;
  readonly clock: Clock;
  readonly log: Logger;
  readonly signal: AbortSignal;
  /** The shared store of a resource that the definition watches or reads; throws for another. */
  store<T extends KubernetesObject>(resource: ResourceType<T>): Informer<T>;
}

/** Nothing more to do until something changes, or look again after so many milliseconds. */
export type Outcome = undefined | { readonly after: number };

/** Turns changes of one resource into keys: made with `own`, `owned` or `mapped`. */
export interface Watch {
  readonly resource: ResourceType;
  attach(informers: InformerSet, enqueue: (key: string) => void): void;
}

export interface ControllerDefinition {
  /** `replicaset`: the user is `system:controller:replicaset`, its events come from `replicaset-controller`. */
  readonly name: string;
  /** How many keys are worked on at once; 4 unless given. */
  readonly workers?: number;
  watches(environment: ControllerEnvironment): readonly Watch[];
  /** Resources whose stores `reconcile` reads without being woken by them. */
  readonly reads?: readonly ResourceType[];
  /** Adds the indexes that `reconcile` and the watches ask for. */
  indexes?(informers: InformerSet): void;
  reconcile(key: string, context: ReconcileContext): Promise<Outcome>;
}

/** The key of the object itself. */
export function own<T extends KubernetesObject>(resource: ResourceType<T>): Watch {
  return mapped(resource, (object) => [keyOf(object)]);
}

/** The key of the object's controlling owner, where that is of this kind. */
export function owned<T extends KubernetesObject>(resource: ResourceType<T>, owner: ResourceType): Watch {
  return mapped(resource, (object) => {
    const reference = object.metadata.ownerReferences?.find((each) => each.controller === true);
    if (reference === undefined || reference.kind !== owner.kind || parseApiVersion(reference.apiVersion).group !== owner.group) return [];
    const { namespace } = object.metadata;
    return [keyOf({ metadata: { name: reference.name, ...(namespace === undefined ? {} : { namespace }) } })];
  });
}

/**
 * Any keys, had from the object as it is now and, when it changed, also as it was. `relevant` gives what of an object matters to the keys'
 * reconcile: a change of nothing of it is passed over.
 */
export function mapped<T extends KubernetesObject>(
  resource: ResourceType<T>,
  keys: (object: T, informers: InformerSet) => readonly string[],
  relevant?: (object: T) => unknown,
): Watch {
  return {
    resource,
    attach: (informers, enqueue) => {
      informers.for(resource).onChange(({ type, object, old }) => {
        const changed = type === 'MODIFIED' && old !== undefined ? old : undefined;
        if (changed !== undefined && relevant !== undefined && deepEqual(relevant(changed), relevant(object))) return;
        for (const key of keys(object, informers)) enqueue(key);
        if (changed !== undefined) for (const key of keys(changed, informers)) enqueue(key);
      });
    },
  };
}

const backoff = { initial: 10, maximum: 300_000 };
/** How long a reconcile waits for the stores to show its own last writes before it goes ahead without. */
const catchUp = 10_000;

export function defineController(definition: ControllerDefinition): Controller {
  return { name: definition.name, create: (environment) => createController(definition, environment) };
}

function createController(definition: ControllerDefinition, environment: ControllerEnvironment): Runnable {
  const { name } = definition;
  const { informers, clock } = environment;
  const client = environment.clientFor(`system:controller:${name}`);
  const log = environment.log.with({ controller: name });
  const events = createEventRecorder(client, { component: `${name}-controller`, clock, log });
  const observer = environment.metrics?.(name);
  const queue = createWorkQueue({ clock, backoff, ...(observer === undefined ? {} : { observer }) });
  const watches = definition.watches(environment);
  const readable = new Set<string>();
  for (const resource of [...watches.map((watch) => watch.resource), ...(definition.reads ?? [])]) {
    readable.add(groupResourceOf(resource));
    informers.for(resource);
  }
  definition.indexes?.(informers);
  for (const watch of watches) watch.attach(informers, (key) => queue.add(key));
  const store = <T extends KubernetesObject>(resource: ResourceType<T>): Informer<T> => {
    if (!readable.has(groupResourceOf(resource))) {
      throw new Error(`the ${name} controller neither watches nor reads ${groupResourceOf(resource)}: add it to its definition`);
    }
    return informers.for(resource);
  };
  const clients = new Map<string, TrackingClient>();

  const work = async (key: string, signal: AbortSignal): Promise<void> => {
    const tracking = clients.get(key) ?? new TrackingClient(client, informers);
    clients.set(key, tracking);
    try {
      if (!(await tracking.settled(clock, catchUp, signal))) log.warn('the stores are behind, going on with what they show', { key });
      const outcome = await definition.reconcile(key, { client: tracking, events, clock, log, signal, store });
      queue.forget(key);
      if (outcome !== undefined) queue.addAfter(key, outcome.after);
    } catch (error) {
      if (signal.aborted || isAbort(error)) return;
      log[levelOf(error)]('reconcile failed, trying again', { key, error: messageOf(error), failures: queue.failures(key) + 1 });
      queue.retry(key);
    } finally {
      if (!tracking.pending) clients.delete(key);
    }
  };

  return {
    name: `${name} controller`,
    run: async (signal) => {
      const stop = new AbortController();
      const inner = AbortSignal.any([signal, stop.signal]);
      setMaxListeners(0, inner);
      try {
        await informers.synced(inner);
      } catch (error) {
        if (signal.aborted) return;
        throw error;
      }
      const telling = events.run(inner);
      try {
        await queue.process(definition.workers ?? 4, (key) => work(key, inner), inner);
      } finally {
        stop.abort();
        await telling;
      }
    },
  };
}

/** What any busy cluster sees all day is not worth a warning. */
function levelOf(error: unknown): 'debug' | 'info' | 'warn' | 'error' {
  if (!(error instanceof StatusError)) return 'error';
  if (error.reason === 'Conflict' || error.reason === 'AlreadyExists' || error.reason === 'NotFound') return 'debug';
  return error.reason === 'Forbidden' || error.reason === 'Invalid' ? 'warn' : 'info';
}
