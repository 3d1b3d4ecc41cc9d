/**
 * Deletes all that is in a namespace that is being deleted, of every resource, and lets the namespace go when nothing is left. What is left, and
 * why, stands in the namespace's conditions.
 */

import { deepEqual } from '#api/equality';
import { groupResourceOf, type KubernetesObject, type ResourceType } from '#api/object';
import { namespaces } from '#api/shapes/resources';
import type { Namespace, NamespaceCondition } from '#api/shapes/types/core-v1';
import { formatTime } from '#base/clock';
import { hasReason, messageOf } from '#base/errors';
import { keyOf, splitKey } from '#client/informer';
import { type Controller, type ControllerEnvironment, defineController, mapped, own, type ReconcileContext } from './controller.ts';

const pause = 5_000;

export const namespaceDeletion: Controller = {
  name: 'namespace',
  create: (environment: ControllerEnvironment) => {
    const resources = environment.resources().filter(({ namespaced }) => namespaced);
    return defineController({
      name: 'namespace',
      watches: () => [
        own(namespaces),
        ...resources.map((resource) =>
          mapped(resource, ({ metadata: { namespace = '' } }, informers) =>
            informers.for(namespaces).get(namespace)?.metadata.deletionTimestamp === undefined ? [] : [namespace],
          ),
        ),
      ],
      reconcile: async (name, context) => {
        const namespace = context.store(namespaces).get(name);
        if (namespace?.metadata.deletionTimestamp === undefined || (namespace.spec?.finalizers ?? []).length === 0) return undefined;
        const left = await empty(name, resources, context);
        if (left.objects.length > 0 || left.errors.length > 0) {
          await report(namespace, left, context);
          return { after: pause };
        }
        await context.client.updateSubresource(namespaces, { ...namespace, spec: { ...namespace.spec, finalizers: [] } }, 'finalize');
        return undefined;
      },
    }).create(environment);
  },
};

interface Left {
  /** What is still there after it was asked to go, with the finalizers that hold it. */
  readonly objects: readonly { readonly resource: string; readonly finalizers: readonly string[] }[];
  readonly errors: readonly string[];
}

/** Asks the API itself, not the stores: that a namespace is empty must be true. */
async function empty(namespace: string, resources: readonly ResourceType[], context: ReconcileContext): Promise<Left> {
  const objects: { resource: string; finalizers: readonly string[] }[] = [];
  const errors: string[] = [];
  await Promise.all(
    resources.map(async (resource) => {
      const name = groupResourceOf(resource);
      try {
        for (const object of (await context.client.list(resource, { namespace })).items) {
          if (object.metadata.deletionTimestamp === undefined) await remove(object, resource, context);
        }
        for (const object of (await context.client.list(resource, { namespace })).items) {
          objects.push({ resource: name, finalizers: object.metadata.finalizers ?? [] });
        }
      } catch (error) {
        // Not every resource that is told of can be listed.
        if (!hasReason(error, 'MethodNotAllowed')) errors.push(`${name}: ${messageOf(error)}`);
      }
    }),
  );
  return { objects, errors };
}

async function remove(object: KubernetesObject, resource: ResourceType, { client }: ReconcileContext): Promise<void> {
  const { uid = '' } = object.metadata;
  try {
    await client.delete(resource, splitKey(keyOf(object)), { propagationPolicy: 'Background', preconditions: { uid } });
  } catch (error) {
    if (!hasReason(error, 'NotFound') && !hasReason(error, 'Conflict')) throw error;
  }
}

async function report(namespace: Namespace, left: Left, { client, clock }: ReconcileContext): Promise<void> {
  const now = formatTime(clock.now());
  const conditions = conditionsOf(left).map((condition): NamespaceCondition => {
    const before = namespace.status?.conditions?.find(({ type }) => type === condition.type);
    const since = before?.status === condition.status ? (before.lastTransitionTime ?? now) : now;
    return { ...condition, lastTransitionTime: since };
  });
  const status = { ...namespace.status, conditions };
  if (deepEqual(namespace.status, status)) return;
  await client.updateStatus(namespaces, { ...namespace, status });
}

function conditionsOf({ objects, errors }: Left): Omit<NamespaceCondition, 'lastTransitionTime'>[] {
  const remaining = count(objects.map(({ resource }) => resource)).map(
    ([resource, number]) => `${resource} has ${number} resource instances`,
  );
  const held = count(objects.flatMap(({ finalizers }) => finalizers)).map(
    ([finalizer, number]) => `${finalizer} in ${number} resource instances`,
  );
  return [
    errors.length === 0
      ? {
          type: 'NamespaceDeletionContentFailure',
          status: 'False',
          reason: 'ContentDeleted',
          message: 'All content successfully deleted, may be waiting on finalization',
        }
      : { type: 'NamespaceDeletionContentFailure', status: 'True', reason: 'ContentDeletionFailed', message: errors.join('; ') },
    remaining.length === 0
      ? { type: 'NamespaceContentRemaining', status: 'False', reason: 'ContentRemoved', message: 'All content successfully removed' }
      : {
          type: 'NamespaceContentRemaining',
          status: 'True',
          reason: 'SomeResourcesRemain',
          message: `Some resources are remaining: ${remaining.join(', ')}`,
        },
    held.length === 0
      ? {
          type: 'NamespaceFinalizersRemaining',
          status: 'False',
          reason: 'ContentHasNoFinalizers',
          message: 'All content-preserving finalizers finished',
        }
      : {
          type: 'NamespaceFinalizersRemaining',
          status: 'True',
          reason: 'SomeFinalizersRemain',
          message: `Some content in the namespace has finalizers remaining: ${held.join(', ')}`,
        },
  ];
}

function count(names: readonly string[]): [string, number][] {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return [...counts].toSorted(([a], [b]) => (a < b ? -1 : 1));
}
