/**
 * Which objects a controller's object has: those that it owns and its selector selects, and orphans that the selector selects, which it adopts.
 * What it owns and does not select any more is released.
 */
import type { KubernetesObject, ResourceType } from '#api/object';
import { matchesSelector, type Selector } from '#api/selector';
import { hasReason } from '#base/errors';
import type { Client } from '#client/client';
import type { Informer } from '#client/informer';
import type { InformerSet } from '#client/informer-set';
import { controllerOf, controllerReference, isBeingDeleted, isControlledBy } from './owner.ts';

export interface Claimed<T extends KubernetesObject> {
  readonly own: readonly T[];
  readonly adopt: readonly T[];
  readonly release: readonly T[];
}

/** Pure: sorts candidates (owned ones and orphans of the namespace). An owner that is being deleted adopts nothing. */
export function sortCandidates<T extends KubernetesObject>(
  owner: KubernetesObject,
  selector: Selector,
  candidates: readonly T[],
): Claimed<T> {
  const own: T[] = [];
  const adopt: T[] = [];
  const release: T[] = [];
  for (const candidate of candidates) {
    const selected = matchesSelector(selector, candidate.metadata.labels);
    if (isControlledBy(candidate, owner)) (selected ? own : release).push(candidate);
    else if (controllerOf(candidate) === undefined && selected && !isBeingDeleted(candidate) && !isBeingDeleted(owner))
      adopt.push(candidate);
  }
  return { own, adopt, release };
}

/** Adds the index that `claim` needs: objects without a controlling owner, by namespace. */
export function indexOrphans(informers: InformerSet, resource: ResourceType): void {
  informers.for(resource).addIndex('orphan', orphanNamespace);
}

function orphanNamespace(object: KubernetesObject): readonly string[] {
  return controllerOf(object) === undefined ? [object.metadata.namespace ?? ''] : [];
}

/** Carries out adoption and release, and gives what the owner has then. */
export async function claim<T extends KubernetesObject>(
  client: Client,
  store: Informer<T>,
  owner: {
    readonly object: KubernetesObject;
    readonly resource: ResourceType;
    readonly selector: Selector;
    /** Which orphans may be adopted at all; any unless given. */
    readonly adopts?: (orphan: T) => boolean;
  },
): Promise<T[]> {
  const { object, resource, selector, adopts = () => true } = owner;
  const candidates = [
    ...store.byIndex('owner', object.metadata.uid ?? ''),
    ...store.byIndex('orphan', object.metadata.namespace ?? '').filter(adopts),
  ];
  const { own, adopt, release } = sortCandidates(object, selector, candidates);
  const claimed = [...own];
  if (adopt.length > 0 && (await stillThere(client, resource, object))) {
    for (const orphan of adopt) {
      const ownerReferences = [...(orphan.metadata.ownerReferences ?? []), controllerReference(object, resource)];
      const adopted = await patchOwners(client, store.resource, orphan, ownerReferences);
      if (adopted !== undefined) claimed.push(adopted);
    }
  }
  for (const stranger of release) {
    const ownerReferences = (stranger.metadata.ownerReferences ?? []).filter(({ uid }) => uid !== object.metadata.uid);
    await patchOwners(client, store.resource, stranger, ownerReferences);
  }
  return claimed;
}

/** The store may lag behind: nothing is adopted by what is gone or going, or was replaced by another of the same name. */
async function stillThere(client: Client, resource: ResourceType, object: KubernetesObject): Promise<boolean> {
  const { name = '', namespace = '', uid } = object.metadata;
  const now = await client.find(resource, { name, namespace });
  return now !== undefined && now.metadata.uid === uid && !isBeingDeleted(now);
}

/** Undefined when the object is gone. The uid and the revision in the patch hold it to the object that was seen. */
async function patchOwners<T extends KubernetesObject>(
  client: Client,
  resource: ResourceType<T>,
  object: T,
  ownerReferences: object[],
): Promise<T | undefined> {
  const { name = '', namespace = '', uid, resourceVersion } = object.metadata;
  try {
    return await client.patch(resource, { name, namespace }, 'merge', { metadata: { uid, resourceVersion, ownerReferences } });
  } catch (error) {
    if (hasReason(error, 'NotFound')) return undefined;
    throw error;
  }
}
