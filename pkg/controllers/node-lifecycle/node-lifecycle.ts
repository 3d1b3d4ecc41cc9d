/**
 * Node lifecycle: what is known of a node's health becomes taints, which keep pods away or drive them off, and the pods of a node that is not heard
 * of are no longer called ready. Who says that a node is silent is the dispatcher; who deletes pods is the eviction controller.
 */

import { isTerminal } from '#api/pod-phase';
import { nodes, pods } from '#api/shapes/resources';
import type { Node, Pod } from '#api/shapes/types/core-v1';
import { formatTime } from '#base/clock';
import { hasReason } from '#base/errors';
import { keyOf } from '#client/informer';
import { podsByNode } from '#client/pod-index';
import { defineController, mapped, own, type ReconcileContext } from '../controller.ts';
import { isReady, readyCondition } from '../pod-state.ts';
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
    const readiness = readinessOf(node);
    if (readiness === 'True') await markPods(node, backAgain, context);
    if (readiness !== 'Unknown' || !evict) return undefined;
    const marked = await markPods(node, lostNow, context);
    if (marked > 0) events.event(node, 'Normal', 'NodeNotReady', `Node ${key} status is now: NodeNotReady`);
    return undefined;
  },
});

const lostReason = 'NodeLost';

/** The condition Ready that a pod should have instead of the one that it has; undefined: it may stay. */
type Mark = (pod: Pod) => object | undefined;

/** Services must not send traffic to where nobody answers. */
const lostNow: Mark = (pod) => (isReady(pod) ? { status: 'False', reason: lostReason, message: 'the node is not heard of' } : undefined);

/** What was marked on a silent node is again what the agent last said of the containers, until it says more. */
const backAgain: Mark = (pod) => {
  if (readyCondition(pod)?.reason !== lostReason) return undefined;
  const containers = pod.status?.conditions?.find(({ type }) => type === 'ContainersReady');
  return { status: containers?.status ?? 'False', reason: null, message: null };
};

/** Gives how many pods were marked. */
async function markPods(node: Node, mark: Mark, { client, clock, store }: ReconcileContext): Promise<number> {
  const lastTransitionTime = formatTime(clock.now());
  const changes = store(pods)
    .byIndex('node', node.metadata.name ?? '')
    .flatMap((pod) => {
      const condition = isTerminal(pod) ? undefined : mark(pod);
      return condition === undefined ? [] : [{ pod, condition: { type: 'Ready', lastTransitionTime, ...condition } }];
    });
  await Promise.all(changes.map(({ pod, condition }) => patchCondition(pod, condition, client)));
  return changes.length;
}

async function patchCondition(pod: Pod, condition: object, client: ReconcileContext['client']): Promise<void> {
  const { name = '', namespace = '', uid } = pod.metadata;
  const patch = { metadata: { uid }, status: { conditions: [condition] } };
  try {
    await client.patch(pods, { name, namespace }, 'strategic', patch, { subresource: 'status' });
  } catch (error) {
    if (!hasReason(error, 'NotFound') && !hasReason(error, 'Conflict')) throw error;
  }
}
