/**
 * Gives pods their nodes. It reads the world through informers, decides on its own snapshot, counts on its decisions before the API
 * shows them, and carries many out at once. Invariants: a pod is decided only while the API shows it without a node and no decision for it is
 * open, so none is bound twice; every pod without a node is in `PendingPods` or in a binding, so none is lost; and whoever waits has been
 * told why. After a restart all of this follows from the API again. Which node is the plugins' say.
 */

import { deepEqual } from '#api/equality';
import type { KubernetesObject, ResourceType } from '#api/object';
import { isTerminal } from '#api/pod-phase';
import { matchesSelector } from '#api/selector';
import { namespaces, nodes, persistentVolumeClaims, persistentVolumes, pods, storageClasses } from '#api/shapes/resources';
import type { Node, Pod } from '#api/shapes/types/core-v1';
import { backoffDelay } from '#base/backoff';
import type { Clock } from '#base/clock';
import { isAbort, type Runnable, runAll } from '#base/lifecycle';
import type { Logger } from '#base/logging';
import type { Client } from '#client/client';
import { createEventRecorder, type EventRecorder } from '#client/event-recorder';
import { type Change, type Informer, keyOf } from '#client/informer';
import type { InformerSet } from '#client/informer-set';
import { podsByNode } from '#client/pod-index';
import { Binder } from './binder.ts';
import { explainPlacement } from './explain.ts';
import type { Plugin } from './framework.ts';
import { type ParkedClass, type PendingPod, PendingPods, shapeOf } from './pending-pods.ts';
import { Placements } from './placement.ts';
import { plugins as allPlugins } from './plugins/index.ts';
import { nominationText, Preemptor } from './preemptor.ts';
import { RefusalReporter } from './refusal-reporter.ts';
import type { SchedulerMetrics } from './scheduler-metrics.ts';
import { Snapshot } from './snapshot.ts';
import { waitsForConsumer } from './volume-claims.ts';

export interface SchedulerOptions {
  /** For the user `system:kube-scheduler`. */
  readonly client: Client;
  /** Run by the caller; may be shared with others. */
  readonly informers: InformerSet;
  readonly clock: Clock;
  readonly log: Logger;
  readonly plugins?: readonly Plugin[];
  readonly metrics?: SchedulerMetrics;
  /** Pods with this `schedulerName` are ours; `default-scheduler` unless given. */
  readonly schedulerName?: string;
}

/** Decisions carried out at once. */
const mostInFlight = 256;
/** Milliseconds of deciding after which others get their turn. */
const turnLimit = 5;
/** Parked pods are looked at again this long after something changed, so that many changes cost one look. */
const retestDelay = 50;
/** What changed of a reason is told this long after the last telling, and an unchanged one again after `retellDelay`. */
const tellDelay = 5_000;
const retellDelay = 300_000;
/** A pod of another scheduler that is still without a node after this long is told of. */
const foreignDelay = 5_000;
const bindBackoff = { initial: 1_000, maximum: 10_000 };

export function createScheduler(options: SchedulerOptions): Runnable {
  return new Scheduler(options);
}

class Scheduler implements Runnable {
  readonly name = 'scheduler';
  readonly #options: SchedulerOptions;
  readonly #clock: Clock;
  readonly #schedulerName: string;
  readonly #pods: Informer<Pod>;
  readonly #snapshot: Snapshot;
  readonly #placements: Placements;
  readonly #pending = new PendingPods();
  readonly #binder: Binder;
  readonly #events: EventRecorder;
  readonly #refusals: RefusalReporter;
  readonly #preemptor: Preemptor;
  /** Classes still to be looked at again in this round. */
  #retesting: ParkedClass[] = [];
  #retestTimer: { cancel(): void } | undefined;
  #retestDue = 0;
  #lookupChanges = 0;
  #inFlight = 0;
  #wake: () => void = () => undefined;

  constructor(options: SchedulerOptions) {
    this.#options = options;
    const { client, informers, clock, log } = options;
    this.#clock = clock;
    this.#schedulerName = options.schedulerName ?? 'default-scheduler';
    this.#pods = podsByNode(informers);
    const claims = informers.for(persistentVolumeClaims);
    const volumes = informers.for(persistentVolumes);
    const classes = informers.for(storageClasses);
    const spaces = informers.for(namespaces);
    this.#binder = new Binder(client, informers, clock);
    this.#snapshot = new Snapshot({
      claim: (namespace, name) => claims.get(`${namespace}/${name}`),
      volume: (name) => volumes.get(name),
      chosenNode: (namespace, name) => this.#binder.chosenNode(namespace, name),
      waitsForConsumer: (claim) => waitsForConsumer(claim, (name) => classes.get(name)),
      namespacesWith: (selector) =>
        spaces.list().flatMap(({ metadata }) => (matchesSelector(selector, metadata.labels) ? [metadata.name ?? ''] : [])),
    });
    this.#placements = new Placements(this.#snapshot, options.plugins ?? allPlugins);
    this.#events = createEventRecorder(client, { component: this.#schedulerName, clock, log });
    this.#refusals = new RefusalReporter({ client, informers, events: this.#events, clock, log });
    this.#preemptor = new Preemptor({
      client,
      informers,
      events: this.#events,
      clock,
      log,
      snapshot: this.#snapshot,
      placements: this.#placements,
      podsByNode: this.#pods,
      again: (pending) => {
        this.#pending.activate(pending);
        this.#wake();
      },
    });
  }

  async run(signal: AbortSignal): Promise<void> {
    await runAll([{ name: 'scheduling', run: (inner) => this.#schedule(inner) }, this.#events, this.#refusals], signal);
  }

  async #schedule(signal: AbortSignal): Promise<void> {
    const { informers } = this.#options;
    const stops: (() => void)[] = [];
    const follow = async <T extends KubernetesObject>(resource: ResourceType<T>, handler: (change: Change<T>) => void): Promise<void> => {
      stops.push(await informers.for(resource).replay(handler, signal));
    };
    try {
      await informers.synced(signal);
      // Nothing is decided before all that is placed has been counted.
      await follow(nodes, (change) => this.#nodeChanged(change));
      await follow(pods, (change) => this.#podChanged(change));
      for (const resource of [persistentVolumeClaims, persistentVolumes, storageClasses, namespaces]) {
        await follow<KubernetesObject>(resource, () => {
          this.#lookupChanges++;
          this.#retestSoon(retestDelay);
        });
      }
      while (!signal.aborted) {
        const woken = new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
        const more = this.#turn(signal);
        this.#options.metrics?.pending(this.#pending.active, this.#pending.parkedCount);
        if (more) await new Promise((resolve) => setImmediate(resolve));
        else await untilWoken(woken, signal, () => this.#wake());
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      this.#retestTimer?.cancel();
      for (const stop of stops) stop();
    }
  }

  /** Works for a few milliseconds; gives whether there is more to do now. */
  #turn(signal: AbortSignal): boolean {
    const end = performance.now() + turnLimit;
    while (performance.now() < end) {
      const parked = this.#retesting.pop();
      if (parked !== undefined) {
        this.#retest(parked, signal);
        continue;
      }
      if (this.#inFlight >= mostInFlight) return false;
      const next = this.#pending.next();
      if (next === undefined) return false;
      this.#decide(next, signal);
    }
    return true;
  }

  #decide(pending: PendingPod, signal: AbortSignal): void {
    const shape = shapeOf(pending);
    const nomination = this.#preemptor.nominationOf(pending.uid);
    if (nomination !== undefined) this.#snapshot.forget(pending.uid);
    const slot = this.#placements.choose(shape);
    if (slot < 0) {
      if (nomination !== undefined && this.#preemptor.isAwaiting(nomination)) {
        this.#preemptor.hold(nomination);
        pending.state = 'waiting';
        this.#retestSoon(tellDelay);
        return;
      }
      this.#options.metrics?.attempted('unschedulable');
      this.#preemptor.release(pending.uid);
      if (this.#preempt(pending, signal)) {
        pending.state = 'waiting';
        return;
      }
      const parked = this.#pending.park(pending);
      if (parked === undefined) return;
      if (parked.told === undefined) this.#tell(parked);
      else this.#refusals.report(pending.pod, 'Unschedulable', parked.told);
      return;
    }
    this.#preemptor.release(pending.uid);
    const node = this.#snapshot.nameOf(slot);
    this.#snapshot.assume(pending.uid, shape, slot);
    this.#binder.reserve(pending.pod, shape.claims, node);
    this.#inFlight++;
    void this.#carryOut(pending, node, signal);
  }

  /** Whether others make way for the pod, which is then looked at again when they are gone. */
  #preempt(pending: PendingPod, signal: AbortSignal): boolean {
    const nomination = this.#preemptor.preempt(pending, signal);
    if (nomination === undefined) return false;
    this.#refusals.report(pending.pod, 'Unschedulable', nominationText(nomination));
    // Should no word of their end reach us, it is looked at again all the same.
    this.#retestSoon(this.#preemptor.isAwaiting(nomination) ? tellDelay : 0);
    return true;
  }

  /** Never rejects. */
  async #carryOut(pending: PendingPod, node: string, signal: AbortSignal): Promise<void> {
    const { pod, uid } = pending;
    try {
      const outcome = await this.#binder.bind(pod, shapeOf(pending).claims, node, signal);
      if (outcome.bound) {
        this.#pending.remove(uid);
        if (outcome.pod !== undefined) {
          // Another was first, or our own reply was lost: what the API has is what counts.
          this.#snapshot.forget(uid);
          this.#snapshot.setPod(outcome.pod);
        }
        if (outcome.pod === undefined || outcome.pod.spec.nodeName === node) {
          this.#events.event(pod, 'Normal', 'Scheduled', `Successfully assigned ${keyOf(pod)} to ${node}`);
          this.#options.metrics?.attempted('scheduled');
        }
      } else {
        this.#snapshot.forget(uid);
        if (outcome.gone) this.#pending.remove(uid);
        else this.#putOff(pending, `binding to node ${node} failed: ${outcome.reason}`);
      }
    } catch (error) {
      this.#snapshot.forget(uid);
      if (!signal.aborted && !isAbort(error)) this.#putOff(pending, `binding to node ${node} failed: ${String(error)}`);
    } finally {
      this.#inFlight--;
      this.#wake();
    }
  }

  #putOff(pending: PendingPod, message: string): void {
    this.#options.metrics?.attempted('error');
    this.#refusals.report(pending.pod, 'SchedulerError', message);
    pending.state = 'waiting';
    this.#clock.schedule(backoffDelay(bindBackoff, pending.failures++), () => {
      this.#pending.activate(pending);
      this.#wake();
    });
  }

  /** Looks at a parked class again: lets it go where a node takes it now, or tells what changed of why none does. */
  #retest(parked: ParkedClass, signal: AbortSignal): void {
    if (this.#pending.parked.get(parked.shape.class) !== parked) return;
    if (this.#placements.choose(parked.shape) >= 0) {
      this.#pending.wake(parked);
      return;
    }
    const changed = parked.toldOf !== this.#world;
    const wait = parked.toldAt + (changed ? this.#tellDelay : retellDelay) - this.#clock.monotonic();
    if (wait > 0) {
      this.#retestSoon(wait);
      return;
    }
    for (const pending of [...parked.pods]) if (this.#preempt(pending, signal)) this.#pending.withdraw(pending);
    this.#tell(parked);
  }

  #tell(parked: ParkedClass): void {
    const [first] = parked.pods;
    if (first === undefined) return;
    const { summary, smallestChange } = explainPlacement(this.#placements, this.#snapshot, first.pod);
    const message = smallestChange === undefined || smallestChange === '' ? summary : `${summary} What would help: ${smallestChange}.`;
    const now = this.#clock.monotonic();
    parked.toldOf = this.#world;
    this.#retestSoon(retellDelay);
    if (message === parked.told && now - parked.toldAt < retellDelay) return;
    parked.told = message;
    parked.toldAt = now;
    for (const { pod } of parked.pods) this.#refusals.report(pod, 'Unschedulable', message);
  }

  /** Grows with everything that a decision may depend on. */
  get #world(): number {
    return this.#snapshot.version + this.#lookupChanges;
  }

  /** Reasons are dear to find: the more classes wait, the less often each is explained anew. */
  get #tellDelay(): number {
    return Math.max(tellDelay, this.#pending.parked.size * 20);
  }

  #retestSoon(delay: number): void {
    const due = this.#clock.monotonic() + delay;
    if (this.#retestTimer !== undefined && this.#retestDue <= due) return;
    this.#retestTimer?.cancel();
    this.#retestDue = due;
    this.#retestTimer = this.#clock.schedule(delay, () => {
      this.#retestTimer = undefined;
      this.#retesting = [...this.#pending.parked.values()].toReversed();
      for (const pending of this.#preemptor.waiting) this.#pending.activate(pending);
      this.#wake();
    });
  }

  #nodeChanged({ type, object, old }: Change<Node>): void {
    const name = keyOf(object);
    if (type === 'DELETED') this.#snapshot.removeNode(name);
    else if (old !== undefined && deepEqual(relevant(old), relevant(object))) return;
    else {
      this.#snapshot.setNode(object);
      if (type === 'ADDED') for (const pod of this.#pods.byIndex('node', name)) this.#snapshot.setPod(pod);
    }
    this.#retestSoon(retestDelay);
  }

  #podChanged({ type, object, old }: Change<Pod>): void {
    const uid = object.metadata.uid ?? '';
    if (old !== undefined && old.metadata.uid !== uid) this.#drop(old);
    if (type === 'DELETED') {
      this.#drop(object);
      return;
    }
    const isPlaced = (object.spec.nodeName ?? '') !== '';
    if (isPlaced || isTerminal(object)) {
      const before = this.#snapshot.version;
      this.#snapshot.setPod(object);
      this.#pending.remove(uid);
      if (isTerminal(object) && this.#snapshot.version !== before) this.#retestSoon(retestDelay);
      return;
    }
    if (object.metadata.deletionTimestamp !== undefined) {
      this.#pending.remove(uid);
      this.#preemptor.release(uid);
      return;
    }
    if ((object.spec.schedulerName ?? 'default-scheduler') !== this.#schedulerName) {
      if (type === 'ADDED') this.#clock.schedule(foreignDelay, () => this.#tellForeign(uid, keyOf(object)));
      return;
    }
    const gates = object.spec.schedulingGates ?? [];
    if (gates.length > 0) {
      if (type === 'ADDED') {
        const names = gates.map(({ name }) => name).join(', ');
        this.#refusals.report(object, 'SchedulingGated', `Scheduling is blocked due to non-empty scheduling gates: ${names}`);
      }
      return;
    }
    // Placed by a binding that has succeeded while this older state was on its way here.
    if (this.#pending.get(uid) === undefined && this.#snapshot.placed(uid) !== undefined) return;
    this.#pending.put(keyOf(object), object);
    this.#wake();
  }

  /** Another scheduler may have the pod any moment; while none does, the pod should not wait without a word. */
  #tellForeign(uid: string, key: string): void {
    const pod = this.#pods.get(key);
    if (pod?.metadata.uid !== uid || (pod.spec.nodeName ?? '') !== '') return;
    const message = `the pod asks for the scheduler "${pod.spec.schedulerName}"; "${this.#schedulerName}" leaves it to that one`;
    this.#events.event(pod, 'Normal', 'WaitingForScheduler', message);
  }

  #drop(pod: Pod): void {
    this.#pending.remove(pod.metadata.uid ?? '');
    this.#preemptor.release(pod.metadata.uid ?? '');
    this.#snapshot.removePod(pod);
    this.#retestSoon(retestDelay);
  }
}

/** What of a node decisions depend on: its heartbeats are not among it. */
function relevant({ metadata, spec, status }: Node): unknown {
  return [metadata.labels, spec?.taints, spec?.unschedulable, status?.allocatable, status?.capacity, status?.images];
}

async function untilWoken(woken: Promise<void>, signal: AbortSignal, wake: () => void): Promise<void> {
  signal.addEventListener('abort', wake, { once: true });
  if (signal.aborted) wake();
  await woken;
  signal.removeEventListener('abort', wake);
}
