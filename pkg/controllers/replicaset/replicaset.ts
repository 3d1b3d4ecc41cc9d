/**
 * ReplicaSet: as many pods of one template as asked for. It makes and removes pods, adopts orphans that its selector selects, releases what it
 * selects no more, and reports what it sees. Which pods run where, and whether they are ready, is others' to say.
 */
import { selectorOf } from '#api/selector';
import { pods, replicaSets } from '#api/shapes/resources';
import type { ReplicaSet } from '#api/shapes/types/apps-v1';
import type { Pod } from '#api/shapes/types/core-v1';
import { formatTime } from '#base/clock';
import { hasReason, messageOf } from '#base/errors';
import { splitKey } from '#client/informer';
import { slowStart } from '../batches.ts';
import { claim, indexOrphans } from '../claim.ts';
import { defineController, mapped, own, owned, type ReconcileContext } from '../controller.ts';
import { controllerOf } from '../owner.ts';
import { podFromTemplate } from '../pod-template.ts';
import { selecting } from '../selecting.ts';
import { planReplicaSet, type ReplicaSetPlan, statusDiffers, withFailure } from './plan.ts';

export const replicaset = defineController({
  name: 'replicaset',
  workers: 8,
  watches: () => [
    own(replicaSets),
    owned(pods, replicaSets),
    mapped(pods, (pod, informers) => (controllerOf(pod) === undefined ? selecting(informers.for(replicaSets), pod) : [])),
  ],
  indexes: (informers) => {
    indexOrphans(informers, pods);
    informers.for(replicaSets);
  },
  reconcile: async (key, context) => {
    const { client, clock, store } = context;
    const replicaSet = store(replicaSets).get(key);
    const selector = selectorOf(replicaSet?.spec.selector);
    if (replicaSet === undefined || selector === undefined) return undefined;
    const claimed = await claim(client, store(pods), { object: replicaSet, resource: replicaSets, selector });
    const plan = planReplicaSet(replicaSet, claimed, clock.now());
    const failure = await carryOut(replicaSet, plan, context);
    const status = withFailure(
      plan.status,
      failure === undefined ? undefined : { reason: failure.reason, message: messageOf(failure.error) },
      formatTime(clock.now()),
    );
    if (statusDiffers(replicaSet.status, status)) await client.updateStatus(replicaSets, { ...replicaSet, status });
    if (failure !== undefined && !hasReason(failure.error, 'Invalid')) throw failure.error;
    return plan.after === undefined ? undefined : { after: plan.after };
  },
});

interface Failure {
  readonly reason: 'FailedCreate' | 'FailedDelete';
  readonly error: unknown;
}

async function carryOut(replicaSet: ReplicaSet, plan: ReplicaSetPlan, context: ReconcileContext): Promise<Failure | undefined> {
  const { client, events } = context;
  const { template } = replicaSet.spec;
  if (plan.create > 0 && template !== undefined) {
    const draft = podFromTemplate(replicaSet, replicaSets, template);
    const { error } = await slowStart(plan.create, async () => {
      const pod = await client.create(pods, draft);
      events.event(replicaSet, 'Normal', 'SuccessfulCreate', `Created pod: ${pod.metadata.name}`);
    });
    if (error !== undefined) {
      // A namespace that is going away refuses new objects: nothing to tell anyone.
      if (isTerminating(error)) return undefined;
      events.event(replicaSet, 'Warning', 'FailedCreate', `Error creating: ${messageOf(error)}`);
      return { reason: 'FailedCreate', error };
    }
  }
  const results = await Promise.allSettled(plan.remove.map((pod) => remove(replicaSet, pod, context)));
  const failed = results.find((result) => result.status === 'rejected');
  return failed === undefined ? undefined : { reason: 'FailedDelete', error: failed.reason };
}

async function remove(replicaSet: ReplicaSet, pod: Pod, { client, events }: ReconcileContext): Promise<void> {
  const { uid = '' } = pod.metadata;
  const { name, namespace = '' } = splitKey(`${pod.metadata.namespace}/${pod.metadata.name}`);
  try {
    await client.delete(pods, { name, namespace }, { preconditions: { uid } });
    events.event(replicaSet, 'Normal', 'SuccessfulDelete', `Deleted pod: ${name}`);
  } catch (error) {
    if (hasReason(error, 'NotFound')) return;
    events.event(replicaSet, 'Warning', 'FailedDelete', `Error deleting: ${messageOf(error)}`);
    throw error;
  }
}

function isTerminating(error: unknown): boolean {
  return hasReason(error, 'Forbidden') && (error.details?.causes ?? []).some(({ reason }) => reason === 'NamespaceTerminating');
}
