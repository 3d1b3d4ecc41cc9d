import { writeAtomically } from './atomic-files.ts';
import { downwardPayload } from './payload.ts';
import type { VolumePlugin } from './volume-plugin.ts';

/** Fields of the pod as files, which follow its changes. */
export const downwardAPI: VolumePlugin = {
  name: 'downwardAPI',
  live: true,
  async setUp(volume, context) {
    const { items, defaultMode = 0o644 } = volume.downwardAPI ?? {};
    await writeAtomically(context.directory, downwardPayload(items, defaultMode, context), context.pod.spec.securityContext?.fsGroup);
    return { hostPath: context.directory, readOnly: true };
  },
};
