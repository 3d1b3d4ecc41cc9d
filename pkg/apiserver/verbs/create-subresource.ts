import { StatusError } from '#base/errors';
import { resourceId } from '#storage/keys';
import type { RequestContext } from '../request-context.ts';
import type { Answer } from './answer.ts';
import { changeObject } from './change.ts';
import { decodeOptionsOf } from './decode-options.ts';
import { objectNameOf } from './object-name.ts';
import { authorize, type CreateRequest, type VerbParts } from './parts.ts';
import type { SubresourceHandler } from './subresources/handler.ts';
import { writeThrough } from './through-subresource.ts';

/** A POST to an object: an action with a handler of its own, or a change that the kind's definition describes. */
export async function createThroughSubresource(
  parts: VerbParts,
  handlers: readonly SubresourceHandler[],
  context: RequestContext,
  request: CreateRequest,
): Promise<Answer> {
  const resource = parts.resources.get(request.resource);
  const subresource = resource.subresource(request.subresource ?? '', 'create');
  await authorize(parts, context, request);
  const { name: requested } = request;
  if (requested === undefined) throw new StatusError('BadRequest', `creating through ${subresource.name} needs the name of the object`);
  const target = { ...request, name: requested };
  const name = objectNameOf(resource, target);
  const { object: body, warnings } = resource.decodeFor(subresource, request.object, decodeOptionsOf(request.options));
  for (const warning of warnings) context.warn(warning);
  const handler = handlers.find((one) => one.subresource === subresource.name && resourceId(one.resource) === resourceId(resource.stored));
  if (handler !== undefined) return await handler.create(parts, context, target, resource, body);
  const { uid, resourceVersion } = body.metadata;
  await changeObject(parts, context, {
    resource,
    name,
    subresource,
    dryRun: request.options.dryRun === true,
    preconditions: { uid: uid === '' ? undefined : uid, resourceVersion: resourceVersion === '' ? undefined : resourceVersion },
    make: (current) => writeThrough(subresource, current.object, body, parts.clock.now()),
  });
  return { type: 'status', code: 201, status: { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', code: 201 } };
}
