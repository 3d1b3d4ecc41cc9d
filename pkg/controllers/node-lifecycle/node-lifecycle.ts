/**
 * Node lifecycle: what is known of a node's health becomes taints, which keep pods away or drive them off, and the pods of a node that is not heard
 * of are no longer called ready. Who says that a node is silent is the dispatcher; who deletes pods is the eviction controller.
 */
import { nodes, pods } from '#api/shapes/resources';
import type { Node, Pod } from '#api/shapes/types/core-v1';
import { formatTime } from '#base/clock';
import { hasReason } from '#base/errors';
import { keyOf } from '#client/informer';
import { podsByNode } from '#client/pod-index';
import { defineController, mapped, own, type ReconcileContext } from '../controller.ts';
import { isReady, isTerminal } from '../pod-state.ts';
import { planTaints, readinessOf } from './plan.ts';

export const nodeLifecycle = defineController({
  name: 'node',
  watches: () => [
    own(nodes),
    // Whether pods are driven off one node depends on the others: a change of readiness looks at all.
    mapped(nodes, (_node, informers) => informers.for(nodes).list().map(keyOf), readinessOf),
  ],
  reads: [pods],
  indexes: podsByNode,
  reconcile: async (key, context) => {
    const { client, clock, events, store } = context;
    const node = store(nodes).get(key);
    if (node === undefined || node.metadata.deletionTimestamp !== undefined) return undefined;
    const evict = store(nodes)
      .list()
      .some((each) => readinessOf(each) === 'True');
    const taints = planTaints(node, evict, formatTime(clock.now()));
    if (taints !== undefined) {
      const { resourceVersion } = node.metadata;
      await client.patch(nodes, { name: key }, 'merge', { metadata: { resourceVersion }, spec: { taints } });
    }
    if (readinessOf(node) !== 'Unknown' || !evict) return undefined;
    const marked = await markPods(node, context);
    if (marked > 0) events.event(node, 'Normal', 'NodeNotReady', `Node ${key} status is now: NodeNotReady`);
    return undefined;
  },
});

/** Services must not send traffic to where nobody answers. The agent says anew what is true when it is back. */
async function markPods(node: Node, { client, clock, store }: ReconcileContext): Promise<number> {
  const running = store(pods).byIndex('node', node.metadata.name ?? '');
  const ready = running.filter((pod) => isReady(pod) && !isTerminal(pod));
  await Promise.all(ready.map((pod) => markNotReady(pod, client, formatTime(clock.now()))));
  return ready.length;
}

async function markNotReady(pod: Pod, client: ReconcileContext['client'], now: string): Promise<void> {
  const { name = '', namespace = '', uid } = pod.metadata;
  const condition = { type: 'Ready', status: 'False', reason: 'NodeLost', message: 'the node is not heard of', lastTransitionTime: now };
  const patch = { metadata: { uid }, status: { conditions: [condition] } };
  try {
    await client.patch(pods, { name, namespace }, 'strategic', patch, { subresource: 'status' });
  } catch (error) {
    if (!hasReason(error, 'NotFound') && !hasReason(error, 'Conflict')) throw error;
  }
}
