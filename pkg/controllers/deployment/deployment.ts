/**
 * Deployment: one ReplicaSet for each revision of its template, and pods moved from the old ones to the current one as the strategy says.
 * It writes ReplicaSets alone; pods are theirs.
 */
import { deepEqual } from '#api/equality';
import { isTerminal } from '#api/pod-phase';
import { selectorOf } from '#api/selector';
import { deployments, pods, replicaSets } from '#api/shapes/resources';
import type { Deployment, ReplicaSet } from '#api/shapes/types/apps-v1';
import { hasReason, messageOf } from '#base/errors';
import { keyOf } from '#client/informer';
import type { InformerSet } from '#client/informer-set';
import { claim, indexOrphans } from '../claim.ts';
import { defineController, mapped, own, owned, type ReconcileContext } from '../controller.ts';
import { controllerOf, isControlledBy } from '../owner.ts';
import { isActive } from '../pod-state.ts';
import { selecting } from '../selecting.ts';
import { statusDiffers, statusOf } from './conditions.ts';
import { type DeploymentAction, planDeployment } from './plan.ts';
import { currentOf, revisionAnnotation } from './revisions.ts';
import { sizeOf } from './strategy.ts';

export const deployment = defineController({
  name: 'deployment',
  watches: () => [
    own(deployments),
    owned(replicaSets, deployments),
    mapped(replicaSets, (replicaSet, informers) =>
      controllerOf(replicaSet) === undefined ? selecting(informers.for(deployments), replicaSet) : [],
    ),
    // A pod that goes: Recreate waits for the last of them.
    mapped(pods, (pod, informers) => (isActive(pod) ? [] : deploymentOf(controllerOf(pod)?.name, pod.metadata.namespace, informers))),
  ],
  indexes: (informers) => indexOrphans(informers, replicaSets),
  reconcile: async (key, context) => {
    const { client, clock, store } = context;
    const object = store(deployments).get(key);
    const selector = selectorOf(object?.spec.selector);
    if (object === undefined || selector === undefined) return undefined;
    const claimed = await claim(client, store(replicaSets), { object, resource: deployments, selector });
    const present = claimed.filter(({ metadata }) => metadata.deletionTimestamp === undefined);
    const plan = planDeployment(object, present, oldPodsRun(object, present, context), clock.now());
    let written = object;
    for (const action of plan.actions) written = await carryOut(action, written, present, context);
    if (statusDiffers(object.status, plan.status))
      await client.updateStatus(deployments, { ...written, status: { ...plan.status, ...collisionsOf(written) } });
    return plan.after === undefined ? undefined : { after: plan.after };
  },
});

function collisionsOf({ status }: Deployment): { collisionCount?: number } {
  return status?.collisionCount === undefined ? {} : { collisionCount: status.collisionCount };
}

function deploymentOf(replicaSetName: string | undefined, namespace: string | undefined, informers: InformerSet): string[] {
  if (replicaSetName === undefined || namespace === undefined) return [];
  const replicaSet = informers.for(replicaSets).get(`${namespace}/${replicaSetName}`);
  const owner = replicaSet === undefined ? undefined : controllerOf(replicaSet);
  return owner === undefined ? [] : [`${namespace}/${owner.name}`];
}

function oldPodsRun(object: Deployment, owned: readonly ReplicaSet[], { store }: ReconcileContext): boolean {
  const current = currentOf(object, owned);
  return owned.some(
    (replicaSet) =>
      replicaSet !== current &&
      store(pods)
        .byIndex('owner', replicaSet.metadata.uid ?? '')
        .some((pod) => !isTerminal(pod)),
  );
}

/** Gives the Deployment as it is then. */
async function carryOut(
  action: DeploymentAction,
  object: Deployment,
  owned: readonly ReplicaSet[],
  context: ReconcileContext,
): Promise<Deployment> {
  const { client, events } = context;
  const { namespace = '', name = '' } = object.metadata;
  switch (action.type) {
    case 'create':
      return await create(action.replicaSet, object, owned, context);
    case 'update': {
      await client.update(replicaSets, action.replicaSet);
      const [from, to] = [sizeOf(action.before), sizeOf(action.replicaSet)];
      if (from !== to) {
        const verb = to > from ? 'Scaled up' : 'Scaled down';
        events.event(object, 'Normal', 'ScalingReplicaSet', `${verb} replica set ${action.before.metadata.name} from ${from} to ${to}`);
      }
      return object;
    }
    case 'delete': {
      const { uid = '', resourceVersion = '' } = action.replicaSet.metadata;
      const key = { namespace, name: action.replicaSet.metadata.name ?? '' };
      await client.delete(replicaSets, key, { preconditions: { uid, resourceVersion }, propagationPolicy: 'Background' });
      return object;
    }
    case 'annotate':
      return await client.patch(deployments, { namespace, name }, 'merge', {
        metadata: { annotations: { [revisionAnnotation]: action.revision } },
      });
  }
}

async function create(
  draft: Extract<DeploymentAction, { type: 'create' }>['replicaSet'],
  object: Deployment,
  owned: readonly ReplicaSet[],
  { client, events, clock }: ReconcileContext,
): Promise<Deployment> {
  try {
    await client.create(replicaSets, draft);
    const size = draft.spec.replicas ?? 0;
    if (size > 0) {
      events.event(object, 'Normal', 'ScalingReplicaSet', `Scaled up replica set ${draft.metadata.name} from 0 to ${size}`);
    }
    return object;
  } catch (error) {
    if (hasReason(error, 'AlreadyExists')) return await resolveCollision(draft, object, client);
    const message = `Failed to create new replica set "${draft.metadata.name}": ${messageOf(error)}`;
    events.event(object, 'Warning', 'ReplicaSetCreateError', message);
    const current = currentOf(object, owned);
    const old = owned.filter((replicaSet) => replicaSet !== current);
    const progress = { status: 'False', reason: 'ReplicaSetCreateError', message } as const;
    const status = statusOf({ deployment: object, current, old, progress, now: clock.now() });
    if (statusDiffers(object.status, status)) await client.updateStatus(deployments, { ...object, status });
    throw error;
  }
}

/** The name is taken: by our own ReplicaSet that the store did not show yet, or by another's, and then the next hash is another. */
async function resolveCollision(
  draft: Extract<DeploymentAction, { type: 'create' }>['replicaSet'],
  object: Deployment,
  client: ReconcileContext['client'],
): Promise<Deployment> {
  const present = await client.find(replicaSets, { namespace: object.metadata.namespace ?? '', name: draft.metadata.name });
  if (present === undefined) throw new Error(`replica set ${keyOf(draft)} was there and is gone`);
  if (isControlledBy(present, object) && deepEqual(present.spec.template, draft.spec.template)) return object;
  const status = { ...object.status, collisionCount: (object.status?.collisionCount ?? 0) + 1 };
  return await client.updateStatus(deployments, { ...object, status });
}
