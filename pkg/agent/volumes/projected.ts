import type { VolumeProjection } from '#api/shapes/types/core-v1';
import { writeAtomically } from './atomic-files.ts';
import { configMapPayload, downwardPayload, type Payload, secretPayload } from './payload.ts';
import { type VolumeContext, VolumeError, type VolumePlugin } from './volume-plugin.ts';

/** Several sources in one folder, in memory because secrets may be among them. */
export const projected: VolumePlugin = {
  name: 'projected',
  live: true,
  async setUp(volume, context) {
    const { sources = [], defaultMode = 0o644 } = volume.projected ?? {};
    const payload = new Map<string, { content: Uint8Array; mode: number }>();
    for (const source of sources) for (const [path, file] of payloadOf(source, defaultMode, context)) payload.set(path, file);
    await context.mounter.tmpfs(context.directory, { sizeBytes: 0, mode: 0o755 });
    await writeAtomically(context.directory, payload, context.pod.spec.securityContext?.fsGroup);
    return { hostPath: context.directory, readOnly: true };
  },
};

function payloadOf(source: VolumeProjection, defaultMode: number, context: VolumeContext): Payload {
  if (source.configMap !== undefined) {
    const { name = '', items, optional = false } = source.configMap;
    return configMapPayload(context.objects.configMap(name), { items, defaultMode, optional, what: `configmap "${name}"` });
  }
  if (source.secret !== undefined) {
    const { name = '', items, optional = false } = source.secret;
    return secretPayload(context.objects.secret(name), { items, defaultMode, optional, what: `secret "${name}"` });
  }
  if (source.downwardAPI !== undefined) return downwardPayload(source.downwardAPI.items, defaultMode, context);
  throw new VolumeError(`projected source "${Object.keys(source)[0] ?? ''}" is not provided on this node`);
}
