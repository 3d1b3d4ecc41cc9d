import type { KubernetesObject } from '#api/object';
import { StatusError } from '#base/errors';
import type { NamedTarget, Target } from '#client/transport';
import type { ObjectName } from '#storage/keys';
import type { ServedResource } from './served-resource.ts';

/** The target's name in the store. Throws BadRequest for a namespace where there is none to be, or the other way round. */
export function objectNameOf(served: ServedResource, target: NamedTarget): ObjectName {
  checkNamespace(served, target);
  if (target.name === '') throw new StatusError('BadRequest', 'name is required');
  return target.namespace === undefined ? { name: target.name } : { namespace: target.namespace, name: target.name };
}

/** For verbs that work in one namespace. */
export function checkNamespace(served: ServedResource, target: Target): void {
  const hasNamespace = target.namespace !== undefined && target.namespace !== '';
  if (served.type.namespaced && !hasNamespace)
    throw new StatusError('BadRequest', 'an empty namespace may not be set when a resource name is provided');
  if (!served.type.namespaced && hasNamespace) {
    throw new StatusError(
      'BadRequest',
      `${served.type.plural} have no namespace, but the request names ${JSON.stringify(target.namespace)}`,
    );
  }
}

/** Puts the request's namespace on the draft. Throws BadRequest when the draft names another. */
export function adoptNamespace(served: ServedResource, draft: KubernetesObject, namespace: string | undefined): void {
  const given = draft.metadata.namespace;
  if (given !== undefined && given !== '' && given !== namespace) {
    throw new StatusError(
      'BadRequest',
      served.type.namespaced
        ? `the namespace of the provided object does not match the namespace sent on the request (${given} and ${namespace})`
        : `${served.type.plural} have no namespace, but the object names ${JSON.stringify(given)}`,
    );
  }
  if (namespace !== undefined) draft.metadata.namespace = namespace;
}
