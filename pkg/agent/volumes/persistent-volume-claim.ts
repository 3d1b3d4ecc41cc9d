import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { PersistentVolume } from '#api/shapes/types/core-v1';
import { isLocalVolume, localClass } from '#api/volumes/local-volume';
import { checkHostPath } from './host-path.ts';
import { giveToGroup } from './ownership.ts';
import { type VolumeContext, VolumeError, type VolumePlugin } from './volume-plugin.ts';

/** A claim that is bound to a volume on this node: Berth's own local class, or a `local` or `hostPath` volume that someone made. */
export const persistentVolumeClaim: VolumePlugin = {
  name: 'persistentVolumeClaim',
  live: false,
  async setUp(volume, context) {
    const { claimName = '', readOnly = false } = volume.persistentVolumeClaim ?? {};
    const claim = context.objects.claim(claimName);
    if (claim === undefined) throw new VolumeError(`persistentvolumeclaim "${claimName}" not found`);
    const volumeName = claim.spec.volumeName ?? '';
    if (volumeName === '') throw new VolumeError(`persistentvolumeclaim "${claimName}" is not bound to a volume yet`);
    const bound = context.objects.persistentVolume(volumeName);
    if (bound === undefined) throw new VolumeError(`persistentvolume "${volumeName}" of claim "${claimName}" not found`);
    const { claimRef } = bound.spec;
    if (claimRef?.uid !== undefined && claimRef.uid !== claim.metadata.uid) {
      throw new VolumeError(`persistentvolume "${volumeName}" is bound to another claim, ${claimRef.namespace}/${claimRef.name}`);
    }
    const path = await pathOf(bound, context);
    if (!readOnly) await giveToGroup(path, context.pod);
    return { hostPath: path, readOnly };
  },
};

async function pathOf(volume: PersistentVolume, context: VolumeContext): Promise<string> {
  const name = volume.metadata.name ?? '';
  const { local, hostPath } = volume.spec;
  if (isLocalVolume(volume)) {
    // Where the data stands is this node's matter; the volume's path, if it has one, only says so to people.
    const path = join(context.persistentDirectory, name);
    await mkdir(path, { recursive: true, mode: 0o777 });
    return path;
  }
  if (local !== undefined) {
    await checkHostPath(local.path, 'Directory');
    return local.path;
  }
  if (hostPath !== undefined) {
    await checkHostPath(hostPath.path, hostPath.type ?? '');
    return hostPath.path;
  }
  throw new VolumeError(
    `persistentvolume "${name}" is of a type that this node cannot mount (it can: local, hostPath, class ${localClass})`,
  );
}
