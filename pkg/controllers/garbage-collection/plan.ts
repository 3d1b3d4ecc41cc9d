/** What garbage collection does with one object, from what is known of its owners and dependents: pure. */
import type { KubernetesObject, OwnerReference } from '#api/object';

export const foregroundFinalizer = 'foregroundDeletion';
export const orphanFinalizer = 'orphan';

/** What is known of an owner. */
export type OwnerState =
  | 'present'
  /** Gone, or another object of that name. */
  | 'absent'
  /** Waits, in foreground deletion, for its dependents to go. */
  | 'waiting'
  /** Of a kind that is not served here, or named where it cannot be: nothing is concluded. */
  | 'unknown';

export type CollectionAction =
  | { readonly type: 'none' }
  /** Removes these references and keeps the object: other owners are still there. */
  | { readonly type: 'disown'; readonly keep: readonly OwnerReference[] }
  | { readonly type: 'delete'; readonly policy: 'Background' | 'Foreground' };

/** For an object with owners that is not being deleted. `hasDependents`: whether anything is owned by it in turn. */
export function planDependent(
  object: KubernetesObject,
  stateOf: (reference: OwnerReference) => OwnerState,
  hasDependents: boolean,
): CollectionAction {
  const references = object.metadata.ownerReferences ?? [];
  if (references.length === 0) return { type: 'none' };
  const states = references.map((reference) => ({ reference, state: stateOf(reference) }));
  if (states.some(({ state }) => state === 'unknown')) return { type: 'none' };
  const solid = states.filter(({ state }) => state === 'present');
  if (solid.length === references.length) return { type: 'none' };
  if (solid.length > 0) return { type: 'disown', keep: solid.map(({ reference }) => reference) };
  const isWaitedFor = states.some(({ state }) => state === 'waiting');
  return { type: 'delete', policy: isWaitedFor && hasDependents ? 'Foreground' : 'Background' };
}

export type OwnerAction =
  | { readonly type: 'none' }
  /** Deletes these, and waits. */
  | { readonly type: 'delete dependents'; readonly dependents: readonly KubernetesObject[] }
  /** Takes the object's reference out of these, then its finalizer. */
  | { readonly type: 'orphan dependents'; readonly dependents: readonly KubernetesObject[] }
  /** Nothing is waited for any more. */
  | { readonly type: 'remove finalizer'; readonly finalizer: string };

/** For an object that is being deleted. `dependents`: all that name it as an owner, by uid. */
export function planOwner(object: KubernetesObject, dependents: readonly KubernetesObject[]): OwnerAction {
  const { finalizers = [], deletionTimestamp, uid } = object.metadata;
  if (deletionTimestamp === undefined) return { type: 'none' };
  if (finalizers.includes(orphanFinalizer)) {
    return dependents.length > 0 ? { type: 'orphan dependents', dependents } : { type: 'remove finalizer', finalizer: orphanFinalizer };
  }
  if (!finalizers.includes(foregroundFinalizer)) return { type: 'none' };
  const blocks = (dependent: KubernetesObject): boolean =>
    (dependent.metadata.ownerReferences ?? []).some((reference) => reference.uid === uid && reference.blockOwnerDeletion === true);
  if (!dependents.some(blocks)) return { type: 'remove finalizer', finalizer: foregroundFinalizer };
  const rest = dependents.filter(({ metadata }) => metadata.deletionTimestamp === undefined);
  return rest.length > 0 ? { type: 'delete dependents', dependents: rest } : { type: 'none' };
}
