/**
 * The pods that wait for a node. Those to be decided leave by priority, then by age; those that no node took are parked by class, because
 * what lets one of them in lets in its equals. Invariant: a pod is in one place alone, and is lost from none but by `remove`.
 */
import type { Pod } from '#api/shapes/types/core-v1';
import { type PodShape, podShapeOf } from './pod-shape.ts';

export interface PendingPod {
  readonly uid: string;
  readonly key: string;
  pod: Pod;
  /** Read from the pod when it is first needed: many may come at once. */
  shape: PodShape | undefined;
  readonly priority: number;
  readonly order: number;
  /** Failed attempts to bind it, for its back-off. */
  failures: number;
  /** `deciding`: handed out by `next`, and not given back yet. */
  state: 'active' | 'deciding' | 'parked' | 'waiting' | 'gone';
}

/** Equal pods that no node took. */
export interface ParkedClass {
  readonly shape: PodShape;
  readonly pods: Set<PendingPod>;
  /** What was last told of why; undefined: nothing yet. */
  told: string | undefined;
  toldAt: number;
  /** The state of the world that was told of. */
  toldOf: number;
}

export class PendingPods {
  readonly parked = new Map<string, ParkedClass>();
  readonly #byUid = new Map<string, PendingPod>();
  readonly #heap: PendingPod[] = [];
  #active = 0;
  #order = 0;

  get active(): number {
    return this.#active;
  }

  get size(): number {
    return this.#byUid.size;
  }

  get parkedCount(): number {
    let count = 0;
    for (const { pods } of this.parked.values()) count += pods.size;
    return count;
  }

  get(uid: string): PendingPod | undefined {
    return this.#byUid.get(uid);
  }

  /** Takes in a pod, or what changed of one; a parked pod that became another class is tried again. */
  put(key: string, pod: Pod): PendingPod {
    const uid = pod.metadata.uid ?? '';
    const present = this.#byUid.get(uid);
    if (present === undefined) {
      const added: PendingPod = {
        uid,
        key,
        pod,
        shape: undefined,
        priority: pod.spec.priority ?? 0,
        order: this.#order++,
        failures: 0,
        state: 'gone',
      };
      this.#byUid.set(uid, added);
      this.activate(added);
      return added;
    }
    present.pod = pod;
    if (present.state !== 'parked') {
      // A decision that is open keeps what it was made for.
      if (present.state !== 'deciding') present.shape = undefined;
      return present;
    }
    const shape = podShapeOf(pod);
    if (shape.class !== shapeOf(present).class) {
      this.#unpark(present);
      present.shape = shape;
      this.activate(present);
    }
    return present;
  }

  remove(uid: string): void {
    const present = this.#byUid.get(uid);
    if (present === undefined) return;
    this.#byUid.delete(uid);
    if (present.state === 'parked') this.#unpark(present);
    if (present.state === 'active') this.#active--;
    present.state = 'gone';
  }

  /** The pod whose turn it is, or undefined; it is then in the caller's hands. */
  next(): PendingPod | undefined {
    for (;;) {
      const top = this.#pop();
      if (top === undefined) return undefined;
      if (top.state !== 'active') continue;
      top.state = 'deciding';
      this.#active--;
      return top;
    }
  }

  /** Puts a pod in line, at the place of its priority and age. */
  activate(pending: PendingPod): void {
    if (this.#byUid.get(pending.uid) !== pending || pending.state === 'active') return;
    pending.state = 'active';
    this.#active++;
    this.#push(pending);
  }

  /** Puts a pod aside until its class is woken; gives the class. */
  park(pending: PendingPod): ParkedClass | undefined {
    if (this.#byUid.get(pending.uid) !== pending) return undefined;
    pending.state = 'parked';
    const shape = shapeOf(pending);
    let parked = this.parked.get(shape.class);
    if (parked === undefined) {
      parked = { shape, pods: new Set(), told: undefined, toldAt: 0, toldOf: -1 };
      this.parked.set(shape.class, parked);
    }
    parked.pods.add(pending);
    return parked;
  }

  /** Takes a parked pod into the caller's hands, until it is put in line again. */
  withdraw(pending: PendingPod): void {
    if (pending.state !== 'parked') return;
    this.#unpark(pending);
    pending.state = 'waiting';
  }

  /** Puts all parked pods of the class in line. */
  wake(parked: ParkedClass): void {
    this.parked.delete(parked.shape.class);
    for (const pending of parked.pods) this.activate(pending);
  }

  #unpark(pending: PendingPod): void {
    const name = shapeOf(pending).class;
    const parked = this.parked.get(name);
    parked?.pods.delete(pending);
    if (parked?.pods.size === 0) this.parked.delete(name);
  }

  #push(pending: PendingPod): void {
    const heap = this.#heap;
    let at = heap.push(pending) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!before(pending, heap[parent]!)) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = pending;
  }

  #pop(): PendingPod | undefined {
    const heap = this.#heap;
    const top = heap[0];
    const last = heap.pop();
    if (top === undefined || last === undefined || heap.length === 0) return top;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child++;
      if (!before(heap[child]!, last)) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = last;
    return top;
  }
}

export function shapeOf(pending: PendingPod): PodShape {
  pending.shape ??= podShapeOf(pending.pod);
  return pending.shape;
}

function before(a: PendingPod, b: PendingPod): boolean {
  return a.priority === b.priority ? a.order < b.order : a.priority > b.priority;
}
