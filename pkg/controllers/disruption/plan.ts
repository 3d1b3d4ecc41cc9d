/** How many pods of a PodDisruptionBudget may be evicted now: pure. The eviction itself takes its share from what is written here. */
import { deepEqual } from '#api/equality';
import { scaledValue } from '#api/int-or-string';
import type { Pod } from '#api/shapes/types/core-v1';
import type { Condition } from '#api/shapes/types/meta-v1';
import type { PodDisruptionBudget, PodDisruptionBudgetStatus } from '#api/shapes/types/policy-v1';
import { formatTime } from '#base/clock';
import { isReady } from '../pod-state.ts';

/** How many pods there should be, by those who make them. */
export type Expected = { readonly count: number; readonly unmanaged: readonly string[] } | { readonly error: string };

export interface DisruptionPlan {
  readonly status: PodDisruptionBudgetStatus;
  /** Names of pods that were evicted and did not go in time: they count again. */
  readonly overdue: readonly string[];
  /** Milliseconds until an evicted pod that has not gone counts again. */
  readonly after: number | undefined;
}

/** A pod that was evicted and is still there after this long stays, it seems. */
const evictionTimeout = 120_000;

/** `pods`: all that the budget selects. `expected` is asked for where the budget is not a plain number of pods. */
export function planDisruption(budget: PodDisruptionBudget, pods: readonly Pod[], expected: () => Expected, now: number): DisruptionPlan {
  const evicted = evictedOf(budget, pods, now);
  const currentHealthy = pods.filter(
    (pod) => pod.metadata.deletionTimestamp === undefined && !Object.hasOwn(evicted.pods, pod.metadata.name ?? '') && isReady(pod),
  ).length;
  const need = needOf(budget, pods, expected);
  const rest = { overdue: evicted.overdue, after: evicted.after };
  if ('error' in need) {
    // Nothing is evicted on the strength of what is not known.
    const status = { currentHealthy: 0, desiredHealthy: 0, expectedPods: 0, ...budget.status, disruptionsAllowed: 0 };
    const condition = { status: 'False', reason: 'SyncFailed', message: need.error };
    return { ...rest, status: { ...status, conditions: conditionsOf(budget, condition, now) } };
  }
  const { expectedPods, desiredHealthy } = need;
  const disruptionsAllowed = expectedPods <= 0 ? 0 : Math.max(0, currentHealthy - desiredHealthy);
  const reason = disruptionsAllowed > 0 ? 'SufficientPods' : 'InsufficientPods';
  return {
    ...rest,
    status: {
      currentHealthy,
      desiredHealthy,
      expectedPods,
      disruptionsAllowed,
      ...(Object.keys(evicted.pods).length === 0 ? {} : { disruptedPods: evicted.pods }),
      observedGeneration: budget.metadata.generation ?? 0,
      conditions: conditionsOf(budget, { status: disruptionsAllowed > 0 ? 'True' : 'False', reason, message: '' }, now),
    },
  };
}

interface Need {
  readonly expectedPods: number;
  readonly desiredHealthy: number;
}

function needOf({ spec }: PodDisruptionBudget, pods: readonly Pod[], expected: () => Expected): Need | { readonly error: string } {
  const { minAvailable, maxUnavailable } = spec;
  if (typeof minAvailable === 'number') return { expectedPods: pods.length, desiredHealthy: minAvailable };
  if (minAvailable === undefined && maxUnavailable === undefined) return { expectedPods: pods.length, desiredHealthy: 0 };
  const found = expected();
  if ('error' in found) return found;
  const expectedPods = found.count;
  const share = scaledValue(maxUnavailable ?? minAvailable ?? 0, expectedPods, true) ?? 0;
  return { expectedPods, desiredHealthy: maxUnavailable === undefined ? share : Math.max(0, expectedPods - share) };
}

/** Pods that were evicted, and are not gone yet though the budget counts them so. */
function evictedOf(
  { status }: PodDisruptionBudget,
  pods: readonly Pod[],
  now: number,
): { pods: Record<string, string>; overdue: string[]; after: number | undefined } {
  const kept: Record<string, string> = {};
  const overdue: string[] = [];
  let after: number | undefined;
  for (const [name, time] of Object.entries(status?.disruptedPods ?? {})) {
    const pod = pods.find(({ metadata }) => metadata.name === name);
    if (pod === undefined || pod.metadata.deletionTimestamp !== undefined) continue;
    const left = Date.parse(time) + evictionTimeout - now;
    if (!(left > 0)) {
      overdue.push(name);
      continue;
    }
    kept[name] = time;
    after = Math.min(after ?? left, left);
  }
  return { pods: kept, overdue, after };
}

function conditionsOf(
  { metadata, status }: PodDisruptionBudget,
  { status: is, reason, message }: Pick<Condition, 'status' | 'reason' | 'message'>,
  now: number,
): Condition[] {
  const type = 'DisruptionAllowed';
  const present = status?.conditions?.find((each) => each.type === type);
  const condition: Condition = {
    type,
    status: is,
    reason,
    message,
    observedGeneration: metadata.generation ?? 0,
    lastTransitionTime: present?.status === is ? present.lastTransitionTime : formatTime(now),
  };
  return [...(status?.conditions ?? []).filter((each) => each.type !== type), condition];
}

export function statusDiffers(a: PodDisruptionBudgetStatus | undefined, b: PodDisruptionBudgetStatus): boolean {
  const filled = (status: PodDisruptionBudgetStatus | undefined): unknown => ({
    currentHealthy: 0,
    desiredHealthy: 0,
    expectedPods: 0,
    disruptionsAllowed: 0,
    observedGeneration: 0,
    disruptedPods: {},
    ...status,
  });
  return !deepEqual(filled(a), filled(b));
}
