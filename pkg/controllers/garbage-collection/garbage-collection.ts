/**
 * Garbage collection: what is owned goes when all its owners have gone, in the background, or before them (foreground), or stays (orphan).
 * It covers every resource that can be watched and deleted, and names none. Invariant: nothing is deleted because a store lags: that an owner is
 * gone is confirmed with the API, and the deletion holds to the uid and revision that were seen.
 */
import { deepEqual } from '#api/equality';
import { groupResourceOf, type KubernetesObject, type OwnerReference, parseApiVersion, type ResourceType } from '#api/object';
import { hasReason } from '#base/errors';
import { keyOf, splitKey } from '#client/informer';
import type { InformerSet } from '#client/informer-set';
import { type Controller, type ControllerEnvironment, defineController, type ReconcileContext, type Watch } from '../controller.ts';
import { foregroundFinalizer, type OwnerState, planDependent, planOwner } from './plan.ts';

/** Uids never come back: what was confirmed to be gone stays so. */
const rememberedAbsent = 10_000;

export const garbageCollection: Controller = {
  name: 'generic-garbage-collector',
  create: (environment: ControllerEnvironment) => {
    const resources = new Resources(environment.resources());
    const collector = new Collector(resources);
    return defineController({
      name: 'generic-garbage-collector',
      workers: 16,
      watches: () => resources.all.map((resource) => watchGraph(resource, resources)),
      reconcile: (key, context) => collector.reconcile(key, context),
    }).create(environment);
  },
};

class Resources {
  readonly all: readonly ResourceType[];
  readonly #byName = new Map<string, ResourceType>();
  readonly #byKind = new Map<string, ResourceType>();

  constructor(all: readonly ResourceType[]) {
    this.all = all;
    for (const resource of all) {
      this.#byName.set(groupResourceOf(resource), resource);
      this.#byKind.set(`${resource.group}/${resource.kind}`, resource);
    }
  }

  named(groupResource: string): ResourceType | undefined {
    return this.#byName.get(groupResource);
  }

  ofReference({ apiVersion, kind }: OwnerReference): ResourceType | undefined {
    return this.#byKind.get(`${parseApiVersion(apiVersion).group}/${kind}`);
  }
}

/** Keys are `<resource> <namespace/name>`: one queue for all resources. */
function keyFor(resource: ResourceType, path: string): string {
  return `${groupResourceOf(resource)} ${path}`;
}

/** The index by which an object's dependents are found: every owner's uid, controlling or not. */
function ownerUids(object: KubernetesObject): readonly string[] {
  return (object.metadata.ownerReferences ?? []).map(({ uid }) => uid);
}

/** An object comes up when it has owners, when it is being deleted and held by us, and when an owner or dependent of it goes. */
function watchGraph(resource: ResourceType, resources: Resources): Watch {
  return {
    resource,
    attach: (informers, enqueue) => {
      const store = informers.for(resource);
      store.addIndex('dependent', ownerUids);
      store.onChange(({ type, object, old }) => {
        if (type === 'MODIFIED' && old !== undefined && deepEqual(relevant(old), relevant(object))) return;
        const { ownerReferences = [], finalizers = [], deletionTimestamp, uid = '' } = object.metadata;
        if (type === 'DELETED') {
          for (const { resource: other, dependent } of dependentsOf(uid, informers, resources)) enqueue(keyFor(other, keyOf(dependent)));
        } else if (ownerReferences.length > 0 || (deletionTimestamp !== undefined && finalizers.length > 0)) {
          enqueue(keyFor(resource, keyOf(object)));
        }
        for (const reference of [...ownerReferences, ...(old?.metadata.ownerReferences ?? [])]) {
          const owner = resources.ofReference(reference);
          if (owner === undefined) continue;
          const path = ownerPath(object, reference, owner);
          const present = informers.for(owner).get(path);
          if (present?.metadata.deletionTimestamp !== undefined) enqueue(keyFor(owner, path));
        }
        if (type === 'MODIFIED' && deletionTimestamp !== undefined && finalizers.includes(foregroundFinalizer)) {
          for (const { resource: other, dependent } of dependentsOf(uid, informers, resources)) enqueue(keyFor(other, keyOf(dependent)));
        }
      });
    },
  };
}

/** Of all changes of an object only these matter here. */
function relevant({ metadata }: KubernetesObject): unknown {
  return [metadata.uid, metadata.ownerReferences, metadata.finalizers, metadata.deletionTimestamp];
}

function dependentsOf(
  uid: string,
  informers: InformerSet,
  resources: Resources,
): { readonly resource: ResourceType; readonly dependent: KubernetesObject }[] {
  return resources.all.flatMap((resource) => {
    const store = informers.for(resource);
    store.addIndex('dependent', ownerUids);
    return store.byIndex('dependent', uid).map((dependent) => ({ resource, dependent }));
  });
}

function ownerPath(object: KubernetesObject, { name }: OwnerReference, owner: ResourceType): string {
  const { namespace } = object.metadata;
  return keyOf({ metadata: owner.namespaced && namespace !== undefined ? { name, namespace } : { name } });
}

class Collector {
  readonly #resources: Resources;
  readonly #absent = new Set<string>();

  constructor(resources: Resources) {
    this.#resources = resources;
  }

  async reconcile(key: string, context: ReconcileContext): Promise<undefined> {
    const space = key.indexOf(' ');
    const resource = this.#resources.named(key.slice(0, space));
    if (resource === undefined) return undefined;
    const object = context.store(resource).get(key.slice(space + 1));
    if (object === undefined) return undefined;
    const dependents = this.#dependents(object, context);
    if (object.metadata.deletionTimestamp !== undefined) await this.#asOwner(object, resource, dependents, context);
    else await this.#asDependent(object, resource, dependents.length > 0, context);
    return undefined;
  }

  #dependents(object: KubernetesObject, { store }: ReconcileContext): { resource: ResourceType; dependent: KubernetesObject }[] {
    const { uid = '' } = object.metadata;
    return this.#resources.all.flatMap((resource) =>
      store(resource)
        .byIndex('dependent', uid)
        .map((dependent) => ({ resource, dependent })),
    );
  }

  async #asDependent(object: KubernetesObject, resource: ResourceType, hasDependents: boolean, context: ReconcileContext): Promise<void> {
    const states = new Map<OwnerReference, OwnerState>();
    for (const reference of object.metadata.ownerReferences ?? []) states.set(reference, await this.#stateOf(object, reference, context));
    const plan = planDependent(object, (reference) => states.get(reference) ?? 'unknown', hasDependents);
    if (plan.type === 'none') return;
    if (plan.type === 'delete') {
      context.log.debug('owners are gone', { resource: resource.plural, object: keyOf(object), policy: plan.policy });
      await remove(object, resource, plan.policy, context);
      return;
    }
    await patchMetadata(object, resource, { ownerReferences: plan.keep }, context);
  }

  async #asOwner(
    object: KubernetesObject,
    resource: ResourceType,
    dependents: readonly { resource: ResourceType; dependent: KubernetesObject }[],
    context: ReconcileContext,
  ): Promise<void> {
    const plan = planOwner(
      object,
      dependents.map(({ dependent }) => dependent),
    );
    const resourceOf = (dependent: KubernetesObject): ResourceType =>
      dependents.find((each) => each.dependent === dependent)?.resource ?? resource;
    switch (plan.type) {
      case 'none':
        return;
      case 'delete dependents':
        // What has dependents of its own is deleted in the foreground too, so that the whole tree goes leaves first.
        await Promise.all(
          plan.dependents.map((dependent) =>
            this.#asDependent(dependent, resourceOf(dependent), this.#dependents(dependent, context).length > 0, context),
          ),
        );
        return;
      case 'orphan dependents':
        await Promise.all(
          plan.dependents.map((dependent) => {
            const ownerReferences = (dependent.metadata.ownerReferences ?? []).filter(({ uid }) => uid !== object.metadata.uid);
            return patchMetadata(dependent, resourceOf(dependent), { ownerReferences }, context);
          }),
        );
        return;
      case 'remove finalizer': {
        const finalizers = (object.metadata.finalizers ?? []).filter((finalizer) => finalizer !== plan.finalizer);
        await patchMetadata(object, resource, { finalizers }, context);
      }
    }
  }

  async #stateOf(object: KubernetesObject, reference: OwnerReference, { client, store, events }: ReconcileContext): Promise<OwnerState> {
    const owner = this.#resources.ofReference(reference);
    if (owner === undefined) return 'unknown';
    if (owner.namespaced && (object.metadata.namespace ?? '') === '') {
      const message = `ownerRef [${reference.apiVersion}/${reference.kind}, name: ${reference.name}, uid: ${reference.uid}] is namespaced, the object is not`;
      events.event(object, 'Warning', 'OwnerRefInvalidNamespace', message);
      return 'unknown';
    }
    if (this.#absent.has(reference.uid)) return 'absent';
    const path = ownerPath(object, reference, owner);
    let present: KubernetesObject | undefined = store(owner).get(path);
    if (present?.metadata.uid !== reference.uid) present = await client.find(owner, splitKey(path));
    if (present?.metadata.uid !== reference.uid) {
      this.#remember(reference.uid);
      return 'absent';
    }
    const { deletionTimestamp, finalizers = [] } = present.metadata;
    return deletionTimestamp !== undefined && finalizers.includes(foregroundFinalizer) ? 'waiting' : 'present';
  }

  #remember(uid: string): void {
    if (this.#absent.size >= rememberedAbsent) this.#absent.clear();
    this.#absent.add(uid);
  }
}

async function remove(
  object: KubernetesObject,
  resource: ResourceType,
  propagationPolicy: 'Background' | 'Foreground',
  { client }: ReconcileContext,
): Promise<void> {
  const { uid = '', resourceVersion = '' } = object.metadata;
  try {
    await client.delete(resource, splitKey(keyOf(object)), { propagationPolicy, preconditions: { uid, resourceVersion } });
  } catch (error) {
    // On Conflict the object changed since, perhaps its owners did: its change brings it here again.
    if (!hasReason(error, 'NotFound') && !hasReason(error, 'Conflict')) throw error;
  }
}

async function patchMetadata(
  object: KubernetesObject,
  resource: ResourceType,
  change: object,
  { client }: ReconcileContext,
): Promise<void> {
  const { uid, resourceVersion } = object.metadata;
  try {
    await client.patch(resource, splitKey(keyOf(object)), 'merge', { metadata: { uid, resourceVersion, ...change } });
  } catch (error) {
    if (!hasReason(error, 'NotFound')) throw error;
  }
}
