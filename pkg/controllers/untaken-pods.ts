/** Says of pods that their node has been given and has not taken up why they wait: the node's agent has told nothing of them. */
import { nodes, pods } from '#api/shapes/resources';
import type { Node, Pod } from '#api/shapes/types/core-v1';
import { keyOf } from '#client/informer';
import { defineController, mapped } from './controller.ts';

/** An agent that is well tells of a pod within a second. */
const patience = 8_000;
const again = 300_000;

export const untakenPods = defineController({
  name: 'untaken-pods',
  watches: () => [mapped(pods, (pod) => (isUntaken(pod) ? [keyOf(pod)] : []))],
  reads: [nodes],
  reconcile: async (key, { store, clock, events }) => {
    const pod = store(pods).get(key);
    if (pod === undefined || !isUntaken(pod)) return undefined;
    const left = boundAt(pod) + patience - clock.now();
    if (left > 0) return { after: left };
    const node = store(nodes).get(pod.spec.nodeName ?? '');
    // Of nodes that do not exist the collection of pods tells.
    if (node === undefined) return undefined;
    events.event(pod, 'Warning', 'NodeNotResponding', whyUntaken(node));
    return { after: again };
  },
});

/** On a node, and the node has said nothing of it: what an agent says first has a start time. */
export function isUntaken({ metadata, spec, status }: Pod): boolean {
  return (
    (spec.nodeName ?? '') !== '' && metadata.deletionTimestamp === undefined && status?.startTime === undefined && isPending(status?.phase)
  );
}

/** When the pod was given to its node, in milliseconds since 1970; a pod that named its node itself, when it was made. */
export function boundAt({ metadata, status }: Pod): number {
  const scheduled = status?.conditions?.find(({ type }) => type === 'PodScheduled');
  const time = Date.parse((scheduled?.status === 'True' ? scheduled.lastTransitionTime : undefined) ?? metadata.creationTimestamp ?? '');
  return Number.isNaN(time) ? 0 : time;
}

export function whyUntaken({ metadata, status }: Node): string {
  const ready = status?.conditions?.find(({ type }) => type === 'Ready');
  const state = ready?.status === 'True' ? '' : ` The node is not ready: ${ready?.message ?? 'its agent has not reported yet'}.`;
  return `Node ${metadata.name} has not taken up the pod: its agent has stopped or does not answer (its log on the node says more).${state} The pod starts when it answers.`;
}

function isPending(phase: string | undefined): boolean {
  return phase === undefined || phase === '' || phase === 'Pending';
}
