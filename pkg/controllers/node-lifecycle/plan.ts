/** Which taints a node should have, from its conditions: pure. */
import { deepEqual } from '#api/equality';
import type { Node, Taint } from '#api/shapes/types/core-v1';

export const notReadyTaint = 'node.kubernetes.io/not-ready';
export const unreachableTaint = 'node.kubernetes.io/unreachable';

/** Conditions other than Ready that keep new pods away, and by which taint. */
const pressureTaints: Readonly<Record<string, string>> = {
  MemoryPressure: 'node.kubernetes.io/memory-pressure',
  DiskPressure: 'node.kubernetes.io/disk-pressure',
  PIDPressure: 'node.kubernetes.io/pid-pressure',
  NetworkUnavailable: 'node.kubernetes.io/network-unavailable',
};
const unschedulableTaint = 'node.kubernetes.io/unschedulable';

const ours: ReadonlySet<string> = new Set([notReadyTaint, unreachableTaint, unschedulableTaint, ...Object.values(pressureTaints)]);

/** `True`, `False` or `Unknown` (silent, or never heard of). */
export function readinessOf(node: Node): 'True' | 'False' | 'Unknown' {
  const status = node.status?.conditions?.find(({ type }) => type === 'Ready')?.status;
  return status === 'True' || status === 'False' ? status : 'Unknown';
}

/**
 * The taints that the node should have; undefined when it has them. `evict`: whether pods may be driven off a node that is not ready: not
 * when no node is, for then it is more likely that we are cut off than that all have failed.
 */
export function planTaints(node: Node, evict: boolean, now: string): Taint[] | undefined {
  const present = node.spec?.taints ?? [];
  const wanted: Taint[] = [];
  const readiness = readinessOf(node);
  if (readiness !== 'True') {
    const key = readiness === 'False' ? notReadyTaint : unreachableTaint;
    wanted.push({ key, effect: 'NoSchedule' });
    const driven = present.find((taint) => taint.effect === 'NoExecute' && taint.key === key);
    if (driven !== undefined && evict) wanted.push(driven);
    else if (evict) wanted.push({ key, effect: 'NoExecute', timeAdded: now });
  }
  for (const condition of node.status?.conditions ?? []) {
    const key = pressureTaints[condition.type];
    if (key !== undefined && condition.status === 'True') wanted.push({ key, effect: 'NoSchedule' });
  }
  if (node.spec?.unschedulable === true) wanted.push({ key: unschedulableTaint, effect: 'NoSchedule' });
  const others = present.filter((taint) => !ours.has(taint.key));
  const kept = wanted.map((taint) => present.find((each) => each.key === taint.key && each.effect === taint.effect) ?? taint);
  const taints = [...others, ...kept];
  return deepEqual(sorted(taints), sorted(present)) ? undefined : taints;
}

function sorted(taints: readonly Taint[]): Taint[] {
  return taints.toSorted((a, b) => (`${a.key} ${a.effect}` < `${b.key} ${b.effect}` ? -1 : 1));
}
