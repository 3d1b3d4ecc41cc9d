import { FieldErrors, invalidError } from '#api/field-errors';
import type { Subresource } from '#api/kind';
import type { KubernetesObject } from '#api/object';
import { hasReason, StatusError } from '#base/errors';
import { Pace } from '#base/pace';
import type { ApiRequest, PatchType } from '#client/transport';
import type { CachedObject } from '#storage/cached-object';
import type { ObjectName } from '#storage/keys';
import { applyJsonPatch } from '../patch/json-patch.ts';
import type { JsonObject, JsonValue } from '../patch/json-value.ts';
import { applyMergePatch } from '../patch/merge-patch.ts';
import { malformedPatch } from '../patch/patch-errors.ts';
import { applyStrategicMerge } from '../patch/strategic-merge.ts';
import { rulesOf } from '../patch/type-rules.ts';
import type { RequestContext } from '../request-context.ts';
import type { Answer } from './answer.ts';
import { changeObject } from './change.ts';
import { decodeOptionsOf } from './decode-options.ts';
import { adoptNamespace, objectNameOf } from './object-name.ts';
import { authorize, type VerbParts } from './parts.ts';
import { modified } from './preconditions.ts';
import type { ServedResource } from './served-resource.ts';
import { showChanged, writeThrough } from './through-subresource.ts';

type PatchRequest = Extract<ApiRequest, { verb: 'patch' }>;

/**
 * Changes an object by a description of the change, made on its newest content however often others write in between; only a patch that itself names a
 * resourceVersion can conflict.
 */
export async function patch(parts: VerbParts, context: RequestContext, request: PatchRequest): Promise<Answer> {
  const resource = parts.resources.get(request.resource);
  const subresource = request.subresource === undefined ? undefined : resource.subresource(request.subresource, 'patch');
  if (subresource === undefined) resource.mustHave('patch');
  await authorize(parts, context, request);
  if (request.patchType === 'apply') throw unsupportedPatch(supportedTypes);
  const name = objectNameOf(resource, request);
  const changed = await changeObject(parts, context, {
    resource,
    name,
    subresource,
    dryRun: request.options.dryRun === true,
    preconditions: {},
    make: async (current, warn) => {
      const pace = new Pace();
      const before = shownBy(resource, subresource, current);
      if (pace.isDue) await pace.rest();
      const after = applyPatch(request.patchType, before, request.patch as JsonValue, typeNameOf(resource, subresource));
      if (pace.isDue) await pace.rest();
      const options = decodeOptionsOf(request.options);
      const decoded = inPatch(resource, name, () =>
        subresource === undefined ? resource.decode(after, options) : resource.decodeFor(subresource, after, options),
      );
      for (const warning of decoded.warnings) warn(warning);
      checkIdentity(resource, name, decoded.object);
      const { resourceVersion, uid } = decoded.object.metadata;
      if (resourceVersion !== undefined && resourceVersion !== '' && resourceVersion !== String(current.revision))
        throw modified(resource, name);
      // Through a subresource, `write` takes over what it may; a patch that contradicts the object's identity is refused in any case.
      if (uid !== undefined && uid !== '' && uid !== current.object.metadata.uid) throw modified(resource, name);
      return writeThrough(subresource, current.object, decoded.object, parts.clock.now());
    },
  });
  return { type: 'object', code: 200, object: showChanged(subresource, changed) };
}

/** What cannot be read of a patched object is the patch's fault: Invalid. */
function inPatch<T>(resource: ServedResource, { name }: ObjectName, decode: () => T): T {
  try {
    return decode();
  } catch (error) {
    if (!hasReason(error, 'BadRequest')) throw error;
    const errors = new FieldErrors();
    errors.invalidPart('patch', error.message);
    throw invalidError(resource.type, name, errors.list);
  }
}

/** A patch renames nothing. Throws BadRequest. */
function checkIdentity(resource: ServedResource, name: ObjectName, { metadata }: KubernetesObject): void {
  if (metadata.name === undefined || metadata.name === '') {
    throw new StatusError('BadRequest', `the name of the object (${name.name} based on URL) was undeterminable: name must be provided`);
  }
  if (metadata.name !== name.name) {
    throw new StatusError('BadRequest', `the name of the object (${metadata.name}) does not match the name on the URL (${name.name})`);
  }
  adoptNamespace(resource, { metadata: { ...metadata } } as KubernetesObject, name.namespace);
}

const supportedTypes = ['application/json-patch+json', 'application/merge-patch+json', 'application/strategic-merge-patch+json'];

function applyPatch(type: PatchType, before: JsonObject, change: JsonValue, typeName: string): object {
  const after = apply();
  if (typeof after !== 'object' || after === null || Array.isArray(after)) throw malformedPatch('the patched document is no object');
  return after;

  function apply(): JsonValue {
    switch (type) {
      case 'json':
        return applyJsonPatch(before, change);
      case 'merge':
        if (typeof change !== 'object' || change === null || Array.isArray(change)) throw malformedPatch('a merge patch must be an object');
        return applyMergePatch(before, change);
      case 'strategic': {
        const rules = rulesOf(typeName);
        if (rules === undefined) throw unsupportedPatch(supportedTypes.slice(0, 2));
        return applyStrategicMerge(before, change, rules);
      }
      case 'apply':
        throw unsupportedPatch(supportedTypes);
    }
  }
}

/** What a client sees, and so what its patch is about. */
function shownBy(resource: ServedResource, subresource: Subresource<KubernetesObject> | undefined, current: CachedObject): JsonObject {
  const object = subresource?.read === undefined ? resource.serve(current).object : subresource.read(current.object);
  return object as unknown as JsonObject;
}

function typeNameOf(resource: ServedResource, subresource: Subresource<KubernetesObject> | undefined): string {
  const own = subresource === undefined || subresource.kind.kind === resource.type.kind ? undefined : subresource.typeName;
  return own ?? resource.served.version.typeName;
}

function unsupportedPatch(types: readonly string[]): StatusError {
  return new StatusError(
    'UnsupportedMediaType',
    `the body of the request was in an unknown format - accepted media types include: ${types.join(', ')}`,
  );
}
