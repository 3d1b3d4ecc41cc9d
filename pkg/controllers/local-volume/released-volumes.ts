/**
 * Says of volumes what has become of them: free, bound, or released by a claim that is gone. With the policy Retain a released volume stays as it
 * is. With Delete its object goes as soon as its data are gone: of a local volume its node removes them, and the dispatcher then the object.
 */
import { deepEqual } from '#api/equality';
import { persistentVolumeClaims, persistentVolumes } from '#api/shapes/resources';
import type { PersistentVolume, PersistentVolumeStatus } from '#api/shapes/types/core-v1';
import { isReclaimedBy, nodesOfVolume } from '#api/volumes/local-volume';
import { defineController, mapped, own } from '../controller.ts';

export const releasedVolumes = defineController({
  name: 'persistentvolume-reclaim',
  watches: () => [
    own(persistentVolumes),
    mapped(persistentVolumeClaims, ({ spec }) => ((spec.volumeName ?? '') === '' ? [] : [spec.volumeName ?? ''])),
  ],
  reconcile: async (key, { client, store }) => {
    const volume = store(persistentVolumes).get(key);
    if (volume === undefined || volume.metadata.deletionTimestamp !== undefined) return undefined;
    const { claimRef } = volume.spec;
    const claimKey = `${claimRef?.namespace}/${claimRef?.name}`;
    let isThere = false;
    if ((claimRef?.uid ?? '') !== '') {
      isThere = store(persistentVolumeClaims).get(claimKey)?.metadata.uid === claimRef?.uid;
      if (!isThere) {
        // A release cannot be taken back: the API itself must say that the claim is gone.
        const { namespace = '', name = '' } = claimRef ?? {};
        isThere = (await client.find(persistentVolumeClaims, { namespace, name }))?.metadata.uid === claimRef?.uid;
      }
    }
    const status = statusOf(volume, isThere);
    if (deepEqual(volume.status ?? {}, status)) return undefined;
    await client.updateStatus(persistentVolumes, { ...volume, status });
    return undefined;
  },
});

/** Pure: `claimIsThere`: the very claim that the volume is bound to still exists. */
export function statusOf(volume: PersistentVolume, claimIsThere: boolean): PersistentVolumeStatus {
  const { claimRef, persistentVolumeReclaimPolicy } = volume.spec;
  if (claimRef === undefined || (claimRef.uid ?? '') === '') return { phase: 'Available' };
  if (claimIsThere) return { phase: volume.status?.phase ?? 'Bound' };
  if (persistentVolumeReclaimPolicy !== 'Delete') return { phase: 'Released' };
  const [node] = nodesOfVolume(volume);
  const released: PersistentVolumeStatus = {
    phase: 'Released',
    reason: 'RemovingData',
    message: `its claim is gone; node ${node} removes its data. If that node will never be back, delete this volume`,
  };
  if (node !== undefined && isReclaimedBy({ ...volume, status: released }, node)) return released;
  return { phase: 'Failed', reason: 'NoDeleter', message: 'its claim is gone, and no provisioner here can delete its data' };
}
