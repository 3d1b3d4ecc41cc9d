import type { Pod } from '#api/shapes/types/core-v1';
import { podReferences } from '#rpc/pod-references';
import { identityOf } from './pod.ts';

/** `resource/namespace/name` of all assigned objects that the pod uses. `volumeOf` gives the volume that a claim is bound to. */
export function referencesOf(pod: Pod, volumeOf: (claim: string) => string | undefined): readonly string[] {
  const { namespace } = identityOf(pod);
  const { configMaps, secrets, claims } = podReferences(pod);
  return [
    ...[...configMaps].map((name) => `configmaps/${namespace}/${name}`),
    ...[...secrets].map((name) => `secrets/${namespace}/${name}`),
    ...[...claims].flatMap((name) => [`persistentvolumeclaims/${namespace}/${name}`, `persistentvolumes//${volumeOf(name) ?? ''}`]),
  ];
}
