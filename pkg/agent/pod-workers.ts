/**
 * One worker for each pod that the node has: begun when the pod is assigned, ended when nothing of it is left. Invariant: a pod is stopped because it is
 * marked as deleted, or because an accepted assignment no longer has it, and for no other reason.
 */
import { setMaxListeners } from 'node:events';
import type { KubernetesObject } from '#api/object';
import type { Pod, PodStatus } from '#api/shapes/types/core-v1';
import { aborted, type Runnable } from '#base/lifecycle';
import type { NodeContext } from './node-context.ts';
import { identityOf } from './pod.ts';
import { referencesOf } from './references.ts';
import type { AssignedObject, Assignments } from './session/assignments.ts';
import { createPodWorker, type PodWorker } from './worker.ts';

export interface PodWorkers extends Runnable {
  /** Uids of the pods that the node has or is to have; what belongs to no other may be collected. */
  readonly owned: ReadonlySet<string>;
  pod(uid: string): Pod | undefined;
  /** As it was last reported. */
  status(uid: string): PodStatus | undefined;
  /** See `PodWorker.evict`. */
  evict(uid: string, message: string): void;
}

interface Entry {
  pod: Pod;
  readonly worker: PodWorker;
  assigned: boolean;
  gone: boolean;
}

export function createPodWorkers(assignments: Assignments, node: NodeContext): PodWorkers {
  return new Workers(assignments, node);
}

class Workers implements PodWorkers {
  readonly name = 'pod workers';
  readonly #assignments: Assignments;
  readonly #node: NodeContext;
  readonly #entries = new Map<string, Entry>();
  readonly #running = new Set<Promise<void>>();
  #signal: AbortSignal | undefined;

  constructor(assignments: Assignments, node: NodeContext) {
    this.#assignments = assignments;
    this.#node = node;
  }

  get owned(): ReadonlySet<string> {
    return new Set(this.#entries.keys());
  }

  pod(uid: string): Pod | undefined {
    return this.#entries.get(uid)?.pod;
  }

  status(uid: string): PodStatus | undefined {
    return this.#entries.get(uid)?.worker.status;
  }

  evict(uid: string, message: string): void {
    this.#entries.get(uid)?.worker.evict(message);
  }

  async run(signal: AbortSignal): Promise<void> {
    // Every worker listens on it: that is no leak.
    setMaxListeners(0, signal);
    await Promise.race([this.#node.view.synced, aborted(signal)]);
    if (signal.aborted) return;
    this.#signal = signal;
    this.#node.view.onChange((uid) => this.#entries.get(uid)?.worker.wake());
    this.#assignments.onChange((changed) => this.#take(changed));
    for (const object of this.#assignments.list('pods')) this.#assign(object as Pod);
    await aborted(signal);
    await Promise.all(this.#running);
  }

  #take(changed: readonly AssignedObject[]): void {
    const others = new Set<string>();
    for (const entry of changed) {
      if (entry.resource === 'pods') this.#takePod(entry);
      else others.add(`${entry.resource}/${entry.namespace}/${entry.name}`);
    }
    if (others.size === 0) return;
    for (const { pod, worker, gone } of this.#entries.values()) {
      if (!gone && referencesOf(pod, (claim) => this.#volumeOf(pod, claim)).some((reference) => others.has(reference)))
        worker.objectsChanged();
    }
  }

  #volumeOf(pod: Pod, claim: string): string | undefined {
    const found: (KubernetesObject & { spec?: { volumeName?: string } }) | undefined = this.#assignments.get(
      'persistentvolumeclaims',
      identityOf(pod).namespace,
      claim,
    );
    return found?.spec?.volumeName;
  }

  #takePod({ namespace, name, object }: AssignedObject): void {
    const uid = object?.metadata.uid;
    for (const entry of this.#entries.values()) {
      const identity = identityOf(entry.pod);
      if (identity.namespace !== namespace || identity.name !== name || identity.uid === uid) continue;
      entry.assigned = false;
      if (entry.gone) this.#entries.delete(identity.uid);
      else entry.worker.release();
    }
    if (object !== undefined) this.#assign(object as Pod);
  }

  #assign(pod: Pod): void {
    const { uid } = identityOf(pod);
    const present = this.#entries.get(uid);
    if (present !== undefined) {
      present.pod = pod;
      present.assigned = true;
      if (!present.gone) present.worker.update(pod);
      return;
    }
    const entry: Entry = { pod, worker: createPodWorker(pod, this.#node), assigned: true, gone: false };
    this.#entries.set(uid, entry);
    const work = this.#work(entry).finally(() => this.#running.delete(work));
    this.#running.add(work);
  }

  async #work(entry: Entry): Promise<void> {
    if (this.#signal === undefined) return;
    const gone = await entry.worker.run(this.#signal);
    if (!gone) return;
    entry.gone = true;
    // As long as the server still has the pod it is remembered, so that it is not begun again.
    if (!entry.assigned) this.#entries.delete(entry.worker.uid);
  }
}
