/** ResourceQuota: shows in its status what the objects of its namespace add up to. Nothing is refused here: that is admission's, by its own count. */
import { deepEqual } from '#api/equality';
import { groupResourceOf, type KubernetesObject, type ResourceType } from '#api/object';
import { formatQuantity } from '#api/quantity';
import { usedOf } from '#api/resource-policies/quota';
import { isCharged, resourceOf, usageOf } from '#api/resource-policies/usage';
import { events, leases, pods, resourceQuotas } from '#api/shapes/resources';
import type { Pod, ResourceQuota } from '#api/shapes/types/core-v1';
import { keyOf } from '#client/informer';
import {
  type Controller,
  type ControllerEnvironment,
  defineController,
  mapped,
  own,
  type ReconcileContext,
  type Watch,
} from '../controller.ts';

/** Many, short-lived, and not worth a count each time one changes. */
const unwatched: ReadonlySet<string> = new Set([events, leases].map(groupResourceOf));

/** Has a definition of its own for each environment: what can be counted is what is served. */
export const resourceQuota: Controller = {
  name: 'resourcequota',
  create: (environment: ControllerEnvironment) => {
    const countable = environment.resources().filter((resource) => resource.namespaced && !unwatched.has(groupResourceOf(resource)));
    const controller = defineController({
      name: 'resourcequota',
      watches: () => [own(resourceQuotas), ...countable.map((resource) => counting(resource))],
      reconcile: (key, context) => reconcile(key, countable, context),
    });
    return controller.create(environment);
  },
};

/** Any object that comes, goes, or takes more or less than before. */
function counting(resource: ResourceType): Watch {
  return mapped(
    resource,
    ({ metadata }, informers) =>
      informers
        .for(resourceQuotas)
        .byIndex('namespace', metadata.namespace ?? '')
        .map(keyOf),
    (object) => [...usageOf(resource, object, 0)].map(([name, { nano }]) => `${name} ${nano}`),
  );
}

async function reconcile(
  key: string,
  countable: readonly ResourceType[],
  context: ReconcileContext,
): Promise<undefined | { after: number }> {
  const { client, clock, store } = context;
  const quota = store(resourceQuotas).get(key);
  if (quota === undefined || quota.metadata.deletionTimestamp !== undefined) return undefined;
  const now = clock.now();
  const objects = objectsOf(quota, countable, context);
  const used = usedOf(quota.spec, objects, now);
  const status = {
    ...(quota.spec.hard === undefined ? {} : { hard: quota.spec.hard }),
    used: Object.fromEntries([...used].map(([name, amount]) => [name, formatQuantity(amount)])),
  };
  if (!deepEqual(quota.status, status)) await client.updateStatus(resourceQuotas, { ...quota, status });
  // A pod whose time to go is over counts no more.
  const ends = objects.flatMap(({ resource, object }) => (resource === pods ? endOf(object as Pod, now) : []));
  return ends.length === 0 ? undefined : { after: Math.min(...ends) - now };
}

function objectsOf(
  quota: ResourceQuota,
  countable: readonly ResourceType[],
  { store }: ReconcileContext,
): { readonly resource: ResourceType; readonly object: KubernetesObject }[] {
  const wanted = new Set(Object.keys(quota.spec.hard ?? {}).map((name) => groupResourceOf(resourceOf(name) ?? { group: '', plural: '' })));
  return countable
    .filter((resource) => wanted.has(groupResourceOf(resource)))
    .flatMap((resource) =>
      store(resource)
        .byIndex('namespace', quota.metadata.namespace ?? '')
        .map((object) => ({ resource: groupResourceOf(resource) === groupResourceOf(pods) ? pods : resource, object })),
    );
}

function endOf(pod: Pod, now: number): number[] {
  const { deletionTimestamp } = pod.metadata;
  return deletionTimestamp !== undefined && isCharged(pod, now) ? [Date.parse(deletionTimestamp) + 1] : [];
}
