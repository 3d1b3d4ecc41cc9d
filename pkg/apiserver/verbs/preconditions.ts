import type { StatusError } from '#base/errors';
import type { CachedObject } from '#storage/cached-object';
import type { ObjectName } from '#storage/keys';
import { conflict, type Preconditions } from '#storage/store';
import type { ServedResource } from './served-resource.ts';

/** What the store checks in a write, for dry runs. Throws Conflict. */
export function checkPreconditions(resource: ServedResource, name: ObjectName, current: CachedObject, preconditions: Preconditions): void {
  const { uid, resourceVersion } = preconditions;
  const actual = current.object.metadata.uid;
  if (uid !== undefined && uid !== actual) {
    throw conflict(resource.stored, name, `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${actual ?? ''}`);
  }
  if (resourceVersion !== undefined && resourceVersion !== String(current.revision)) throw modified(resource, name);
}

/** The Conflict of a write that was made on an older state. */
export function modified(resource: ServedResource, name: ObjectName): StatusError {
  return conflict(resource.stored, name, 'the object has been modified; please apply your changes to the latest version and try again');
}
