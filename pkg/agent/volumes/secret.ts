import { writeAtomically } from './atomic-files.ts';
import { secretPayload } from './payload.ts';
import type { VolumePlugin } from './volume-plugin.ts';

/** The keys of a secret as files in memory, which follow its changes. */
export const secret: VolumePlugin = {
  name: 'secret',
  live: true,
  async setUp(volume, { directory, objects, mounter, pod }) {
    const { secretName = '', items, defaultMode = 0o644, optional = false } = volume.secret ?? {};
    const payload = secretPayload(objects.secret(secretName), { items, defaultMode, optional, what: `secret "${secretName}"` });
    await mounter.tmpfs(directory, { sizeBytes: 0, mode: 0o755 });
    await writeAtomically(directory, payload, pod.spec.securityContext?.fsGroup);
    return { hostPath: directory, readOnly: true };
  },
};
