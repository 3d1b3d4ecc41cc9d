/**
 * Stack: a Compose project as a live object. It makes, for each service, pods in numbered slots, the Services by which it is reached and the claims of its
 * volumes; it rolls what changed, removes what went away, and reports health by service. Which node runs a pod, names on networks, open ports and files of
 * volumes are others' doing. What a service is to be is `#compose/convert`; what to do next is plan.ts; this file reads the world and carries it out.
 */
import { deepEqual } from '#api/equality';
import type { KubernetesObject, ResourceType } from '#api/object';
import { configMaps, nodes, persistentVolumeClaims, pods, secrets, services, stacks } from '#api/shapes/resources';
import type { Stack, StackStatus } from '#api/shapes/types/compose-v1alpha1';
import { hasReason, messageOf } from '#base/errors';
import type { Client } from '#client/client';
import { podsByNode } from '#client/pod-index';
import { ComposeError } from '#compose/compose-error';
import { convertStack, type PlannedStack } from '#compose/convert/convert-stack';
import { podName, stackLabel } from '#compose/convert/names';
import { readStackSpec } from '#compose/stack-spec';
import { defineController, mapped, type Outcome, own, owned, type ReconcileContext } from '../controller.ts';
import { controllerOf, controllerReference, isBeingDeleted } from '../owner.ts';
import { type ObservedStack, timeUntilLost } from './observed.ts';
import { type Action, planStack } from './plan.ts';
import { viewServices } from './service-view.ts';
import { refusedStatus, statusOf } from './status.ts';

export const stack = defineController({
  name: 'stack',
  watches: () => [
    own(stacks),
    owned(pods, stacks),
    owned(services, stacks),
    mapped(configMaps, labelled),
    mapped(secrets, labelled),
    // A node that goes silent or comes back concerns the stacks whose pods it has.
    mapped(nodes, (node, informers) =>
      podsByNode(informers)
        .byIndex('node', node.metadata.name ?? '')
        .flatMap((pod) => {
          const owner = controllerOf(pod);
          return owner?.kind === stacks.kind ? [`${pod.metadata.namespace}/${owner.name}`] : [];
        }),
    ),
  ],
  reads: [persistentVolumeClaims],
  indexes: (informers) => {
    podsByNode(informers);
    informers.for(configMaps).addIndex('stack', labelled);
    informers.for(secrets).addIndex('stack', labelled);
  },
  reconcile: async (key, context) => {
    const { store, clock } = context;
    const object = store(stacks).get(key);
    if (object === undefined || isBeingDeleted(object)) return undefined;
    let desired: PlannedStack;
    try {
      const { name = '', namespace = '' } = object.metadata;
      desired = convertStack({ name, namespace }, readStackSpec(object.spec, name));
    } catch (error) {
      if (!(error instanceof ComposeError)) throw error;
      if (object.status?.conditions?.find(({ type }) => type === 'Accepted')?.message !== error.message) {
        context.events.event(object, 'Warning', 'Invalid', error.message);
      }
      return await writeStatus(object, refusedStatus({ stack: object, now: clock.now() }, error.message), context);
    }
    const observed = observe(object, desired, context);
    const views = viewServices(desired.services, observed);
    const { actions, obstacles } = planStack(desired, observed, views);
    // What is finished is written down before anything that could make it be forgotten is done.
    await writeStatus(object, statusOf(observed, views, obstacles), context);
    let failure: unknown;
    for (const action of actions) {
      try {
        await carryOut(object, action, context);
      } catch (error) {
        failure ??= error;
      }
    }
    if (failure !== undefined) throw failure;
    const waits = observed.pods.flatMap((pod) => timeUntilLost(pod, observed.nodes, observed.now) ?? []).filter((wait) => wait > 0);
    return waits.length === 0 ? undefined : { after: Math.min(...waits) };
  },
});

/** The key of the stack that an object says it is of. */
function labelled(object: KubernetesObject): readonly string[] {
  const name = object.metadata.labels?.[stackLabel];
  return name === undefined ? [] : [`${object.metadata.namespace ?? ''}/${name}`];
}

/** What the stack owns, and what has the name of something that it is to have. */
function observe(object: Stack, desired: PlannedStack, { store, clock }: ReconcileContext): ObservedStack {
  const { namespace = '', uid = '', name = '' } = object.metadata;
  const withNamed = <T extends KubernetesObject>(resource: ResourceType<T>, names: Iterable<string>): T[] => {
    const found = new Map(
      store(resource)
        .byIndex('owner', uid)
        .map((one) => [one.metadata.name, one]),
    );
    for (const one of names) {
      const named = store(resource).get(`${namespace}/${one}`);
      if (named !== undefined) found.set(one, named);
    }
    return [...found.values()];
  };
  const podNames = desired.services.flatMap(({ replicas, name: service }) =>
    Array.from({ length: replicas }, (_, index) => podName(name, service, index + 1)),
  );
  return {
    stack: object,
    pods: withNamed(pods, podNames),
    services: withNamed(services, desired.serviceObjects.keys()),
    claims: [...desired.claims.keys()].flatMap((one) => store(persistentVolumeClaims).get(`${namespace}/${one}`) ?? []),
    configMaps: store(configMaps).byIndex('stack', `${namespace}/${name}`),
    secrets: store(secrets).byIndex('stack', `${namespace}/${name}`),
    nodes: new Map(
      store(nodes)
        .list()
        .map((node) => [node.metadata.name ?? '', node]),
    ),
    now: clock.now(),
  };
}

async function writeStatus(object: Stack, status: StackStatus, { client }: ReconcileContext): Promise<Outcome> {
  if (!deepEqual(object.status, status)) await client.updateStatus(stacks, { ...object, status });
  return undefined;
}

async function carryOut(object: Stack, action: Action, context: ReconcileContext): Promise<void> {
  const { client, events } = context;
  const { namespace = '' } = object.metadata;
  const ownerReferences = [controllerReference(object, stacks)];
  switch (action.type) {
    case 'create service':
      await client.create(services, { ...action.object, metadata: { ...action.object.metadata, namespace, ownerReferences } });
      return;
    case 'update service':
      await client.update(services, action.object);
      return;
    case 'delete service':
      await remove(client, services, action.object);
      return;
    case 'create claim':
      await client.create(persistentVolumeClaims, { ...action.object, metadata: { ...action.object.metadata, namespace } });
      return;
    case 'adopt': {
      const { name = '', uid, resourceVersion } = action.object.metadata;
      const resource: ResourceType = action.kind === 'ConfigMap' ? configMaps : secrets;
      await client.patch(resource, { name, namespace }, 'merge', { metadata: { uid, resourceVersion, ownerReferences } });
      return;
    }
    case 'delete content':
      await remove(client, action.kind === 'ConfigMap' ? configMaps : secrets, action.object);
      return;
    case 'create pod': {
      const { name } = action.object.metadata;
      try {
        await client.create(pods, { ...action.object, metadata: { ...action.object.metadata, namespace, ownerReferences } });
        events.event(object, 'Normal', 'PodCreated', `Created pod ${name} of service ${action.service.name}`);
      } catch (error) {
        events.event(object, 'Warning', 'FailedCreate', `Cannot create pod ${name}: ${messageOf(error)}`);
        throw error;
      }
      return;
    }
    case 'delete pod':
      await remove(client, pods, action.object, action.force ? 0 : undefined);
      events.event(object, 'Normal', 'PodDeleted', `Deleted pod ${action.object.metadata.name}: ${action.reason}`);
      return;
    default:
      action satisfies never;
  }
}

async function remove(client: Client, resource: ResourceType, object: KubernetesObject, gracePeriodSeconds?: number): Promise<void> {
  const { name = '', namespace = '', uid = '' } = object.metadata;
  try {
    await client.delete(
      resource,
      { name, namespace },
      { preconditions: { uid }, ...(gracePeriodSeconds === undefined ? {} : { gracePeriodSeconds }) },
    );
  } catch (error) {
    if (!hasReason(error, 'NotFound')) throw error;
  }
}
