/**
 * Which pods of lower priority would have to go so that a pod finds a node: pure, on the snapshot, which is as it was afterwards. Kubernetes' rules: as few as
 * will do, those of low priority first, disruption budgets kept where that is possible.
 */
import { isTerminal } from '#api/pod-phase';
import { matchesSelector, selectorOf } from '#api/selector';
import type { Pod } from '#api/shapes/types/core-v1';
import type { PodDisruptionBudget } from '#api/shapes/types/policy-v1';
import type { Placements } from './placement.ts';
import type { PodShape } from './pod-shape.ts';
import type { Snapshot } from './snapshot.ts';

/** A pod that waits for its own victims to go, and is counted on their node meanwhile. */
interface ReservedPod {
  readonly uid: string;
  readonly shape: PodShape;
}

interface PreemptionQuestion {
  readonly placements: Placements;
  readonly snapshot: Snapshot;
  readonly shape: PodShape;
  readonly priority: number;
  /** The pods of a node, as the API has them. */
  podsOn(node: string): readonly Pod[];
  /** Those that wait for the node in this slot with a lower priority. */
  reservedOn(slot: number): readonly ReservedPod[];
  readonly budgets: readonly PodDisruptionBudget[];
}

interface Victims {
  readonly slot: number;
  /** To be deleted. */
  readonly pods: readonly Pod[];
  /** Of lower priority too, and on their way already. */
  readonly going: readonly Pod[];
  /** Those that have to look for another node. */
  readonly reserved: readonly ReservedPod[];
}

interface Candidate extends Victims {
  readonly violations: number;
}

/** Nodes that are enough to choose from. */
const mostCandidates = 100;

export function priorityOf(pod: Pod): number {
  return pod.spec.priority ?? 0;
}

/** Undefined: no node would do, whoever went. */
export function findVictims(question: PreemptionQuestion): Victims | undefined {
  const { snapshot, placements, shape } = question;
  const fits = placements.fitter(shape);
  const candidates: Candidate[] = [];
  for (let slot = 0; slot < snapshot.slots && candidates.length < mostCandidates; slot++) {
    const candidate = tryNode(question, slot, fits);
    if (candidate !== undefined) candidates.push(candidate);
  }
  return candidates.reduce<Candidate | undefined>((best, next) => (best === undefined || isBetter(next, best) ? next : best), undefined);
}

function tryNode(question: PreemptionQuestion, slot: number, fits: (slot: number) => boolean): Candidate | undefined {
  const { snapshot, priority } = question;
  if (snapshot.node(slot) === undefined) return undefined;
  const lower = question.podsOn(snapshot.nameOf(slot)).filter((pod) => {
    return priorityOf(pod) < priority && !isTerminal(pod) && snapshot.placed(pod.metadata.uid ?? '')?.slot === slot;
  });
  const reserved = question.reservedOn(slot);
  if (lower.length === 0 && reserved.length === 0) return undefined;
  return snapshot.tentatively(() => {
    for (const pod of lower) snapshot.removePod(pod);
    for (const { uid } of reserved) snapshot.forget(uid);
    try {
      if (!fits(slot)) return undefined;
      const going = lower.filter(({ metadata }) => metadata.deletionTimestamp !== undefined);
      const staying = lower.filter(({ metadata }) => metadata.deletionTimestamp === undefined).toSorted(byImportance);
      const { violating, others } = sortByBudgets(staying, question.budgets);
      const pods: Pod[] = [];
      let violations = 0;
      // Whoever can stay stays: first those whose going would break a budget, and of each sort the most important.
      for (const [list, isViolation] of [
        [violating, 1],
        [others, 0],
      ] as const) {
        for (const pod of list) {
          snapshot.setPod(pod);
          if (fits(slot)) continue;
          snapshot.removePod(pod);
          pods.push(pod);
          violations += isViolation;
        }
      }
      return { slot, pods: pods.toSorted(byImportance), going, reserved, violations };
    } finally {
      for (const pod of lower) snapshot.setPod(pod);
      for (const { uid, shape } of reserved) snapshot.assume(uid, shape, slot);
    }
  });
}

/** Higher priority first, then who has run for longer. */
function byImportance(a: Pod, b: Pod): number {
  return priorityOf(b) - priorityOf(a) || startOf(a) - startOf(b);
}

function startOf({ metadata, status }: Pod): number {
  const time = Date.parse(status?.startTime ?? metadata.creationTimestamp ?? '');
  return Number.isNaN(time) ? 0 : time;
}

/** Which pods' going would be one more than a budget allows, each budget being used up by the pods before. */
function sortByBudgets(pods: readonly Pod[], budgets: readonly PodDisruptionBudget[]): { violating: Pod[]; others: Pod[] } {
  const left = budgets.map(({ metadata, spec, status }) => ({
    namespace: metadata.namespace,
    selector: selectorOf(spec.selector),
    allowed: status?.disruptionsAllowed ?? 0,
  }));
  const violating: Pod[] = [];
  const others: Pod[] = [];
  for (const pod of pods) {
    let isViolating = false;
    for (const budget of left) {
      if (budget.namespace !== pod.metadata.namespace || budget.selector === undefined) continue;
      if (!matchesSelector(budget.selector, pod.metadata.labels)) continue;
      budget.allowed--;
      isViolating ||= budget.allowed < 0;
    }
    (isViolating ? violating : others).push(pod);
  }
  return { violating, others };
}

/** Kubernetes' order: fewest broken budgets, the least important of the most important victims, the smallest sum, the fewest, the youngest. */
function isBetter(a: Candidate, b: Candidate): boolean {
  const [first, second] = [rank(a), rank(b)];
  for (const [index, value] of first.entries()) if (value !== second[index]) return value < second[index]!;
  return false;
}

/** Added to each priority, so that more victims are a larger sum whatever their sign. */
const positive = 2 ** 31;

function rank({ violations, pods }: Candidate): number[] {
  const [top] = pods;
  if (top === undefined) return [0, Number.NEGATIVE_INFINITY, 0, 0, 0];
  const highest = pods.filter((pod) => priorityOf(pod) === priorityOf(top));
  const sum = pods.reduce((total, pod) => total + priorityOf(pod) + positive, 0);
  return [violations, priorityOf(top), sum, pods.length, -Math.min(...highest.map(startOf))];
}
