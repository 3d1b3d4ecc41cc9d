/** Deletes pods from nodes with a NoExecute taint that they do not tolerate, or not for as long. */
import { nodes, pods } from '#api/shapes/resources';
import type { Pod, Taint } from '#api/shapes/types/core-v1';
import { tolerates } from '#api/tolerations';
import { formatTime } from '#base/clock';
import { hasReason } from '#base/errors';
import { keyOf, splitKey } from '#client/informer';
import { podsByNode } from '#client/pod-index';
import { defineController, mapped } from '../controller.ts';
import { isActive } from '../pod-state.ts';

export const taintEviction = defineController({
  name: 'taint-eviction',
  workers: 8,
  watches: () => [
    mapped(pods, (pod) => ((pod.spec.nodeName ?? '') === '' ? [] : [keyOf(pod)])),
    mapped(nodes, (node, informers) => {
      const drives = (node.spec?.taints ?? []).some(({ effect }) => effect === 'NoExecute');
      return drives ? podsByNode(informers).byIndex('node', keyOf(node)).map(keyOf) : [];
    }),
  ],
  reconcile: async (key, { client, clock, events, store }) => {
    const pod = store(pods).get(key);
    if (pod === undefined || !isActive(pod) || (pod.spec.nodeName ?? '') === '') return undefined;
    const taints = (store(nodes).get(pod.spec.nodeName ?? '')?.spec?.taints ?? []).filter(({ effect }) => effect === 'NoExecute');
    const left = timeToEviction(pod, taints, clock.now());
    if (left === undefined) return undefined;
    if (left > 0) return { after: left };
    const { uid = '' } = pod.metadata;
    const { name, namespace = '' } = splitKey(key);
    events.event(pod, 'Normal', 'TaintManagerEviction', `Marking for deletion Pod ${key}`);
    const condition = {
      type: 'DisruptionTarget',
      status: 'True',
      reason: 'DeletionByTaintManager',
      message: 'Taint manager: deleting due to NoExecute taint',
      lastTransitionTime: formatTime(clock.now()),
    };
    try {
      const patch = { metadata: { uid }, status: { conditions: [condition] } };
      await client.patch(pods, { name, namespace }, 'strategic', patch, { subresource: 'status' });
      await client.delete(pods, { name, namespace }, { preconditions: { uid } });
    } catch (error) {
      if (!hasReason(error, 'NotFound') && !hasReason(error, 'Conflict')) throw error;
    }
    return undefined;
  },
});

/** Pure: milliseconds until the pod must go; 0: now; undefined: it may stay. */
export function timeToEviction(pod: Pod, taints: readonly Taint[], now: number): number | undefined {
  let left: number | undefined;
  for (const taint of taints) {
    const covering = (pod.spec.tolerations ?? []).filter((toleration) => tolerates([toleration], taint));
    if (covering.length === 0) return 0;
    const limits = covering.map(({ tolerationSeconds }) => tolerationSeconds).filter((seconds) => seconds !== undefined);
    if (limits.length === 0) continue;
    const since = Date.parse(taint.timeAdded ?? '');
    const end = (Number.isNaN(since) ? now : since) + Math.max(0, Math.min(...limits)) * 1000;
    left = Math.min(left ?? Number.POSITIVE_INFINITY, Math.max(0, end - now));
  }
  return left;
}
