/**
 * Makes room for a pod that fits nowhere, by deleting pods of lower priority. Invariant: a pod whose victims are on their way is counted on their node, so
 * that nobody else takes what they leave, and it does not look for more victims until those are gone.
 */
import { podDisruptionBudgets, pods } from '#api/shapes/resources';
import type { Pod, PodCondition } from '#api/shapes/types/core-v1';
import { type Clock, formatTime } from '#base/clock';
import { hasReason, messageOf } from '#base/errors';
import { isAbort } from '#base/lifecycle';
import type { Logger } from '#base/logging';
import type { Client } from '#client/client';
import type { EventRecorder } from '#client/event-recorder';
import type { Informer } from '#client/informer';
import type { InformerSet } from '#client/informer-set';
import type { PendingPod } from './pending-pods.ts';
import { shapeOf } from './pending-pods.ts';
import type { Placements } from './placement.ts';
import type { Snapshot } from './snapshot.ts';
import { findVictims, priorityOf } from './victims.ts';

interface Nomination {
  readonly pending: PendingPod;
  readonly node: string;
  /** Keys and uids of the pods that have to go before there is room. */
  readonly awaited: ReadonlyMap<string, string>;
}

interface PreemptorParts {
  readonly client: Client;
  readonly informers: InformerSet;
  readonly events: EventRecorder;
  readonly clock: Clock;
  readonly log: Logger;
  readonly snapshot: Snapshot;
  readonly placements: Placements;
  readonly podsByNode: Informer<Pod>;
  /** The pod has to be decided again. */
  readonly again: (pending: PendingPod) => void;
}

export class Preemptor {
  readonly #parts: PreemptorParts;
  readonly #nominations = new Map<string, Nomination>();
  /** Class and priority for which nothing was found → the state of the snapshot then. */
  #inVain = new Map<string, number>();

  constructor(parts: PreemptorParts) {
    this.#parts = parts;
    parts.informers.for(podDisruptionBudgets);
  }

  nominationOf(uid: string): Nomination | undefined {
    return this.#nominations.get(uid);
  }

  /** Those that wait for their victims. */
  get waiting(): readonly PendingPod[] {
    return [...this.#nominations.values()].map(({ pending }) => pending);
  }

  /** Whether a pod that it waits for is still there. */
  isAwaiting({ awaited }: Nomination): boolean {
    const { podsByNode } = this.#parts;
    for (const [key, uid] of awaited) if (podsByNode.get(key)?.metadata.uid === uid) return true;
    return false;
  }

  /** Counts the pod on its node until it is decided again. */
  hold({ pending, node }: Nomination): void {
    const { snapshot } = this.#parts;
    const slot = snapshot.slotOf(node);
    if (slot !== undefined && snapshot.placed(pending.uid) === undefined) snapshot.assume(pending.uid, shapeOf(pending), slot);
  }

  /** The pod has a node, is gone, or has to begin anew. */
  release(uid: string): void {
    if (this.#nominations.delete(uid)) this.#parts.snapshot.forget(uid);
  }

  /** Looks for victims, begins to delete them and counts the pod on their node; undefined: there are none that would help. */
  preempt(pending: PendingPod, signal: AbortSignal): Nomination | undefined {
    const { snapshot, placements, podsByNode, informers, again } = this.#parts;
    const shape = shapeOf(pending);
    const { priority, pod } = pending;
    if (pod.spec.preemptionPolicy === 'Never' || !snapshot.hasPriorityBelow(priority)) return undefined;
    const question = `${priority} ${shape.class}`;
    if (this.#inVain.get(question) === snapshot.version) return undefined;
    const waiting = [...this.#nominations.values()].filter((each) => each.pending.priority < priority);
    const victims = findVictims({
      placements,
      snapshot,
      shape,
      priority,
      podsOn: (node) => podsByNode.byIndex('node', node),
      reservedOn: (slot) =>
        waiting.flatMap(({ pending: { uid } }) => {
          const placed = snapshot.placed(uid);
          return placed?.slot === slot && placed.assumed ? [{ uid, shape: placed.shape }] : [];
        }),
      budgets: informers.for(podDisruptionBudgets).list(),
    });
    if (victims === undefined) {
      if (this.#inVain.size > 1000) this.#inVain = new Map();
      this.#inVain.set(question, snapshot.version);
      return undefined;
    }
    const node = snapshot.nameOf(victims.slot);
    for (const { uid } of victims.reserved) {
      const other = this.#nominations.get(uid);
      this.release(uid);
      if (other !== undefined) again(other.pending);
    }
    const awaited = new Map(
      [...victims.pods, ...victims.going].map(({ metadata }) => [`${metadata.namespace}/${metadata.name}`, metadata.uid ?? '']),
    );
    const nomination: Nomination = { pending, node, awaited };
    this.#nominations.set(pending.uid, nomination);
    this.hold(nomination);
    void this.#carryOut(nomination, victims.pods, signal);
    return nomination;
  }

  /** Never rejects. */
  async #carryOut({ pending, node }: Nomination, victims: readonly Pod[], signal: AbortSignal): Promise<void> {
    const { client, log, again } = this.#parts;
    const { namespace = '', name = '', uid = '' } = pending.pod.metadata;
    try {
      const patch = { metadata: { uid }, status: { nominatedNodeName: node } };
      await client.patch(pods, { namespace, name }, 'merge', patch, { subresource: 'status' });
      await Promise.all(victims.map((victim) => this.#delete(victim, uid, node)));
    } catch (error) {
      if (signal.aborted || isAbort(error)) return;
      // Gone, or another by the same name: whoever removed it tells us.
      if (!hasReason(error, 'NotFound') && !hasReason(error, 'Conflict')) {
        log.warn('cannot make room for a pod, trying again', { pod: pending.key, node, error: messageOf(error) });
      }
      this.release(pending.uid);
      again(pending);
    }
  }

  async #delete(victim: Pod, uid: string, node: string): Promise<void> {
    const { client, events, clock } = this.#parts;
    const { namespace = '', name = '', uid: own = '' } = victim.metadata;
    const condition: PodCondition = {
      type: 'DisruptionTarget',
      status: 'True',
      reason: 'PreemptionByScheduler',
      message: `${victim.spec.schedulerName ?? 'default-scheduler'}: preempting to accommodate a higher priority pod`,
      lastTransitionTime: formatTime(clock.now()),
    };
    try {
      const patch = { metadata: { uid: own }, status: { conditions: [condition] } };
      await client.patch(pods, { namespace, name }, 'strategic', patch, { subresource: 'status' });
      await client.delete(pods, { namespace, name }, { preconditions: { uid: own } });
      events.event(victim, 'Normal', 'Preempted', `Preempted by pod ${uid} on node ${node}`);
    } catch (error) {
      if (!hasReason(error, 'NotFound') && !hasReason(error, 'Conflict')) throw error;
    }
  }
}

/** What is told of a pod that others make way for. */
export function nominationText({ pending, node, awaited }: Nomination): string {
  const count = awaited.size;
  const whom = count === 1 ? 'a pod' : `${count} pods`;
  return `no node has room; ${whom} of lower priority than ${priorityOf(pending.pod)} on ${node} ${count === 1 ? 'makes' : 'make'} way for it`;
}
