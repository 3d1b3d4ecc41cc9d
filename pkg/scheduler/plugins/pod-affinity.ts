import { matchesSelector, type Selector, selectorOf } from '#api/selector';
import type { PodAffinityTerm, WeightedPodAffinityTerm } from '#api/shapes/types/core-v1';
import type { Explanation, Plugin, Refusal } from '../framework.ts';
import type { PodShape } from '../pod-shape.ts';
import type { Snapshot } from '../snapshot.ts';

const plugin = 'InterPodAffinity';
const lonely: Refusal = { plugin, reason: "node(s) didn't match pod affinity rules" };
const crowded: Refusal = { plugin, reason: "node(s) didn't match pod anti-affinity rules" };
const unwelcome: Refusal = { plugin, reason: "node(s) didn't satisfy existing pods anti-affinity rules" };

/** Pods that must, must not or would rather share a domain with others; also what pods already placed demand of newcomers. */
export const podAffinity: Plugin = {
  name: plugin,
  weight: 2,
  prepare: (shape, snapshot) => {
    const { podAffinity: towards, podAntiAffinity: away } = shape.affinity;
    const together = (towards?.requiredDuringSchedulingIgnoredDuringExecution ?? []).map((term) => new Term(term, shape, snapshot));
    const apart = (away?.requiredDuringSchedulingIgnoredDuringExecution ?? []).map((term) => new Term(term, shape, snapshot));
    const barred = barredDomains(shape, snapshot);
    const scored = [
      ...weighted(towards?.preferredDuringSchedulingIgnoredDuringExecution, 1, shape, snapshot),
      ...weighted(away?.preferredDuringSchedulingIgnoredDuringExecution, -1, shape, snapshot),
    ];
    if (together.length + apart.length + barred.length + scored.length === 0) return undefined;
    // The first of a group that wants to be together is let in anywhere, or none ever would be.
    const first = together.length > 0 && together.every((term) => term.isEmpty && term.matches(shape));
    const isLonely = (slot: number): boolean => together.some((term) => !term.hasDomain(slot) || (!first && term.count(slot) === 0));
    const isCrowded = (slot: number): boolean => apart.some((term) => term.count(slot) > 0);
    const isBarred = (slot: number): boolean => barred.some(({ key, value }) => snapshot.labelsOf(slot)[key] === value);
    return {
      wide: true,
      filter: (slot) => {
        if (isLonely(slot)) return lonely;
        if (isCrowded(slot)) return crowded;
        return isBarred(slot) ? unwelcome : undefined;
      },
      explain: (slot) => {
        const found: Explanation[] = [];
        if (isLonely(slot)) {
          found.push({ ...lonely, detail: 'no pod that this pod must be with is here', help: 'start those pods first', effort: 4 });
        }
        if (isCrowded(slot)) {
          found.push({
            ...crowded,
            detail: 'a pod that this pod must be apart from is here',
            help: 'add a node, or remove that pod',
            effort: 4,
          });
        }
        if (isBarred(slot)) {
          found.push({
            ...unwelcome,
            detail: 'a pod that is here demands to be apart from this pod',
            help: 'add a node, or remove that pod',
            effort: 4,
          });
        }
        return found;
      },
      ...(scored.length === 0 ? {} : { score: scorer(scored, snapshot) }),
    };
  },
};

/** One term: how many matching pods the domain of each node has. */
class Term {
  readonly #key: string;
  readonly #snapshot: Snapshot;
  readonly #counts = new Map<string, number>();
  readonly matches: (other: PodShape) => boolean;

  constructor(term: PodAffinityTerm, shape: PodShape, snapshot: Snapshot) {
    this.#key = term.topologyKey;
    this.#snapshot = snapshot;
    const { key, matches } = matcherOf(term, shape, snapshot);
    this.matches = matches;
    for (const [slot, count] of snapshot.countPods(key, matches)) {
      const domain = snapshot.labelsOf(slot)[this.#key];
      if (domain !== undefined) this.#counts.set(domain, (this.#counts.get(domain) ?? 0) + count);
    }
  }

  get isEmpty(): boolean {
    return this.#counts.size === 0;
  }

  hasDomain(slot: number): boolean {
    return this.#snapshot.labelsOf(slot)[this.#key] !== undefined;
  }

  count(slot: number): number {
    const domain = this.#snapshot.labelsOf(slot)[this.#key];
    return domain === undefined ? 0 : (this.#counts.get(domain) ?? 0);
  }
}

/** The domains from which pods already placed keep such a pod away. */
function barredDomains(shape: PodShape, snapshot: Snapshot): { key: string; value: string }[] {
  const barred: { key: string; value: string }[] = [];
  for (const { shape: guard, slot } of snapshot.guarded.values()) {
    for (const term of guard.affinity.podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []) {
      const value = snapshot.labelsOf(slot)[term.topologyKey];
      if (value !== undefined && matcherOf(term, guard, snapshot).matches(shape)) barred.push({ key: term.topologyKey, value });
    }
  }
  return barred;
}

function weighted(
  terms: readonly WeightedPodAffinityTerm[] | undefined,
  sign: 1 | -1,
  shape: PodShape,
  snapshot: Snapshot,
): { weight: number; term: Term }[] {
  return (terms ?? []).map(({ weight, podAffinityTerm }) => ({ weight: sign * weight, term: new Term(podAffinityTerm, shape, snapshot) }));
}

/** From the sums of weights to 0…100 between the worst and the best node. */
function scorer(scored: readonly { weight: number; term: Term }[], snapshot: Snapshot): (slot: number) => number {
  const sumAt = (slot: number): number => scored.reduce((sum, { weight, term }) => sum + weight * term.count(slot), 0);
  let least = Number.POSITIVE_INFINITY;
  let most = Number.NEGATIVE_INFINITY;
  for (let slot = 0; slot < snapshot.slots; slot++) {
    if (snapshot.node(slot) === undefined) continue;
    const sum = sumAt(slot);
    least = Math.min(least, sum);
    most = Math.max(most, sum);
  }
  return (slot) => (most === least ? 0 : (100 * (sumAt(slot) - least)) / (most - least));
}

function matcherOf(term: PodAffinityTerm, shape: PodShape, snapshot: Snapshot): { key: string; matches: (other: PodShape) => boolean } {
  const selector = selectorFor(term, shape);
  const inNamespaces = selectorOf(term.namespaceSelector);
  const listed = term.namespaces ?? [];
  const own = listed.length === 0 && inNamespaces === undefined ? [shape.namespace] : listed;
  const namespaces = new Set([...own, ...(inNamespaces === undefined ? [] : snapshot.lookup.namespacesWith(inNamespaces))]);
  return {
    key: `affinity ${[...namespaces].toSorted().join(',')} ${JSON.stringify(selector)}`,
    matches: (other) => selector !== undefined && namespaces.has(other.namespace) && matchesSelector(selector, other.labels),
  };
}

function selectorFor(term: PodAffinityTerm, shape: PodShape): Selector | undefined {
  const selector = selectorOf(term.labelSelector);
  if (selector === undefined) return undefined;
  const present = (keys: readonly string[] | undefined) => (keys ?? []).filter((key) => shape.labels[key] !== undefined);
  return [
    ...selector,
    ...present(term.matchLabelKeys).map((key) => ({ key, operator: 'In' as const, values: [shape.labels[key] ?? ''] })),
    ...present(term.mismatchLabelKeys).map((key) => ({ key, operator: 'NotIn' as const, values: [shape.labels[key] ?? ''] })),
  ];
}
