import type { Container, EphemeralContainer, Pod, Volume } from '#api/shapes/types/core-v1';

/** Whether this pod needs the named object of its namespace to run: what its node may therefore read. */
export function podRefersTo(pod: Pod, plural: string, name: string): boolean {
  const { spec } = pod;
  switch (plural) {
    case 'serviceaccounts':
      return (spec.serviceAccountName ?? 'default') === name;
    case 'persistentvolumeclaims':
      return (spec.volumes ?? []).some(
        (volume) =>
          volume.persistentVolumeClaim?.claimName === name ||
          (volume.ephemeral !== undefined && `${pod.metadata.name}-${volume.name}` === name),
      );
    case 'secrets':
      return (
        (spec.imagePullSecrets ?? []).some((secret) => secret.name === name) ||
        (spec.volumes ?? []).some((volume) => volumeUsesSecret(volume, name)) ||
        containersOf(pod).some((container) => containerUses(container, 'secret', name))
      );
    case 'configmaps':
      return (
        (spec.volumes ?? []).some((volume) => volumeUsesConfigMap(volume, name)) ||
        containersOf(pod).some((container) => containerUses(container, 'configMap', name))
      );
    default:
      return false;
  }
}

function containersOf({ spec }: Pod): (Container | EphemeralContainer)[] {
  return [...(spec.initContainers ?? []), ...spec.containers, ...(spec.ephemeralContainers ?? [])];
}

function volumeUsesSecret(volume: Volume, name: string): boolean {
  return volume.secret?.secretName === name || (volume.projected?.sources ?? []).some((source) => source.secret?.name === name);
}

function volumeUsesConfigMap(volume: Volume, name: string): boolean {
  return volume.configMap?.name === name || (volume.projected?.sources ?? []).some((source) => source.configMap?.name === name);
}

function containerUses(container: Container | EphemeralContainer, what: 'secret' | 'configMap', name: string): boolean {
  return (
    (container.env ?? []).some((variable) => variable.valueFrom?.[`${what}KeyRef`]?.name === name) ||
    (container.envFrom ?? []).some((source) => source[`${what}Ref`]?.name === name)
  );
}
