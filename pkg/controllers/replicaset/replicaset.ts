/**
 * ReplicaSet: as many pods of one template as asked for. It makes and removes pods, adopts orphans that its selector selects, releases what it
 * selects no more, and reports what it sees. Which pods run where, and whether they are ready, is others' to say.
 */
import type { ResourceType } from '#api/object';
import { type Selector, selectorOf, selectorOfLabels } from '#api/selector';
import { pods, replicaSets, replicationControllers } from '#api/shapes/resources';
import type { Pod } from '#api/shapes/types/core-v1';
import { formatTime } from '#base/clock';
import { hasReason, messageOf } from '#base/errors';
import { splitKey } from '#client/informer';
import { slowStart } from '../batches.ts';
import { claim, indexOrphans } from '../claim.ts';
import { type Controller, defineController, mapped, own, owned, type ReconcileContext } from '../controller.ts';
import { controllerOf } from '../owner.ts';
import { podFromTemplate } from '../pod-template.ts';
import { selectingBy } from '../selecting.ts';
import { planReplicaSet, type ReplicaSetPlan, type Replicated, statusDiffers, withFailure } from './plan.ts';

export const replicaset = keepingReplicas('replicaset', replicaSets, ({ spec }) => selectorOf(spec.selector));

/** The older kind, with a plain map of labels for its selector. */
export const replicationController = keepingReplicas('replication', replicationControllers, ({ spec }) => {
  return selectorOfLabels(spec.selector ?? {});
});

function keepingReplicas<T extends Replicated>(
  name: string,
  resource: ResourceType<T>,
  selectorFor: (object: T) => Selector | undefined,
): Controller {
  return defineController({
    name,
    workers: 8,
    watches: () => [
      own(resource),
      owned(pods, resource),
      mapped(pods, (pod, informers) => (controllerOf(pod) === undefined ? selectingBy(informers.for(resource), pod, selectorFor) : [])),
    ],
    indexes: (informers) => {
      indexOrphans(informers, pods);
      informers.for(resource);
    },
    reconcile: async (key, context) => {
      const { client, clock, store } = context;
      const object = store(resource).get(key);
      const selector = object && selectorFor(object);
      if (object === undefined || selector === undefined) return undefined;
      const claimed = await claim(client, store(pods), { object, resource, selector });
      const plan = planReplicaSet(object, claimed, clock.now());
      const failure = await carryOut(object, resource, plan, context);
      const status = withFailure(
        plan.status,
        failure === undefined ? undefined : { reason: failure.reason, message: messageOf(failure.error) },
        formatTime(clock.now()),
      );
      if (statusDiffers(object.status, status)) await client.updateStatus(resource, { ...object, status });
      if (failure !== undefined && !hasReason(failure.error, 'Invalid')) throw failure.error;
      return plan.after === undefined ? undefined : { after: plan.after };
    },
  });
}

interface Failure {
  readonly reason: 'FailedCreate' | 'FailedDelete';
  readonly error: unknown;
}

async function carryOut(
  replicaSet: Replicated,
  resource: ResourceType,
  plan: ReplicaSetPlan,
  context: ReconcileContext,
): Promise<Failure | undefined> {
  const { client, events } = context;
  const { template } = replicaSet.spec;
  if (plan.create > 0 && template !== undefined) {
    const draft = podFromTemplate(replicaSet, resource, template);
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

async function remove(replicaSet: Replicated, pod: Pod, { client, events }: ReconcileContext): Promise<void> {
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
