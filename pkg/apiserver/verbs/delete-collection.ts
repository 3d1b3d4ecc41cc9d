import { apiVersionOf } from '#api/object';
import { hasReason } from '#base/errors';
import type { ApiRequest } from '#client/transport';
import { parseItemKey } from '#storage/keys';
import type { RequestContext } from '../request-context.ts';
import type { Answer } from './answer.ts';
import { removeObject } from './delete.ts';
import { listObjects } from './list.ts';
import { authorize, type VerbParts } from './parts.ts';

/** Deletions under way at once. */
const width = 16;

/** Deletes each object that the selectors choose, by the rules of a single deletion; answers with the list of them as they were. */
export async function removeCollection(
  parts: VerbParts,
  context: RequestContext,
  request: Extract<ApiRequest, { verb: 'deletecollection' }>,
): Promise<Answer> {
  const resource = parts.resources.get(request.resource);
  resource.mustHave('deletecollection');
  await authorize(parts, context, request);
  const { items, metadata } = await listObjects(parts, resource, request, request.options);
  const queue = items.values();
  const worker = async (): Promise<void> => {
    for (const item of queue) {
      const { namespace, name } = parseItemKey(item.key);
      try {
        await removeObject(parts, context, resource, namespace === undefined ? { name } : { namespace, name }, request.options);
      } catch (error) {
        // Gone already: someone else was quicker.
        if (!hasReason(error, 'NotFound')) throw error;
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(width, items.length) }, worker));
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
