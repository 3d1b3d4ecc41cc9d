import { matchesNodeSelector } from '#api/node-selector';
import { matchesSelector, type Selector, selectorOf } from '#api/selector';
import type { TopologySpreadConstraint } from '#api/shapes/types/core-v1';
import { tolerates } from '#api/tolerations';
import type { Explanation, Plugin, Refusal } from '../framework.ts';
import type { PodShape } from '../pod-shape.ts';
import type { Snapshot } from '../snapshot.ts';

const plugin = 'PodTopologySpread';
const skewed: Refusal = { plugin, reason: "node(s) didn't match pod topology spread constraints" };
const unlabelled: Refusal = { plugin, reason: "node(s) didn't match pod topology spread constraints (missing required label)" };

/** `topologySpreadConstraints`: those that must hold refuse, the others score. */
export const topologySpread: Plugin = {
  name: plugin,
  weight: 2,
  prepare: (shape, snapshot) => {
    if (shape.spreadConstraints.length === 0) return undefined;
    const domains = shape.spreadConstraints.map((constraint) => new Domains(constraint, shape, snapshot));
    const hard = domains.filter(({ constraint }) => constraint.whenUnsatisfiable !== 'ScheduleAnyway');
    const soft = domains.filter(({ constraint }) => constraint.whenUnsatisfiable === 'ScheduleAnyway');
    return {
      wide: true,
      filter: (slot) => {
        for (const each of hard) {
          const refusal = each.refusal(slot);
          if (refusal !== undefined) return refusal;
        }
        return undefined;
      },
      explain: (slot) => hard.map((each) => each.explain(slot)).filter((found) => found !== undefined),
      ...(soft.length === 0 ? {} : { score: (slot: number) => soft.reduce((sum, each) => sum + each.evenness(slot), 0) / soft.length }),
    };
  },
};

/** How many of the selected pods each domain of one constraint has. */
class Domains {
  readonly constraint: TopologySpreadConstraint;
  readonly #snapshot: Snapshot;
  readonly #counts = new Map<string, number>();
  readonly #itself: number;
  #least = 0;
  #most = 0;

  constructor(constraint: TopologySpreadConstraint, shape: PodShape, snapshot: Snapshot) {
    this.constraint = constraint;
    this.#snapshot = snapshot;
    const selector = selectorFor(constraint, shape);
    const matches = (other: PodShape): boolean =>
      selector !== undefined && other.namespace === shape.namespace && matchesSelector(selector, other.labels);
    this.#itself = matches(shape) ? 1 : 0;
    const pods = snapshot.countPods(`spread ${shape.namespace} ${JSON.stringify(selector)}`, matches);
    for (let slot = 0; slot < snapshot.slots; slot++) {
      if (snapshot.node(slot) === undefined || !this.#counted(shape, slot)) continue;
      const domain = snapshot.labelsOf(slot)[constraint.topologyKey];
      if (domain !== undefined) this.#counts.set(domain, (this.#counts.get(domain) ?? 0) + (pods.get(slot) ?? 0));
    }
    const counts = [...this.#counts.values()];
    this.#most = counts.reduce((most, count) => Math.max(most, count), 0);
    this.#least = counts.length < (constraint.minDomains ?? 1) ? 0 : counts.reduce((least, count) => Math.min(least, count), this.#most);
  }

  refusal(slot: number): Refusal | undefined {
    const domain = this.#snapshot.labelsOf(slot)[this.constraint.topologyKey];
    if (domain === undefined) return unlabelled;
    return this.#skew(domain) > this.constraint.maxSkew ? skewed : undefined;
  }

  explain(slot: number): Explanation | undefined {
    const refusal = this.refusal(slot);
    if (refusal === undefined) return undefined;
    const { topologyKey, maxSkew } = this.constraint;
    const domain = this.#snapshot.labelsOf(slot)[topologyKey];
    if (domain === undefined) {
      const node = this.#snapshot.nameOf(slot);
      const help = `label the node: kubectl label node ${node} ${topologyKey}=…`;
      return { ...refusal, detail: `has no label ${topologyKey}`, help, effort: 1 };
    }
    return {
      ...refusal,
      detail: `${topologyKey} ${domain} has ${this.#counts.get(domain) ?? 0} of the pods and another has ${this.#least}; with one more the difference exceeds ${maxSkew}`,
      help: `make room in the ${topologyKey} that has fewest, or raise maxSkew to ${this.#skew(domain)}`,
      effort: 3,
    };
  }

  /** 100 where fewest of the pods are, 0 where most are. */
  evenness(slot: number): number {
    const domain = this.#snapshot.labelsOf(slot)[this.constraint.topologyKey];
    if (domain === undefined) return 0;
    if (this.#most === this.#least) return 100;
    return (100 * (this.#most - (this.#counts.get(domain) ?? 0))) / (this.#most - this.#least);
  }

  #skew(domain: string): number {
    return (this.#counts.get(domain) ?? 0) + this.#itself - this.#least;
  }

  #counted(shape: PodShape, slot: number): boolean {
    const labels = this.#snapshot.labelsOf(slot);
    if (this.constraint.nodeAffinityPolicy !== 'Ignore') {
      if (Object.entries(shape.nodeSelector).some(([key, value]) => labels[key] !== value)) return false;
      const required = shape.affinity.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
      if (required !== undefined && !matchesNodeSelector(required, { name: this.#snapshot.nameOf(slot), labels })) return false;
    }
    if (this.constraint.nodeTaintsPolicy !== 'Honor') return true;
    return this.#snapshot.taintsOf(slot).every((taint) => taint.effect === 'PreferNoSchedule' || tolerates(shape.tolerations, taint));
  }
}

function selectorFor(constraint: TopologySpreadConstraint, shape: PodShape): Selector | undefined {
  const selector = selectorOf(constraint.labelSelector);
  if (selector === undefined) return undefined;
  const byKey = (constraint.matchLabelKeys ?? [])
    .filter((key) => shape.labels[key] !== undefined)
    .map((key) => ({ key, operator: 'In' as const, values: [shape.labels[key] ?? ''] }));
  return [...selector, ...byKey];
}
