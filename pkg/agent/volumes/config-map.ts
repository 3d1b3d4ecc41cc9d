import { writeAtomically } from './atomic-files.ts';
import { configMapPayload } from './payload.ts';
import type { VolumePlugin } from './volume-plugin.ts';

/** The keys of a config map as files, which follow its changes. */
export const configMap: VolumePlugin = {
  name: 'configMap',
  live: true,
  async setUp(volume, { directory, objects, pod }) {
    const { name = '', items, defaultMode = 0o644, optional = false } = volume.configMap ?? {};
    const payload = configMapPayload(objects.configMap(name), { items, defaultMode, optional, what: `configmap "${name}"` });
    await writeAtomically(directory, payload, pod.spec.securityContext?.fsGroup);
    return { hostPath: directory, readOnly: true };
  },
};
