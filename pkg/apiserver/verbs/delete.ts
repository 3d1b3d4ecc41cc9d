import { deepFreeze } from '#api/freeze';
import type { KubernetesObject } from '#api/object';
import { formatTime } from '#base/clock';
import type { Status } from '#base/errors';
import type { ApiRequest, DeleteOptions } from '#client/transport';
import type { CachedObject } from '#storage/cached-object';
import { detailsOf, type ObjectName } from '#storage/keys';
import { type Change, ExtraCompareError, type UpdateResult } from '#storage/store';
import type { RequestContext } from '../request-context.ts';
import type { Answer } from './answer.ts';
import { isReleased } from './change.ts';
import { objectNameOf } from './object-name.ts';
import { authorize, type VerbParts } from './parts.ts';
import { checkPreconditions } from './preconditions.ts';
import { maximumAttempts, Reservations } from './reservations.ts';
import type { ServedResource } from './served-resource.ts';

/** Begins, hastens or completes the deletion of an object: it goes at once unless finalizers, a grace period, or its kind hold it. */
export async function remove(parts: VerbParts, context: RequestContext, request: Extract<ApiRequest, { verb: 'delete' }>): Promise<Answer> {
  const resource = parts.resources.get(request.resource);
  resource.mustHave('delete');
  await authorize(parts, context, request);
  return await removeObject(parts, context, resource, objectNameOf(resource, request), request.options);
}

/** The deletion itself, for whoever has seen to the authorization. */
export async function removeObject(
  parts: VerbParts,
  context: RequestContext,
  resource: ServedResource,
  name: ObjectName,
  options: DeleteOptions,
): Promise<Answer> {
  const preconditions = options.preconditions ?? {};
  for (let attempt = 0; ; attempt++) {
    let reservations = new Reservations();
    const change = async (current: CachedObject): Promise<Change> => {
      reservations = new Reservations();
      await parts.admission.validate({
        context,
        operation: 'delete',
        resource: resource.stored,
        ...(name.namespace === undefined ? {} : { namespace: name.namespace }),
        name: name.name,
        object: current.object,
        old: current.object,
        dryRun: options.dryRun === true,
        attempt,
        reserve: (reservation) => reservations.add(reservation),
      });
      const next = afterDelete(parts, resource, current.object, options);
      if (next !== undefined) return { object: next, extra: reservations.toExtra() };
      reservations.releaseAll(parts.admission.released(resource.stored, current.object));
      return { remove: true, extra: reservations.toExtra() };
    };
    try {
      const result =
        options.dryRun === true
          ? await rehearse(parts, resource, name, options, change)
          : await parts.store.update(resource.stored, name, change, preconditions);
      return answer(resource, name, result);
    } catch (error) {
      if (!(error instanceof ExtraCompareError) || attempt >= maximumAttempts) throw error;
      reservations.judge(error);
    }
  }
}

/** The outcome of a deletion, and of one that was not made what it would have made of the object. */
type Rehearsed = Pick<UpdateResult, 'object' | 'outcome'> & { readonly shown?: KubernetesObject };

function answer(resource: ServedResource, name: ObjectName, result: Rehearsed): Answer {
  if (result.outcome !== 'removed') {
    const { shown } = result;
    return {
      type: 'object',
      code: 200,
      object: shown === undefined ? resource.serve(result.object) : resource.serveDraft(deepFreeze(shown)),
    };
  }
  const { uid } = result.object.object.metadata;
  const status: Status = {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Success',
    details: { ...detailsOf(resource.type, name.name), ...(uid === undefined ? {} : { uid }) },
  };
  return { type: 'status', code: 200, status };
}

async function rehearse(
  parts: VerbParts,
  resource: ServedResource,
  name: ObjectName,
  options: DeleteOptions,
  change: (current: CachedObject) => Promise<Change>,
): Promise<Rehearsed> {
  const current = await parts.store.get(resource.stored, name);
  checkPreconditions(resource, name, current, options.preconditions ?? {});
  const next = await change(current);
  return 'remove' in next ? { object: current, outcome: 'removed' } : { object: current, outcome: 'written', shown: next.object };
}

/** The object as the deletion leaves it; undefined: nothing holds it. */
function afterDelete(
  parts: VerbParts,
  resource: ServedResource,
  object: KubernetesObject,
  options: DeleteOptions,
): KubernetesObject | undefined {
  const { metadata } = object;
  const finalizers = finalizersFor(metadata.finalizers ?? [], options);
  const grace = graceFor(resource, object, options.gracePeriodSeconds);
  const begun = metadata.deletionTimestamp !== undefined;
  const same = begun && grace === metadata.deletionGracePeriodSeconds && sameList(finalizers, metadata.finalizers ?? []);
  if (same && !isReleased(resource, object)) return object;

  const draft = structuredClone(object);
  if (finalizers.length > 0) draft.metadata.finalizers = finalizers;
  else delete draft.metadata.finalizers;
  if (!begun || grace !== metadata.deletionGracePeriodSeconds) {
    draft.metadata.deletionTimestamp = deletionTime(parts, object, grace);
    draft.metadata.deletionGracePeriodSeconds = grace;
  }
  if (!begun) {
    if (metadata.generation !== undefined) draft.metadata.generation = metadata.generation + 1;
    resource.kind.deletion?.begin?.(draft);
  }
  return isReleased(resource, draft) ? undefined : draft;
}

/** A deletion that has begun may only be hastened. */
function graceFor(resource: ServedResource, object: KubernetesObject, requested: number | undefined): number {
  const { deletionTimestamp, deletionGracePeriodSeconds } = object.metadata;
  if (deletionTimestamp === undefined) return Math.max(0, resource.kind.deletion?.gracePeriod?.(object, requested) ?? 0);
  const left = deletionGracePeriodSeconds ?? 0;
  return requested === undefined ? left : Math.min(left, Math.max(0, requested));
}

function deletionTime(parts: VerbParts, object: KubernetesObject, grace: number): string {
  const { deletionTimestamp, deletionGracePeriodSeconds = 0 } = object.metadata;
  const begun = deletionTimestamp === undefined ? parts.clock.now() : Date.parse(deletionTimestamp) - deletionGracePeriodSeconds * 1000;
  return formatTime(begun + grace * 1000);
}

/** What the garbage collector is to see to before the object goes, by the propagation policy; without one, what stands there already. */
function finalizersFor(present: readonly string[], { propagationPolicy }: DeleteOptions): string[] {
  if (propagationPolicy === undefined) return [...present];
  const others = present.filter((finalizer) => finalizer !== 'orphan' && finalizer !== 'foregroundDeletion');
  if (propagationPolicy === 'Orphan') return [...others, 'orphan'];
  return propagationPolicy === 'Foreground' ? [...others, 'foregroundDeletion'] : others;
}

function sameList(left: readonly string[], right: readonly string[]): boolean {
  return left.length === right.length && left.every((item, index) => item === right[index]);
}
