/**
 * Pods that nothing else takes away: those of nodes that are gone, those that are being deleted and were never on a node, and the oldest of too
 * many that have ended.
 */

import { isTerminal } from '#api/pod-phase';
import { nodes, pods } from '#api/shapes/resources';
import type { Pod } from '#api/shapes/types/core-v1';
import { formatTime } from '#base/clock';
import { hasReason } from '#base/errors';
import { keyOf, splitKey } from '#client/informer';
import { podsByNode } from '#client/pod-index';
import { defineController, mapped, type ReconcileContext } from './controller.ts';
import { byAge } from './owner.ts';

/** As many ended pods may stay, as in Kubernetes. */
const mostEnded = 12_500;
/** A node must be gone for this long before its pods are: it may only have been made anew. */
const quarantine = 40_000;
const endedKey = 'ended pods';

export const podCollection = defineController({
  name: 'pod-garbage-collector',
  watches: () => [
    mapped(pods, (pod) => ((pod.spec.nodeName ?? '') === '' && pod.metadata.deletionTimestamp === undefined ? [] : [keyOf(pod)])),
    mapped(pods, (pod) => (isTerminal(pod) ? [endedKey] : [])),
    mapped(
      nodes,
      ({ metadata }, informers) =>
        podsByNode(informers)
          .byIndex('node', metadata.name ?? '')
          .map((pod) => `${pod.metadata.namespace}/${pod.metadata.name}`),
      ({ metadata }) => metadata.uid,
    ),
  ],
  indexes: (informers) => {
    podsByNode(informers).addIndex('ended', ended);
  },
  reconcile: async (key, context) => {
    if (key === endedKey) return await collectEnded(context);
    const { store, clock } = context;
    const pod = store(pods).get(key);
    if (pod === undefined) return undefined;
    const nodeName = pod.spec.nodeName ?? '';
    if (nodeName === '') {
      if (pod.metadata.deletionTimestamp !== undefined) await removeNow(pod, context);
      return undefined;
    }
    const since = missingSince(pod);
    if (store(nodes).get(nodeName) !== undefined) {
      if (since !== undefined) await say(pod, false, `PodGC: node ${nodeName} exists again`, context);
      return undefined;
    }
    if (since === undefined) {
      const message = `PodGC: node ${nodeName} no longer exists`;
      context.events.event(
        pod,
        'Warning',
        'NodeGone',
        `${message}; the pod is removed in ${quarantine / 1000} s unless the node comes back`,
      );
      await say(pod, true, message, context);
      return { after: quarantine };
    }
    const left = since + quarantine - clock.now();
    if (left > 0) return { after: left };
    if (await nodeExists(nodeName, context)) return undefined;
    await removeNow(pod, context);
    return undefined;
  },
});

function ended(pod: Pod): readonly string[] {
  return isTerminal(pod) ? ['yes'] : [];
}

/** The store may not have seen the node yet. */
async function nodeExists(name: string, { client }: ReconcileContext): Promise<boolean> {
  return (await client.find(nodes, { name })) !== undefined;
}

/** When the pod was first seen without its node: told by the condition that `say` writes, so that a restart does not forget it. */
function missingSince(pod: Pod): number | undefined {
  const condition = pod.status?.conditions?.find(({ type, reason }) => type === 'DisruptionTarget' && reason === 'DeletionByPodGC');
  if (condition?.status !== 'True') return undefined;
  const since = Date.parse(condition.lastTransitionTime ?? '');
  return Number.isNaN(since) ? undefined : since;
}

async function say(pod: Pod, isMissing: boolean, message: string, { client, clock }: ReconcileContext): Promise<void> {
  const { name = '', namespace = '', uid } = pod.metadata;
  const condition = {
    type: 'DisruptionTarget',
    status: isMissing ? 'True' : 'False',
    reason: 'DeletionByPodGC',
    message,
    lastTransitionTime: formatTime(clock.now()),
  };
  const patch = { metadata: { uid }, status: { conditions: [condition] } };
  await client.patch(pods, { name, namespace }, 'strategic', patch, { subresource: 'status' });
}

async function collectEnded({ store, client }: ReconcileContext): Promise<undefined> {
  const all = store(pods).byIndex('ended', 'yes');
  if (all.length <= mostEnded) return undefined;
  for (const pod of all.toSorted(byAge).slice(0, all.length - mostEnded)) await remove(pod, client);
  return undefined;
}

async function removeNow(pod: Pod, { client }: ReconcileContext): Promise<void> {
  await remove(pod, client);
}

async function remove(pod: Pod, client: ReconcileContext['client']): Promise<void> {
  const { uid = '' } = pod.metadata;
  const { name, namespace = '' } = splitKey(`${pod.metadata.namespace}/${pod.metadata.name}`);
  try {
    await client.delete(pods, { name, namespace }, { gracePeriodSeconds: 0, preconditions: { uid } });
  } catch (error) {
    if (!hasReason(error, 'NotFound') && !hasReason(error, 'Conflict')) throw error;
  }
}
