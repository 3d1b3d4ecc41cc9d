/**
 * The nodes and what is placed on them, laid out for fast decisions: each node has a slot, amounts are columns of numbers by slot, and a
 * log says which slots changed, so that who keeps answers per node asks again for those alone. Invariant: a pod (by uid) is counted on one
 * node at most, whether it was seen there or is only assumed. It is the scheduler's own and changes in place; nothing here waits.
 */

import { fullImageName } from '#api/image-name';
import { isTerminal } from '#api/pod-phase';
import type { Selector } from '#api/selector';
import type { Node, PersistentVolume, PersistentVolumeClaim, Pod, Taint } from '#api/shapes/types/core-v1';
import { amountOf, type HostPort, type PodShape, podShapeOf } from './pod-shape.ts';

export interface PlacedPod {
  readonly uid: string;
  readonly shape: PodShape;
  readonly slot: number;
  /** Placed by a decision that the API has not shown yet. */
  readonly assumed: boolean;
}

/** What a decision may need to know beside nodes and pods; looked up for pods that name claims or select namespaces. */
export interface ClusterLookup {
  claim(namespace: string, name: string): PersistentVolumeClaim | undefined;
  volume(name: string): PersistentVolume | undefined;
  /** The node that an earlier decision chose for this claim and that the API does not show yet. */
  chosenNode(namespace: string, name: string): string | undefined;
  /** Whether the claim waits for a pod to be placed before it gets a volume. */
  waitsForConsumer(claim: PersistentVolumeClaim): boolean;
  /** The names of the namespaces whose labels satisfy the selector. */
  namespacesWith(selector: Selector): readonly string[];
}

export const nothingElse: ClusterLookup = {
  claim: () => undefined,
  volume: () => undefined,
  chosenNode: () => undefined,
  waitsForConsumer: () => false,
  namespacesWith: () => [],
};

/** How many pods of a kind each slot has. */
interface Counter {
  readonly counts: Map<number, number>;
  matches(shape: PodShape): boolean;
}

/** Counters that are kept up; the one not asked for longest goes first. */
const keptCounters = 128;
/** Log entries that are kept; who is further behind looks at all nodes. */
const logSize = 8192;

export class Snapshot {
  readonly lookup: ClusterLookup;
  /** Counts changes; the log's newest entry is number `version - 1`. */
  version = 0;
  /** One more than the highest slot in use. */
  slots = 0;
  /** Pods whose required anti-affinity binds pods to come. */
  readonly guarded = new Map<string, PlacedPod>();
  readonly #log = new Int32Array(logSize);
  readonly #nodes: (Node | undefined)[] = [];
  readonly #bySlot: Map<string, PlacedPod>[] = [];
  readonly #slotByName = new Map<string, number>();
  readonly #free: number[] = [];
  readonly #resources = new Map<string, number>();
  readonly #allocatable: Float64Array[] = [];
  readonly #used: Float64Array[] = [];
  #capacity = 64;
  #scoredCpu = new Float64Array(64);
  #scoredMemory = new Float64Array(64);
  readonly #pods = new Map<string, PlacedPod>();
  /** What placed pods of one sort share, with how many they are. */
  readonly #shapes = new Map<string, { readonly shape: PodShape; pods: number }>();
  readonly #counters = new Map<string, Counter>();
  readonly #images: (ReadonlySet<string> | undefined)[] = [];
  readonly #workloads = new Map<string, Map<number, number>>();
  /** How many placed pods have each priority. */
  readonly #priorities = new Map<number, number>();
  #isTentative = false;

  constructor(lookup: ClusterLookup = nothingElse) {
    this.lookup = lookup;
    for (const resource of ['cpu', 'memory', 'ephemeral-storage', 'pods']) this.column(resource);
  }

  get nodeCount(): number {
    return this.#slotByName.size;
  }

  /** The node in this slot; undefined for a slot that is free. */
  node(slot: number): Node | undefined {
    return this.#nodes[slot];
  }

  nameOf(slot: number): string {
    return this.#nodes[slot]?.metadata.name ?? '';
  }

  labelsOf(slot: number): Readonly<Record<string, string>> {
    return this.#nodes[slot]?.metadata.labels ?? {};
  }

  taintsOf(slot: number): readonly Taint[] {
    return this.#nodes[slot]?.spec?.taints ?? [];
  }

  slotOf(name: string): number | undefined {
    return this.#slotByName.get(name);
  }

  /** The column of a resource, the same for the snapshot's whole life. */
  column(resource: string): number {
    let column = this.#resources.get(resource);
    if (column === undefined) {
      column = this.#resources.size;
      this.#resources.set(resource, column);
      this.#allocatable.push(new Float64Array(this.#capacity));
      this.#used.push(new Float64Array(this.#capacity));
      for (let slot = 0; slot < this.slots; slot++) {
        const node = this.#nodes[slot];
        if (node !== undefined) this.#allocatable[column]![slot] = allocatableOf(node, resource);
      }
    }
    return column;
  }

  allocatable(column: number, slot: number): number {
    return this.#allocatable[column]![slot]!;
  }

  used(column: number, slot: number): number {
    return this.#used[column]![slot]!;
  }

  /** Cpu (thousandths) that scores reckon with: pods that ask for none count as if they did. */
  scoredCpu(slot: number): number {
    return this.#scoredCpu[slot]!;
  }

  scoredMemory(slot: number): number {
    return this.#scoredMemory[slot]!;
  }

  podsOn(slot: number): Iterable<PlacedPod> {
    return this.#bySlot[slot]?.values() ?? [];
  }

  /** How many pods of this workload the node has. */
  ofWorkload(workload: string, slot: number): number {
    return this.#workloads.get(workload)?.get(slot) ?? 0;
  }

  /** Whether a pod of a lower priority is placed anywhere. */
  hasPriorityBelow(priority: number): boolean {
    for (const present of this.#priorities.keys()) if (present < priority) return true;
    return false;
  }

  /** Runs `attempt`, which may take pods away as long as it puts them back: to who keeps answers per node nothing has changed. */
  tentatively<T>(attempt: () => T): T {
    this.#isTentative = true;
    try {
      return attempt();
    } finally {
      this.#isTentative = false;
    }
  }

  placed(uid: string): PlacedPod | undefined {
    return this.#pods.get(uid);
  }

  /** Whether the node reports to have this image (`fullImageName`). */
  hasImage(slot: number, image: string): boolean {
    let images = this.#images[slot];
    if (images === undefined) {
      images = new Set((this.#nodes[slot]?.status?.images ?? []).flatMap((each) => each.names ?? []).map(fullImageName));
      this.#images[slot] = images;
    }
    return images.has(image);
  }

  /**
   * How many placed pods satisfy `matches`, by slot; slots without any are left out. `key` names the question: the same key must stand for the
   * same `matches`, which is asked once per pod from then on.
   */
  countPods(key: string, matches: (shape: PodShape) => boolean): ReadonlyMap<number, number> {
    let counter = this.#counters.get(key);
    if (counter === undefined) {
      counter = { counts: new Map(), matches };
      for (const { shape, slot } of this.#pods.values()) if (matches(shape)) step(counter.counts, slot, 1);
      if (this.#counters.size >= keptCounters) this.#counters.delete(this.#counters.keys().next().value ?? '');
    } else {
      this.#counters.delete(key);
    }
    this.#counters.set(key, counter);
    return counter.counts;
  }

  /** Whether a pod on this node holds the port already. */
  portTaken(slot: number, wanted: HostPort): boolean {
    for (const { shape } of this.podsOn(slot)) {
      for (const port of shape.hostPorts) {
        if (port.port !== wanted.port || port.protocol !== wanted.protocol) continue;
        if (port.address === wanted.address || isAnyAddress(port.address) || isAnyAddress(wanted.address)) return true;
      }
    }
    return false;
  }

  /** Slots that changed since `version`, newest first and perhaps repeated. Ask `remembers` first. */
  *changesSince(version: number): Generator<number, void> {
    for (let entry = this.version - 1; entry >= version; entry--) yield this.#log[entry % logSize]!;
  }

  /** Whether the log still reaches back to `version`; if not, any node may have changed. */
  remembers(version: number): boolean {
    return this.version - version <= logSize;
  }

  setNode(node: Node): void {
    const name = node.metadata.name ?? '';
    let slot = this.#slotByName.get(name);
    if (slot === undefined) {
      slot = this.#free.pop() ?? this.slots++;
      if (slot >= this.#capacity) this.#grow();
      this.#slotByName.set(name, slot);
      this.#bySlot[slot] = new Map();
    }
    this.#nodes[slot] = node;
    this.#images[slot] = undefined;
    for (const [resource, column] of this.#resources) this.#allocatable[column]![slot] = allocatableOf(node, resource);
    this.#changed(slot);
  }

  removeNode(name: string): void {
    const slot = this.#slotByName.get(name);
    if (slot === undefined) return;
    for (const placed of [...this.podsOn(slot)]) this.#lift(placed);
    this.#slotByName.delete(name);
    this.#nodes[slot] = undefined;
    for (const column of [...this.#allocatable, ...this.#used]) column[slot] = 0;
    this.#free.push(slot);
    this.#changed(slot);
  }

  /**
   * Takes in a pod as the API shows it: on its node, or on none when it has ended or was never placed. Pods of a node that is not
   * known count nowhere: who adds a node gives its pods again.
   */
  setPod(pod: Pod): void {
    const uid = pod.metadata.uid ?? '';
    const name = pod.spec.nodeName ?? '';
    if (name === '' || isTerminal(pod)) {
      const placed = this.#pods.get(uid);
      if (placed === undefined || (name === '' && placed.assumed)) return;
      this.removePod(pod);
      return;
    }
    const slot = this.#slotByName.get(name);
    const present = this.#pods.get(uid);
    if (slot === undefined) {
      if (present !== undefined) this.#lift(present);
      return;
    }
    const shape = podShapeOf(pod);
    if (present !== undefined && present.slot === slot && present.shape.class === shape.class) {
      if (present.assumed) this.#confirm(present);
      return;
    }
    if (present !== undefined) this.#lift(present);
    this.#put({ uid, shape, slot, assumed: false });
  }

  removePod(pod: Pod): void {
    const placed = this.#pods.get(pod.metadata.uid ?? '');
    if (placed !== undefined) this.#lift(placed);
  }

  /** Counts a pod on a node before the API shows it there. */
  assume(uid: string, shape: PodShape, slot: number): void {
    const present = this.#pods.get(uid);
    if (present !== undefined) throw new Error(`pod ${uid} is already placed on ${this.nameOf(present.slot)}`);
    this.#put({ uid, shape, slot, assumed: true });
  }

  /** Takes an assumption back; does nothing when the API has shown the pod on a node meanwhile. */
  forget(uid: string): void {
    const placed = this.#pods.get(uid);
    if (placed?.assumed === true) this.#lift(placed);
  }

  #confirm(placed: PlacedPod): void {
    const confirmed = { ...placed, assumed: false };
    this.#pods.set(placed.uid, confirmed);
    this.#bySlot[placed.slot]!.set(placed.uid, confirmed);
    if (this.guarded.has(placed.uid)) this.guarded.set(placed.uid, confirmed);
  }

  #put(given: PlacedPod): void {
    // There are many pods, and few sorts of them.
    const sort = sortOf(given.shape);
    const shared = this.#shapes.get(sort);
    if (shared === undefined) this.#shapes.set(sort, { shape: given.shape, pods: 1 });
    else shared.pods++;
    const placed = shared === undefined ? given : { ...given, shape: shared.shape };
    const { uid, shape, slot } = placed;
    this.#pods.set(uid, placed);
    this.#bySlot[slot]!.set(uid, placed);
    if (shape.affinity.podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution !== undefined) this.guarded.set(uid, placed);
    this.#count(placed, 1);
  }

  #lift(placed: PlacedPod): void {
    this.#pods.delete(placed.uid);
    this.#bySlot[placed.slot]!.delete(placed.uid);
    this.guarded.delete(placed.uid);
    const sort = sortOf(placed.shape);
    const shared = this.#shapes.get(sort);
    if (shared !== undefined && --shared.pods === 0) this.#shapes.delete(sort);
    this.#count(placed, -1);
  }

  #count({ shape, slot }: PlacedPod, sign: 1 | -1): void {
    for (const [resource, amount] of shape.requests) {
      const column = this.#used[this.column(resource)]!;
      column[slot] = column[slot]! + sign * amount;
    }
    this.#scoredCpu[slot] = this.#scoredCpu[slot]! + sign * shape.scoredCpu;
    this.#scoredMemory[slot] = this.#scoredMemory[slot]! + sign * shape.scoredMemory;
    step(this.#priorities, shape.priority, sign);
    if (shape.workload !== '') {
      const counts = this.#workloads.get(shape.workload) ?? new Map<number, number>();
      step(counts, slot, sign);
      if (counts.size > 0) this.#workloads.set(shape.workload, counts);
      else this.#workloads.delete(shape.workload);
    }
    for (const counter of this.#counters.values()) if (counter.matches(shape)) step(counter.counts, slot, sign);
    this.#changed(slot);
  }

  #changed(slot: number): void {
    if (this.#isTentative) return;
    this.#log[this.version % logSize] = slot;
    this.version++;
  }

  #grow(): void {
    this.#capacity *= 2;
    const larger = (column: Float64Array): Float64Array<ArrayBuffer> => {
      const copy = new Float64Array(this.#capacity);
      copy.set(column);
      return copy;
    };
    for (const columns of [this.#allocatable, this.#used]) columns.splice(0, columns.length, ...columns.map(larger));
    this.#scoredCpu = larger(this.#scoredCpu);
    this.#scoredMemory = larger(this.#scoredMemory);
  }
}

/** Equal for shapes that differ in nothing (but in the node that the pod names, which for a placed one is its slot's). */
function sortOf({ priority, class: plugins }: PodShape): string {
  return `${priority} ${plugins}`;
}

function step(counts: Map<number, number>, slot: number, by: 1 | -1): void {
  const count = (counts.get(slot) ?? 0) + by;
  if (count > 0) counts.set(slot, count);
  else counts.delete(slot);
}

function allocatableOf(node: Node, resource: string): number {
  const quantity = node.status?.allocatable?.[resource] ?? node.status?.capacity?.[resource];
  return quantity === undefined ? 0 : amountOf(resource, quantity);
}

function isAnyAddress(address: string): boolean {
  return address === '' || address === '0.0.0.0' || address === '::';
}
