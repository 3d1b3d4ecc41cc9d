import { deepFreeze } from '#api/freeze';
import type { Subresource } from '#api/kind';
import type { KubernetesObject } from '#api/object';
import { StatusError } from '#base/errors';
import { MadeObject, type ServedObject } from './answer.ts';
import type { Changed } from './change.ts';

/** The new object, given what was written: through a subresource only that subresource's part of it. */
export function writeThrough(
  subresource: Subresource<KubernetesObject> | undefined,
  old: KubernetesObject,
  body: KubernetesObject,
  now: number,
): KubernetesObject {
  if (subresource === undefined) return body;
  if (subresource.write === undefined) {
    throw new StatusError('MethodNotAllowed', `the subresource ${subresource.name} takes no writes from this server yet`);
  }
  return subresource.write(old, body, now);
}

/** The answer to a write through a subresource is what the subresource shows. */
export function showChanged(subresource: Subresource<KubernetesObject> | undefined, changed: Changed): ServedObject {
  return subresource?.read === undefined ? changed.served : new MadeObject(deepFreeze(subresource.read(changed.object)));
}
