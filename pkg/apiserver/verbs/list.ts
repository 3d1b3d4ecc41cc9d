import { requiredFieldValue } from '#api/field-selector';
import { apiVersionOf, type ListMeta } from '#api/object';
import { hasReason, StatusError } from '#base/errors';
import type { ApiRequest, ListOptions, Target } from '#client/transport';
import type { CachedObject } from '#storage/cached-object';
import { resourceId } from '#storage/keys';
import type { IndexQuery } from '#storage/object-index';
import type { CacheList } from '#storage/resource-cache';
import type { RequestContext } from '../request-context.ts';
import type { Answer } from './answer.ts';
import { encodeContinue, expiredContinue } from './continue-token.ts';
import { authorize, type VerbParts } from './parts.ts';
import { planList } from './read-options.ts';
import type { Selection, ServedResource } from './served-resource.ts';

/** The objects of a resource, in one namespace or all, page by page where the client sets a limit. */
export async function list(parts: VerbParts, context: RequestContext, request: Extract<ApiRequest, { verb: 'list' }>): Promise<Answer> {
  const resource = parts.resources.get(request.resource);
  resource.mustHave('list');
  await authorize(parts, context, request);
  const { items, metadata } = await listObjects(parts, resource, request, request.options);
  return {
    type: 'list',
    list: {
      apiVersion: apiVersionOf(resource.type),
      kind: `${resource.type.kind}List`,
      metadata,
      items: items.map((item) => resource.serve(item)),
    },
  };
}

/** The stored objects that the options choose, and the list's metadata. */
export async function listObjects(
  parts: VerbParts,
  resource: ServedResource,
  target: Target,
  options: ListOptions,
): Promise<{ readonly items: readonly CachedObject[]; readonly metadata: ListMeta }> {
  checkListNamespace(resource, target);
  const plan = planList(options);
  const selection = resource.selection(options);
  const limit = options.limit !== undefined && options.limit > 0 ? options.limit : undefined;
  const cache = parts.store.cache.resource(resource.stored);
  const namespace = namespaceOf(resource, target, selection);
  const { at, continuation } = plan;
  const exactly = typeof at === 'object' && 'exactly' in at;

  const single = requiredFieldValue(selection.fields, 'metadata.name');
  if (single !== undefined && !exactly && (namespace !== undefined || !resource.type.namespaced)) {
    const found = await cache.get({ name: single, ...(namespace === undefined ? {} : { namespace }) }, at);
    const items = found !== undefined && selection.matches(found) ? [found] : [];
    return { items, metadata: { resourceVersion: String(parts.store.cache.revision) } };
  }

  let page: CacheList;
  try {
    page = await cache.list({
      namespace,
      at,
      start: continuation?.start,
      limit,
      index: indexFor(parts, resource, selection),
      filter: selection.isEverything ? undefined : selection.matches,
    });
  } catch (error) {
    if (continuation !== undefined && hasReason(error, 'Expired')) throw expiredContinue(continuation.start, error);
    throw error;
  }
  const metadata: ListMeta = { resourceVersion: String(page.revision) };
  if (page.next !== undefined) {
    // A continuation of the present state has no state to go on from: it goes on from the one that this page showed.
    metadata.continue = encodeContinue({ revision: page.revision, start: page.next });
    if (page.remaining !== undefined) metadata.remainingItemCount = page.remaining;
  }
  return { items: page.items, metadata };
}

/** The one namespace that is asked for, by path or by selector. */
export function namespaceOf(resource: ServedResource, target: Target, selection: Selection): string | undefined {
  if (!resource.type.namespaced) return undefined;
  return target.namespace ?? (requiredFieldValue(selection.fields, 'metadata.namespace') || undefined);
}

/** The index that serves one of the selector's requirements, if the cache keeps one. */
export function indexFor(parts: VerbParts, resource: ServedResource, selection: Selection): IndexQuery | undefined {
  for (const indexer of parts.indexers) {
    if (indexer.resource !== undefined && resourceId(indexer.resource) !== resourceId(resource.stored)) continue;
    const value = requiredFieldValue(selection.fields, indexer.name);
    if (value !== undefined && value !== '') return { name: indexer.name, value };
  }
  return undefined;
}

export function checkListNamespace(resource: ServedResource, target: Target): void {
  if (target.namespace !== undefined && !resource.type.namespaced) {
    throw new StatusError(
      'BadRequest',
      `${resource.type.plural} have no namespace, but the request names ${JSON.stringify(target.namespace)}`,
    );
  }
}
