/** Removes the objects of released volumes whose node has said that their data are gone. */
import { persistentVolumes } from '#api/shapes/resources';
import { isReclaimedBy } from '#api/volumes/local-volume';
import { hasReason } from '#base/errors';
import type { Client } from '#client/client';
import type { VolumeRemoved } from '#rpc/generated/agent';

export interface RemovedVolumes {
  /** Of a volume that is not this node's to remove, or is gone already: nothing. */
  remove(nodeName: string, removed: VolumeRemoved): Promise<void>;
}

export function createRemovedVolumes(client: Client): RemovedVolumes {
  return {
    async remove(nodeName, { name, uid }) {
      const volume = await client.find(persistentVolumes, { name });
      if (volume === undefined || volume.metadata.uid !== uid || !isReclaimedBy(volume, nodeName)) return;
      try {
        await client.delete(persistentVolumes, { name }, { preconditions: { uid } });
      } catch (error) {
        if (!hasReason(error, 'NotFound') && !hasReason(error, 'Conflict')) throw error;
      }
    },
  };
}
