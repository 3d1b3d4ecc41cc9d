/** A claim that a pod still uses is not taken from under it: a finalizer holds it until the last such pod has ended. */

import { isTerminal } from '#api/pod-phase';
import { persistentVolumeClaims, pods } from '#api/shapes/resources';
import type { PersistentVolumeClaim } from '#api/shapes/types/core-v1';
import { hasReason } from '#base/errors';
import { splitKey } from '#client/informer';
import { defineController, mapped, own, type ReconcileContext } from '../controller.ts';
import { claimKeysOf } from './claims.ts';

const finalizer = 'kubernetes.io/pvc-protection';

export const claimProtection = defineController({
  name: 'pvc-protection',
  watches: () => [own(persistentVolumeClaims), mapped(pods, claimKeysOf)],
  indexes: (informers) => informers.for(pods).addIndex('claim', claimKeysOf),
  reconcile: async (key, context) => {
    const claim = context.store(persistentVolumeClaims).get(key);
    if (claim === undefined) return undefined;
    const finalizers = claim.metadata.finalizers ?? [];
    const isHeld = finalizers.includes(finalizer);
    if (claim.metadata.deletionTimestamp === undefined) {
      if (!isHeld) await patchFinalizers(claim, [...finalizers, finalizer], context);
      return undefined;
    }
    if (!isHeld || (await isUsed(key, context))) return undefined;
    await patchFinalizers(
      claim,
      finalizers.filter((each) => each !== finalizer),
      context,
    );
    return undefined;
  },
});

/** By the store, and when that has none by the API itself: letting go cannot be taken back. */
async function isUsed(key: string, { client, store }: ReconcileContext): Promise<boolean> {
  if (
    store(pods)
      .byIndex('claim', key)
      .some((pod) => !isTerminal(pod))
  )
    return true;
  const { namespace = '' } = splitKey(key);
  const { items } = await client.list(pods, { namespace });
  return items.some((pod) => !isTerminal(pod) && claimKeysOf(pod).includes(key));
}

async function patchFinalizers(claim: PersistentVolumeClaim, finalizers: string[], { client }: ReconcileContext): Promise<void> {
  const { name = '', namespace = '', uid, resourceVersion } = claim.metadata;
  try {
    await client.patch(persistentVolumeClaims, { name, namespace }, 'merge', { metadata: { uid, resourceVersion, finalizers } });
  } catch (error) {
    if (!hasReason(error, 'NotFound')) throw error;
  }
}
