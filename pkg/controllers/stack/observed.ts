/** What there is for a stack, and how its pods are read. Pure. */

import { isTerminal } from '#api/pod-phase';
import type { Stack, StackServiceStatus } from '#api/shapes/types/compose-v1alpha1';
import type { ConfigMap, Node, PersistentVolumeClaim, Pod, Secret, Service } from '#api/shapes/types/core-v1';
import { serviceLabel, slotLabel, templateHashLabel } from '#compose/convert/names';
import { isReady } from '../pod-state.ts';

export interface ObservedStack {
  readonly stack: Stack;
  /** Owned by the stack, and by name in its namespace where it would make one: whatever has the name. */
  readonly pods: readonly Pod[];
  readonly services: readonly Service[];
  readonly claims: readonly PersistentVolumeClaim[];
  /** Owned, or an orphan with the stack's label. */
  readonly configMaps: readonly ConfigMap[];
  readonly secrets: readonly Secret[];
  readonly nodes: ReadonlyMap<string, Node>;
  /** Milliseconds since 1970. */
  readonly now: number;
}

/** How long a node may be silent before what it ran unfinished is started elsewhere, in milliseconds. */
export const lostAfter = 300_000;

/** `Lost`: it will not end by itself nor go on, for no reason of its own. */
export type PodState = 'Terminating' | 'Lost' | 'Completed' | 'Failed' | 'Ready' | 'Running' | 'Starting';

export function podStateOf(pod: Pod, nodes: ReadonlyMap<string, Node>, now: number): PodState {
  const { phase, reason } = pod.status ?? {};
  if (phase === 'Succeeded' && pod.metadata.deletionTimestamp === undefined) return 'Completed';
  if (!isTerminal(pod) && isNodeLost(pod, nodes, now)) return 'Lost';
  if (pod.metadata.deletionTimestamp !== undefined) return 'Terminating';
  // A pod that failed with a reason was ended by its node (evicted, refused, shut down): that says nothing about its program.
  if (phase === 'Failed') return reason !== undefined && reason !== '' && reason !== 'DeadlineExceeded' ? 'Lost' : 'Failed';
  if (isReady(pod)) return 'Ready';
  return phase === 'Running' && (pod.status?.containerStatuses ?? []).every(({ state }) => state?.running !== undefined)
    ? 'Running'
    : 'Starting';
}

function isNodeLost(pod: Pod, nodes: ReadonlyMap<string, Node>, now: number): boolean {
  const wait = timeUntilLost(pod, nodes, now);
  return wait !== undefined && wait <= 0;
}

/**
 * Milliseconds until the pod counts as lost with its node; undefined while the node is heard of. Pods of a node that does not exist any more are removed by
 * the collection of pods.
 */
export function timeUntilLost(pod: Pod, nodes: ReadonlyMap<string, Node>, now: number): number | undefined {
  const ready = nodes.get(pod.spec.nodeName ?? '')?.status?.conditions?.find(({ type }) => type === 'Ready');
  if (ready?.status !== 'Unknown') return undefined;
  const since = Date.parse(ready.lastTransitionTime ?? '');
  return Number.isNaN(since) ? lostAfter : since + lostAfter - now;
}

export function serviceOf(pod: Pod): string {
  return pod.metadata.labels?.[serviceLabel] ?? '';
}

/** 0 where the label is missing or no slot's. */
export function slotOf(pod: Pod): number {
  const text = pod.metadata.labels?.[slotLabel] ?? '';
  return /^[1-9]\d{0,5}$/.test(text) ? Number(text) : 0;
}

export function hashOf(pod: Pod): string {
  return pod.metadata.labels?.[templateHashLabel] ?? '';
}

export function previousStatus(stack: Stack, service: string): StackServiceStatus | undefined {
  return stack.status?.services?.find(({ name }) => name === service);
}
