import { chmod, mkdir } from 'node:fs/promises';
import { unitsOf } from '#api/quantity';
import { giveToGroup } from './ownership.ts';
import type { VolumePlugin } from './volume-plugin.ts';

/** A folder that lives as long as the pod, on disk or, with medium `Memory`, in a tmpfs bounded by `sizeLimit`. */
export const emptyDir: VolumePlugin = {
  name: 'emptyDir',
  live: false,
  async setUp(volume, { directory, mounter, pod }) {
    const { medium = '', sizeLimit } = volume.emptyDir ?? {};
    const made = await mkdir(directory, { recursive: true, mode: 0o777 });
    if (medium === 'Memory') {
      await mounter.tmpfs(directory, { sizeBytes: sizeLimit === undefined ? 0 : unitsOf(sizeLimit), mode: 0o777 });
    }
    if (made !== undefined) {
      await chmod(directory, 0o777);
      await giveToGroup(directory, pod);
    }
    return { hostPath: directory, readOnly: false };
  },
};
