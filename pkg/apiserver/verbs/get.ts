import { deepFreeze } from '#api/freeze';
import type { ApiRequest } from '#client/transport';
import type { ReadPoint } from '#storage/resource-cache';
import { notFound } from '#storage/store';
import type { RequestContext } from '../request-context.ts';
import { type Answer, MadeObject } from './answer.ts';
import { objectNameOf } from './object-name.ts';
import { authorize, type VerbParts } from './parts.ts';
import { parseRevision } from './read-options.ts';

/** One object, or what a subresource shows of it. */
export async function get(parts: VerbParts, context: RequestContext, request: Extract<ApiRequest, { verb: 'get' }>): Promise<Answer> {
  const resource = parts.resources.get(request.resource);
  const subresource = request.subresource === undefined ? undefined : resource.subresource(request.subresource, 'get');
  if (subresource === undefined) resource.mustHave('get');
  await authorize(parts, context, request);
  const name = objectNameOf(resource, request);
  const found = await parts.store.cache.resource(resource.stored).get(name, readPoint(request.resourceVersion));
  if (found === undefined) throw notFound(resource.type, name);
  const object = subresource?.read === undefined ? resource.serve(found) : new MadeObject(deepFreeze(subresource.read(found.object)));
  return { type: 'object', code: 200, object };
}

function readPoint(resourceVersion: string | undefined): ReadPoint {
  const revision = parseRevision(resourceVersion ?? '');
  if (revision === undefined) return 'newest';
  return revision === 0 ? 'any' : { notOlderThan: revision };
}
