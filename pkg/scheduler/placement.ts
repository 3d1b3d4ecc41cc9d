/**
 * Where a pod goes: the best node among those that no plugin refuses. Pods of one class are decided together: their answers per node are
 * kept in a tree and asked again only for nodes that changed. Invariant: the choice is the one that asking every plugin about every
 * node would give (a property test holds this).
 */
import type { Explanation, Plugin, PreparedPlugin, Refusal } from './framework.ts';
import type { PodShape } from './pod-shape.ts';
import { none, ScoreTree } from './score-tree.ts';
import type { Snapshot } from './snapshot.ts';

/** Classes whose answers are kept; the one not used for longest goes first. */
const keptClasses = 512;

interface Prepared {
  readonly plugins: readonly PreparedPlugin[];
  readonly names: readonly string[];
  readonly scores: readonly { readonly weight: number; score(slot: number): number }[];
  readonly filters: readonly ((slot: number) => Refusal | undefined)[];
  readonly wide: boolean;
  readonly refusesAll: Explanation | undefined;
}

class KeptClass {
  readonly prepared: Prepared;
  readonly tree = new ScoreTree();
  version = -1;

  constructor(prepared: Prepared) {
    this.prepared = prepared;
  }
}

export class Placements {
  readonly #snapshot: Snapshot;
  readonly #plugins: readonly Plugin[];
  readonly #kept = new Map<string, KeptClass>();

  constructor(snapshot: Snapshot, plugins: readonly Plugin[]) {
    this.#snapshot = snapshot;
    this.#plugins = plugins;
  }

  /** The slot for a pod of this shape; -1 when every node is refused. Places nothing. */
  choose(shape: PodShape): number {
    // A pod with required anti-affinity anywhere may bind pods of any class, on any node of its domain.
    if (this.#snapshot.guarded.size > 0 || shape.nodeName !== '') return this.chooseExhaustively(shape);
    let kept = this.#kept.get(shape.class);
    if (kept === undefined) {
      kept = new KeptClass(this.#prepare(shape));
      if (this.#kept.size >= keptClasses) this.#kept.delete(this.#kept.keys().next().value ?? '');
    } else {
      this.#kept.delete(shape.class);
    }
    this.#kept.set(shape.class, kept);
    if (kept.prepared.wide) return this.chooseExhaustively(shape);
    this.#catchUp(kept);
    return kept.tree.best();
  }

  /** As `choose`, asking every plugin about every node. */
  chooseExhaustively(shape: PodShape): number {
    const prepared = this.#prepare(shape);
    let chosen = -1;
    let best = none;
    for (let slot = 0; slot < this.#snapshot.slots; slot++) {
      const score = this.#judge(prepared, slot);
      if (score > best) {
        best = score;
        chosen = slot;
      }
    }
    return chosen;
  }

  /** Whether the node in a slot would do: asked of the snapshot as it is at each call, also when pods were taken away meanwhile. */
  fitter(shape: PodShape): (slot: number) => boolean {
    const kept = this.#prepare(shape);
    // These look at other nodes and pods once, when they are prepared.
    const asksAnew = kept.wide || this.#snapshot.guarded.size > 0;
    return (slot) => {
      const { filters, refusesAll } = asksAnew ? this.#prepare(shape) : kept;
      return refusesAll === undefined && this.#snapshot.node(slot) !== undefined && filters.every((filter) => filter(slot) === undefined);
    };
  }

  /** Every reason against every node, by slot; a node that would do has none. */
  explain(shape: PodShape): Map<number, readonly Explanation[]> {
    const { plugins, names, refusesAll } = this.#prepare(shape);
    const found = new Map<number, readonly Explanation[]>();
    for (let slot = 0; slot < this.#snapshot.slots; slot++) {
      if (this.#snapshot.node(slot) === undefined) continue;
      const reasons: Explanation[] = refusesAll === undefined ? [] : [refusesAll];
      plugins.forEach((plugin, index) => {
        for (const each of plugin.explain?.(slot) ?? []) reasons.push({ ...each, plugin: names[index] ?? '' });
      });
      found.set(slot, reasons);
    }
    return found;
  }

  /** The first reason against each node, as Kubernetes counts them: `['Insufficient cpu', 3]`. */
  reasons(shape: PodShape): Map<string, number> {
    const prepared = this.#prepare(shape);
    const counts = new Map<string, number>();
    for (let slot = 0; slot < this.#snapshot.slots; slot++) {
      if (this.#snapshot.node(slot) === undefined) continue;
      const index = prepared.filters.findIndex((filter) => filter(slot) !== undefined);
      if (index < 0) continue;
      // A plugin that refuses may have several reasons, and each is counted.
      const plugin = prepared.plugins.filter((each) => each.filter !== undefined)[index];
      const explained = plugin?.explain?.(slot) ?? [];
      const all = explained.length > 0 ? explained : [prepared.filters[index]!(slot)!];
      for (const { reason } of all) counts.set(reason, (counts.get(reason) ?? 0) + 1);
    }
    return counts;
  }

  /** The reason why no node will do whatever it is. */
  refusesAll(shape: PodShape): Explanation | undefined {
    return this.#prepare(shape).refusesAll;
  }

  #prepare(shape: PodShape): Prepared {
    const plugins: PreparedPlugin[] = [];
    const names: string[] = [];
    const scores: { weight: number; score(slot: number): number }[] = [];
    const filters: ((slot: number) => Refusal | undefined)[] = [];
    let wide = false;
    let refusesAll: Explanation | undefined;
    for (const plugin of this.#plugins) {
      const prepared = plugin.prepare(shape, this.#snapshot);
      if (prepared === undefined) continue;
      plugins.push(prepared);
      names.push(plugin.name);
      if (prepared.filter !== undefined) filters.push((slot) => prepared.filter?.(slot));
      if (prepared.score !== undefined) scores.push({ weight: plugin.weight ?? 1, score: (slot) => prepared.score?.(slot) ?? 0 });
      wide ||= prepared.wide === true || prepared.refusesAll !== undefined;
      if (prepared.refusesAll !== undefined) refusesAll ??= { ...prepared.refusesAll, plugin: plugin.name };
    }
    return { plugins, names, scores, filters, wide, refusesAll };
  }

  #judge({ filters, scores, refusesAll }: Prepared, slot: number): number {
    if (refusesAll !== undefined || this.#snapshot.node(slot) === undefined) return none;
    for (const filter of filters) if (filter(slot) !== undefined) return none;
    let sum = 0;
    for (const { weight, score } of scores) sum += weight * score(slot);
    return sum;
  }

  #catchUp(kept: KeptClass): void {
    const snapshot = this.#snapshot;
    if (kept.version === snapshot.version) return;
    const { tree, prepared } = kept;
    const behind = kept.version < 0 || !snapshot.remembers(kept.version) || snapshot.version - kept.version > snapshot.slots;
    if (behind || snapshot.slots > tree.room) {
      tree.reset(Math.max(snapshot.slots, 64));
      for (let slot = 0; slot < snapshot.slots; slot++) tree.put(slot, this.#judge(prepared, slot));
      tree.build();
    } else {
      for (const slot of snapshot.changesSince(kept.version)) tree.set(slot, this.#judge(prepared, slot));
    }
    kept.version = snapshot.version;
  }
}
