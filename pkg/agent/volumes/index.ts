/** The sorts of volumes that pods can have here. A new one: a file beside this one, and a line below. */
import { configMap } from './config-map.ts';
import { downwardAPI } from './downward-api.ts';
import { emptyDir } from './empty-dir.ts';
import { hostPath } from './host-path.ts';
import { persistentVolumeClaim } from './persistent-volume-claim.ts';
import { projected } from './projected.ts';
import { secret } from './secret.ts';
import type { VolumePlugin } from './volume-plugin.ts';

export const volumePlugins: readonly VolumePlugin[] = [
  emptyDir,
  hostPath,
  configMap,
  secret,
  downwardAPI,
  projected,
  persistentVolumeClaim,
];
