/**
 * Removes the data of this node's volumes whose claims are gone, and says so. Invariant: it removes only what the API calls released and of a policy
 * that asks for it, and nothing that is mounted; what cannot be removed now is tried again.
 */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { PersistentVolume } from '#api/shapes/types/core-v1';
import { isReclaimedBy } from '#api/volumes/local-volume';
import { backoffDelay } from '#base/backoff';
import type { Clock } from '#base/clock';
import { messageOf } from '#base/errors';
import { aborted, type Runnable } from '#base/lifecycle';
import type { Logger } from '#base/logging';
import type { Assignments } from '../session/assignments.ts';
import type { Mounter } from './mounter.ts';

export interface VolumeReclaimOptions {
  readonly nodeName: string;
  readonly assignments: Assignments;
  /** The folder of all volumes' folders. */
  readonly directory: string;
  readonly mounter: Mounter;
  readonly removed: (volume: { readonly name: string; readonly uid: string }) => void;
  readonly clock: Clock;
  readonly log: Logger;
}

const retry = { initial: 1000, maximum: 300_000 };

export function createVolumeReclaim(options: VolumeReclaimOptions): Runnable {
  const { nodeName, assignments, clock, log } = options;
  return {
    name: 'volume reclaim',
    async run(signal) {
      const working = new Map<string, Promise<void>>();
      const look = (): void => {
        for (const object of assignments.list('persistentvolumes')) {
          const volume = object as PersistentVolume;
          const { uid = '' } = volume.metadata;
          if (working.has(uid) || !isReclaimedBy(volume, nodeName)) continue;
          working.set(
            uid,
            reclaim(volume, signal).finally(() => working.delete(uid)),
          );
        }
      };
      assignments.onChange((changed) => {
        if (!signal.aborted && changed.some(({ resource, object }) => resource === 'persistentvolumes' && object !== undefined)) look();
      });
      look();
      await aborted(signal);
      await Promise.all(working.values());
    },
  };

  async function reclaim({ metadata }: PersistentVolume, signal: AbortSignal): Promise<void> {
    const { name = '', uid = '' } = metadata;
    const folder = join(options.directory, name);
    for (let failures = 0; !signal.aborted; failures++) {
      try {
        const [mount] = await options.mounter.mountsBelow(folder);
        if (mount !== undefined) throw new Error(`${mount} is mounted: unmount it`);
        await rm(folder, { recursive: true, force: true });
        log.info('removed the data of a volume whose claim is gone', { volume: name });
        options.removed({ name, uid });
        return;
      } catch (error) {
        log.warn('cannot remove the data of a released volume, trying again', { volume: name, error: messageOf(error) });
        await clock.sleep(backoffDelay(retry, failures), signal).catch(() => undefined);
      }
    }
  }
}
