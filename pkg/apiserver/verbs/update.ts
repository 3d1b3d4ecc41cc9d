import { StatusError } from '#base/errors';
import { Pace } from '#base/pace';
import type { ApiRequest } from '#client/transport';
import type { RequestContext } from '../request-context.ts';
import type { Answer } from './answer.ts';
import { changeObject } from './change.ts';
import { decodeOptionsOf } from './decode-options.ts';
import { adoptNamespace, objectNameOf } from './object-name.ts';
import { authorize, type VerbParts } from './parts.ts';
import type { ServedResource } from './served-resource.ts';
import { showChanged, writeThrough } from './through-subresource.ts';

/** Replaces an object, or the part of it that a subresource stands for. An object that does not exist is not made by this. */
export async function update(parts: VerbParts, context: RequestContext, request: Extract<ApiRequest, { verb: 'update' }>): Promise<Answer> {
  const resource = parts.resources.get(request.resource);
  const subresource = request.subresource === undefined ? undefined : resource.subresource(request.subresource, 'update');
  if (subresource === undefined) resource.mustHave('update');
  await authorize(parts, context, request);
  const name = objectNameOf(resource, request);
  const options = decodeOptionsOf(request.options);
  const read = (): ReturnType<ServedResource['decode']> =>
    subresource === undefined ? resource.decode(request.object, options) : resource.decodeFor(subresource, request.object, options);
  const pace = new Pace();
  let decoded: ReturnType<typeof read> | undefined = read();
  if (pace.isDue) await pace.rest();
  for (const warning of decoded.warnings) context.warn(warning);
  const { metadata } = decoded.object;
  if (metadata.name !== undefined && metadata.name !== '' && metadata.name !== request.name) {
    throw new StatusError('BadRequest', `the name of the object (${metadata.name}) does not match the name on the URL (${request.name})`);
  }
  adoptNamespace(resource, decoded.object, request.namespace);
  const changed = await changeObject(parts, context, {
    resource,
    name,
    subresource,
    dryRun: request.options.dryRun === true,
    preconditions: {
      uid: metadata.uid === '' ? undefined : metadata.uid,
      resourceVersion: metadata.resourceVersion === '' ? undefined : metadata.resourceVersion,
    },
    make: (current) => {
      // A draft is used up by the attempt that it was made for.
      const { object } = decoded ?? read();
      decoded = undefined;
      object.metadata.name = name.name;
      if (name.namespace !== undefined) object.metadata.namespace = name.namespace;
      return writeThrough(subresource, current.object, object, parts.clock.now());
    },
  });
  return { type: 'object', code: 200, object: showChanged(subresource, changed) };
}
