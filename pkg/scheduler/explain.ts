/**
 * Why a pod is where it is, or nowhere: node by node what is missing, and the smallest change that would help. Pure: from lists alone, so
 * that the CLI says by the same plugins what the scheduler decides by.
 */
import { matchesSelector } from '#api/selector';
import type { Namespace, Node, PersistentVolume, PersistentVolumeClaim, Pod } from '#api/shapes/types/core-v1';
import type { StorageClass } from '#api/shapes/types/storage-v1';
import type { Explanation, Plugin } from './framework.ts';
import { Placements } from './placement.ts';
import { plugins as allPlugins } from './plugins/index.ts';
import { podShapeOf } from './pod-shape.ts';
import { Snapshot } from './snapshot.ts';
import { chosenNodeOf, waitsForConsumer } from './volume-claims.ts';

export interface ClusterLists {
  readonly nodes: readonly Node[];
  /** All pods of all namespaces: what is placed takes room. */
  readonly pods: readonly Pod[];
  /** Needed for pods with claims. */
  readonly claims?: readonly PersistentVolumeClaim[];
  readonly volumes?: readonly PersistentVolume[];
  readonly storageClasses?: readonly StorageClass[];
  /** Needed for pods whose affinity selects namespaces. */
  readonly namespaces?: readonly Namespace[];
}

export interface NodeExplanation {
  readonly node: string;
  readonly fits: boolean;
  /** Every reason against this node; empty when it fits. */
  readonly refusals: readonly Explanation[];
}

export interface PodExplanation {
  /** One line, in the words of the FailedScheduling event; for a pod that fits, which node it would get. */
  readonly summary: string;
  /** The node that the scheduler would choose now. */
  readonly chosen: string | undefined;
  /** Nearest to fitting first. */
  readonly nodes: readonly NodeExplanation[];
  /** What would help, on the node where least is missing. */
  readonly smallestChange: string | undefined;
}

/** Explains where the pod could be placed now; that it is placed already does not matter to the answer. Never throws for a valid pod. */
export function explainPod(pod: Pod, lists: ClusterLists, plugins: readonly Plugin[] = allPlugins): PodExplanation {
  const snapshot = new Snapshot({
    claim: (namespace, name) => lists.claims?.find(({ metadata }) => metadata.name === name && metadata.namespace === namespace),
    volume: (name) => lists.volumes?.find(({ metadata }) => metadata.name === name),
    chosenNode: (namespace, name) =>
      chosenNodeOf(lists.claims?.find(({ metadata }) => metadata.name === name && metadata.namespace === namespace)),
    waitsForConsumer: (claim) => waitsForConsumer(claim, (name) => lists.storageClasses?.find(({ metadata }) => metadata.name === name)),
    namespacesWith: (selector) =>
      (lists.namespaces ?? [])
        .filter(({ metadata }) => matchesSelector(selector, metadata.labels))
        .map(({ metadata }) => metadata.name ?? ''),
  });
  for (const node of lists.nodes) snapshot.setNode(node);
  for (const other of lists.pods) if (other.metadata.uid !== pod.metadata.uid) snapshot.setPod(other);
  return explainPlacement(new Placements(snapshot, plugins), snapshot, pod);
}

export function explainPlacement(placements: Placements, snapshot: Snapshot, pod: Pod): PodExplanation {
  const shape = podShapeOf(pod);
  const slot = placements.choose(shape);
  const nodes = [...placements.explain(shape)]
    .map(([at, refusals]) => ({ node: snapshot.nameOf(at), fits: refusals.length === 0, refusals }))
    .toSorted((a, b) => effortOf(a) - effortOf(b) || (a.node < b.node ? -1 : 1));
  const nearest = nodes[0];
  const chosen = slot < 0 ? undefined : snapshot.nameOf(slot);
  return {
    summary: chosen === undefined ? refusalText(placements, snapshot, shape) : `would be placed on ${chosen}`,
    chosen,
    nodes,
    smallestChange: chosen !== undefined || nearest === undefined ? undefined : nearest.refusals.map(({ help }) => help).join('; '),
  };
}

/** `0/3 nodes are available: 1 Insufficient cpu, 2 node(s) were unschedulable.`: Kubernetes' words, which tools and people look for. */
export function refusalText(placements: Placements, snapshot: Snapshot, shape: ReturnType<typeof podShapeOf>): string {
  const all = snapshot.nodeCount;
  if (all === 0) return 'no nodes available to schedule pods';
  const whole = placements.refusesAll(shape);
  if (whole !== undefined) return `0/${all} nodes are available: ${whole.reason}.`;
  const reasons = [...placements.reasons(shape)].map(([reason, count]) => `${count} ${reason}`).toSorted();
  return `0/${all} nodes are available: ${reasons.join(', ')}.`;
}

function effortOf({ refusals }: NodeExplanation): number {
  return refusals.reduce((sum, { effort }) => sum + effort, 0);
}
