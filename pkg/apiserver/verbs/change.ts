/**
 * What update, patch, and writes through subresources have in common: a change of one stored object, made on its newest content, completed,
 * judged, and written in one commit, or not at all.
 */
import { deepFreeze } from '#api/freeze';
import type { Subresource } from '#api/kind';
import type { KubernetesObject } from '#api/object';
import { validateChange, validateSubresourceChange } from '#api/registry';
import { Pace } from '#base/pace';
import type { CachedObject } from '#storage/cached-object';
import type { ObjectName } from '#storage/keys';
import { type Change, ExtraCompareError, type Preconditions } from '#storage/store';
import type { RequestContext } from '../request-context.ts';
import type { ServedObject } from './answer.ts';
import type { VerbParts } from './parts.ts';
import { checkPreconditions } from './preconditions.ts';
import { maximumAttempts, Reservations } from './reservations.ts';
import type { ServedResource } from './served-resource.ts';

export interface ChangeRequest {
  readonly resource: ServedResource;
  readonly name: ObjectName;
  readonly subresource: Subresource<KubernetesObject> | undefined;
  readonly preconditions: Preconditions;
  readonly dryRun: boolean;
  /**
   * The whole new object in its stored form: through the main resource a fresh draft, through a subresource one that may share with the old.
   * May be called several times.
   */
  make(current: CachedObject, warn: (text: string) => void): KubernetesObject | Promise<KubernetesObject>;
}

/** The outcome of a change; of an object that went with it, its last content. */
export interface Changed {
  /** In the stored form; frozen. */
  readonly object: KubernetesObject;
  /** In the client's version. */
  readonly served: ServedObject;
}

/** Makes the change. Throws what the store, the rules or admission say. */
export async function changeObject(parts: VerbParts, context: RequestContext, request: ChangeRequest): Promise<Changed> {
  const warned = new Set<string>();
  const warn = (text: string): void => {
    if (warned.has(text)) return;
    warned.add(text);
    context.warn(text);
  };
  const quiet: RequestContext = { ...context, warn };
  for (let attempt = 0; ; attempt++) {
    let reservations = new Reservations();
    const change = async (current: CachedObject): Promise<Change> => {
      reservations = new Reservations();
      const next = await nextObject(parts, quiet, request, current, attempt, reservations);
      const extra = reservations.toExtra();
      return next === undefined ? { remove: true, extra } : { object: next, extra };
    };
    if (request.dryRun) return await rehearse(parts, request, change, () => reservations);
    try {
      const result = await parts.store.update(request.resource.stored, request.name, change, request.preconditions);
      return changedTo(request.resource, result.object);
    } catch (error) {
      if (!(error instanceof ExtraCompareError) || attempt >= maximumAttempts) throw error;
      reservations.judge(error);
    }
  }
}

function changedTo(resource: ServedResource, cached: CachedObject): Changed {
  return {
    get object() {
      return cached.object;
    },
    served: resource.serve(cached),
  };
}

/** Everything but the write. */
async function rehearse(
  parts: VerbParts,
  request: ChangeRequest,
  change: (current: CachedObject) => Promise<Change>,
  reservations: () => Reservations,
): Promise<Changed> {
  const { resource, name, preconditions } = request;
  const current = await parts.store.get(resource.stored, name);
  checkPreconditions(resource, name, current, preconditions);
  const next = await change(current);
  await reservations().check(async (key) => (await parts.store.backend.get(key)).item?.revision ?? 0);
  if ('remove' in next) return changedTo(resource, current);
  const object = deepFreeze({ ...next.object, metadata: { ...next.object.metadata, resourceVersion: String(current.revision) } });
  return { object, served: resource.serveDraft(object) };
}

/** The object after the change; undefined: the change takes away what held it, and it goes. */
async function nextObject(
  parts: VerbParts,
  context: RequestContext,
  request: ChangeRequest,
  current: CachedObject,
  attempt: number,
  reservations: Reservations,
): Promise<KubernetesObject | undefined> {
  const { resource, subresource, name } = request;
  const { kind } = resource;
  const old = current.object;
  const pace = new Pace();
  const next = await request.make(current, (text) => context.warn(text));
  if (pace.isDue) await pace.rest();
  const admission = {
    context,
    operation: 'update',
    resource: resource.stored,
    ...(subresource === undefined ? {} : { subresource: subresource.name }),
    ...(name.namespace === undefined ? {} : { namespace: name.namespace }),
    name: name.name,
    object: next,
    old,
    dryRun: request.dryRun,
    attempt,
    reserve: (reservation: Parameters<Reservations['add']>[0]) => reservations.add(reservation),
  } as const;
  if (subresource === undefined) {
    keepMetadata(next, old);
    kind.defaults?.(next);
    kind.beforeUpdate?.(next, old);
    await parts.admission.mutate(admission);
    if (kind.changesGeneration?.(next, old) === true) next.metadata.generation = (old.metadata.generation ?? 0) + 1;
    for (const warning of kind.warnings?.(next, old) ?? []) context.warn(warning);
    if (pace.isDue) await pace.rest();
    validateChange(kind, next, old, resource.served.version);
    await parts.admission.validate(admission);
    if (pace.isDue) await pace.rest();
    return settle(parts, resource, next, old, reservations);
  }
  validateSubresourceChange(kind, subresource.name, next, old);
  await parts.admission.validate(admission);
  const grown = next !== old && kind.changesGeneration?.(next, old) === true;
  const generation = (old.metadata.generation ?? 0) + 1;
  return settle(parts, resource, grown ? { ...next, metadata: { ...next.metadata, generation } } : next, old, reservations);
}

function settle(
  parts: VerbParts,
  resource: ServedResource,
  next: KubernetesObject,
  old: KubernetesObject,
  reservations: Reservations,
): KubernetesObject | undefined {
  if (!isReleased(resource, next)) return next;
  reservations.releaseAll(parts.admission.released(resource.stored, old));
  return undefined;
}

/** What no client may change or need send: given anew from the old object, where the new one does not contradict it. */
function keepMetadata(next: KubernetesObject, old: KubernetesObject): void {
  const { metadata } = next;
  const kept = old.metadata;
  metadata.uid ??= kept.uid ?? '';
  if (kept.creationTimestamp !== undefined) metadata.creationTimestamp ??= kept.creationTimestamp;
  // Once begun, a deletion is neither taken back nor moved by an update.
  delete metadata.deletionTimestamp;
  delete metadata.deletionGracePeriodSeconds;
  if (kept.deletionTimestamp !== undefined) metadata.deletionTimestamp = kept.deletionTimestamp;
  if (kept.deletionGracePeriodSeconds !== undefined) metadata.deletionGracePeriodSeconds = kept.deletionGracePeriodSeconds;
  delete metadata.generation;
  if (kept.generation !== undefined) metadata.generation = kept.generation;
  if (kept.generateName !== undefined) metadata.generateName ??= kept.generateName;
  delete metadata.selfLink;
  delete metadata.managedFields;
  delete metadata.resourceVersion;
}

/** Whether an object that is being deleted is held by nothing any more. */
export function isReleased(resource: ServedResource, object: KubernetesObject): boolean {
  const { deletionTimestamp, deletionGracePeriodSeconds = 0, finalizers = [] } = object.metadata;
  return (
    deletionTimestamp !== undefined &&
    deletionGracePeriodSeconds === 0 &&
    finalizers.length === 0 &&
    resource.kind.deletion?.isHeld?.(object) !== true
  );
}
