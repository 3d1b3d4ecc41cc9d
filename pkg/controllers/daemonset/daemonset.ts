/** DaemonSet: one pod of a template on every node that it is meant for, rolled node by node when the template changes. */
import { deepEqual } from '#api/equality';
import { isTerminal } from '#api/pod-phase';
import { selectorOf } from '#api/selector';
import { controllerRevisions, daemonSets, nodes, pods } from '#api/shapes/resources';
import type { DaemonSet, DaemonSetStatus } from '#api/shapes/types/apps-v1';
import type { Node, Pod } from '#api/shapes/types/core-v1';
import { hasReason, messageOf } from '#base/errors';
import { keyOf } from '#client/informer';
import { slowStart } from '../batches.ts';
import { claim, indexOrphans } from '../claim.ts';
import { defineController, mapped, own, owned, type ReconcileContext } from '../controller.ts';
import { keepRevisions, planRevisions, revisionHashLabel } from '../controller-revisions.ts';
import { controllerOf } from '../owner.ts';
import { podFromTemplate } from '../pod-template.ts';
import { selecting } from '../selecting.ts';
import { planDaemonSet, specForNode } from './plan.ts';

export const daemonset = defineController({
  name: 'daemonset',
  watches: () => [
    own(daemonSets),
    owned(pods, daemonSets),
    owned(controllerRevisions, daemonSets),
    mapped(pods, (pod, informers) => (controllerOf(pod) === undefined ? selecting(informers.for(daemonSets), pod) : [])),
    mapped(nodes, (_node, informers) => informers.for(daemonSets).list().map(keyOf), placing),
  ],
  indexes: (informers) => {
    indexOrphans(informers, pods);
    indexOrphans(informers, controllerRevisions);
  },
  reconcile: async (key, context) => {
    const { client, clock, store } = context;
    const daemonSet = store(daemonSets).get(key);
    const selector = selectorOf(daemonSet?.spec.selector);
    if (daemonSet === undefined || selector === undefined || selector.length === 0) return undefined;
    const owner = { object: daemonSet, resource: daemonSets, selector };
    const claimed = await claim(client, store(pods), owner);
    const hash = await currentHash(daemonSet, claimed, owner, context);
    if (hash === undefined) return undefined;
    const plan = planDaemonSet(daemonSet, store(nodes).list(), claimed, hash, clock.now());
    const failure = await carryOut(daemonSet, plan.create, plan.remove, hash, context);
    if (!deepEqual(filled(daemonSet.status), filled(plan.status)))
      await client.updateStatus(daemonSets, { ...daemonSet, status: plan.status });
    if (failure !== undefined) throw failure;
    return plan.after === undefined ? undefined : { after: plan.after };
  },
});

/** What of a node decides whether daemons run on it. */
function placing({ metadata, spec }: Node): unknown {
  return [metadata.labels, spec?.taints];
}

function filled(status: DaemonSetStatus | undefined): unknown {
  return { numberAvailable: 0, numberUnavailable: 0, updatedNumberScheduled: 0, observedGeneration: 0, ...status };
}

/** Undefined: the name of the revision was taken; the next reconcile, which the new collision count wakes, tries another. */
async function currentHash(
  daemonSet: DaemonSet,
  owned: readonly Pod[],
  owner: Parameters<typeof claim>[2],
  context: ReconcileContext,
): Promise<string | undefined> {
  const { client, store } = context;
  const revisions = await claim(client, store(controllerRevisions), owner);
  const inUse = new Set(owned.map(({ metadata }) => metadata.labels?.[revisionHashLabel] ?? ''));
  const collisionCount = daemonSet.status?.collisionCount ?? 0;
  const plan = planRevisions(daemonSet, daemonSets, revisions, inUse, collisionCount);
  const hash = await keepRevisions(daemonSet, plan, context);
  if (hash === undefined) {
    const status = { currentNumberScheduled: 0, desiredNumberScheduled: 0, numberMisscheduled: 0, numberReady: 0, ...daemonSet.status };
    await client.updateStatus(daemonSets, { ...daemonSet, status: { ...status, collisionCount: collisionCount + 1 } });
  }
  return hash;
}

/** Gives the first error. */
async function carryOut(
  daemonSet: DaemonSet,
  create: readonly string[],
  remove: readonly Pod[],
  hash: string,
  { client, events }: ReconcileContext,
): Promise<unknown> {
  const { template } = daemonSet.spec;
  const labelled = { ...template, metadata: { ...template.metadata, labels: { ...template.metadata?.labels, [revisionHashLabel]: hash } } };
  const { error } = await slowStart(create.length, async (index) => {
    const spec = specForNode(template.spec ?? { containers: [] }, create[index] ?? '');
    const pod = await client.create(pods, podFromTemplate(daemonSet, daemonSets, { ...labelled, spec }));
    events.event(daemonSet, 'Normal', 'SuccessfulCreate', `Created pod: ${pod.metadata.name}`);
  });
  if (error !== undefined) events.event(daemonSet, 'Warning', 'FailedCreate', `Error creating: ${messageOf(error)}`);
  let failure = error;
  for (const pod of remove) {
    const { name = '', namespace = '', uid = '' } = pod.metadata;
    if (isTerminal(pod)) {
      const message = `Found failed daemon pod ${namespace}/${name} on node ${pod.spec.nodeName}, will try to kill it`;
      events.event(daemonSet, 'Warning', 'FailedDaemonPod', message);
    }
    try {
      await client.delete(pods, { namespace, name }, { preconditions: { uid } });
      events.event(daemonSet, 'Normal', 'SuccessfulDelete', `Deleted pod: ${name}`);
    } catch (thrown) {
      if (!hasReason(thrown, 'NotFound')) failure ??= thrown;
    }
  }
  return failure;
}
