import type { Volume, VolumeMount } from '#api/shapes/types/core-v1';
import { ComposeError } from '../compose-error.ts';
import { parseBytes } from '../load/units.ts';
import type { ServiceVolume } from '../model.ts';
import { isBindMount } from '../support.ts';
import { addLabels } from './labels.ts';
import { objectName, partName, stackLabel, volumeLabel } from './names.ts';
import type { Section, ServiceContext, ServiceDraft } from './section.ts';

const propagations: Readonly<Record<string, string>> = {
  private: 'None',
  rprivate: 'None',
  slave: 'HostToContainer',
  rslave: 'HostToContainer',
  shared: 'Bidirectional',
  rshared: 'Bidirectional',
};
/** Claims must ask for a size; a local volume grows as far as its disk. */
const nominalSize = '1Gi';

/**
 * Mounts: a named volume is one claim for the stack, whoever mounts it; a bind is a path of the node; tmpfs and shm_size are memory; a volume without a
 * name lasts as long as its pod.
 */
export const volumes: Section = {
  name: 'volumes',
  keys: ['volumes', 'tmpfs', 'shm_size'],
  apply(context, draft) {
    const { service, path } = context;
    for (const [index, volume] of (service.volumes ?? []).entries())
      mount(context, draft, volume, `mount-${index}`, `${path}.volumes[${index}]`);
    for (const [index, spec] of (service.tmpfs ?? []).entries()) {
      const [target = '', options = ''] = spec.split(':');
      const size = /(?:^|,)size=([^,]+)/.exec(options)?.[1];
      addMemory(draft, `tmpfs-${index}`, target, size, `${path}.tmpfs[${index}]`);
    }
    if (service.shm_size !== undefined) addMemory(draft, 'shm', '/dev/shm', service.shm_size, `${path}.shm_size`);
  },
};

function mount(context: ServiceContext, draft: ServiceDraft, volume: ServiceVolume, name: string, path: string): void {
  const { target, source } = volume;
  if (target === undefined || !target.startsWith('/'))
    throw new ComposeError(`the target must be an absolute path, not ${JSON.stringify(target ?? '')}`, { path });
  const options: Partial<VolumeMount> = volume.read_only === true ? { readOnly: true } : {};
  switch (volume.type) {
    case 'volume': {
      if (volume.volume?.subpath !== undefined) options.subPath = volume.volume.subpath;
      if (source === undefined || source === '') addVolume(draft, { name, emptyDir: {} }, target, options);
      else
        addVolume(
          draft,
          { name: `volume-${objectName(source, path)}`.slice(0, 63), ...named(context, draft, source, path) },
          target,
          options,
        );
      return;
    }
    case 'bind': {
      if (source?.startsWith('/') !== true)
        throw new ComposeError(`the source must be an absolute path, not ${JSON.stringify(source ?? '')}`, { path });
      const propagation = volume.bind?.propagation;
      if (propagation !== undefined && propagation !== '') {
        const mode = propagations[propagation];
        if (mode === undefined)
          throw new ComposeError(`unknown propagation ${JSON.stringify(propagation)}`, { path: `${path}.bind.propagation` });
        if (mode === 'Bidirectional' && context.service.privileged !== true) {
          throw new ComposeError('shared propagation is for privileged services', {
            path: `${path}.bind.propagation`,
            next: 'set privileged: true, or use rslave',
          });
        }
        options.mountPropagation = mode;
      }
      addVolume(draft, { name, hostPath: { path: source } }, target, options);
      return;
    }
    case 'tmpfs':
      addMemory(draft, name, target, volume.tmpfs?.size, path);
      return;
    default:
      throw new ComposeError(`mounts of type ${volume.type} are not supported`, {
        path: `${path}.type`,
        next: 'use volume, bind or tmpfs',
      });
  }
}

function addMemory(draft: ServiceDraft, name: string, target: string, size: string | undefined, path: string): void {
  if (!target.startsWith('/')) throw new ComposeError(`the target must be an absolute path, not ${JSON.stringify(target)}`, { path });
  const bytes = size === undefined ? 0 : parseBytes(size);
  addVolume(draft, { name, emptyDir: { medium: 'Memory', ...(bytes > 0 ? { sizeLimit: String(bytes) } : {}) } }, target, {});
}

/** Adds the volume, unless a mount before made it, and its mount. */
export function addVolume({ pod, container }: ServiceDraft, volume: Volume, mountPath: string, options: Partial<VolumeMount>): void {
  pod.volumes ??= [];
  if (!pod.volumes.some(({ name }) => name === volume.name)) pod.volumes.push(volume);
  container.volumeMounts ??= [];
  container.volumeMounts.push({ name: volume.name, mountPath, ...options });
}

/** A folder of the node where the volume's options say so, else its claim. */
function named(context: ServiceContext, draft: ServiceDraft, key: string, path: string): Omit<Volume, 'name'> {
  const options = context.project.volumes?.[key]?.driver_opts ?? {};
  if (isBindMount(options)) return { hostPath: { path: options.device ?? '' } };
  return { persistentVolumeClaim: { claimName: claimFor(context, draft, key, path) } };
}

/** The claim's name. What is external is there already; a volume with a name of its own has it in place of the stack's. */
function claimFor({ project, stack, path: servicePath }: ServiceContext, draft: ServiceDraft, key: string, path: string): string {
  const volume = project.volumes?.[key];
  if (volume === undefined) throw new ComposeError(`undefined volume "${key}"`, { path: servicePath });
  if (volume.external === true) return objectName(volume.name ?? key, `volumes.${key}`);
  const implied = volume.name === undefined || volume.name === `${project.name}_${key}`;
  const name = implied ? partName(stack, key, path) : objectName(volume.name ?? key, `volumes.${key}.name`);
  const labels: Record<string, string> = { [stackLabel]: stack, [volumeLabel]: key };
  const annotations: Record<string, string> = {};
  addLabels(volume.labels ?? {}, `volumes.${key}.labels`, { labels, annotations });
  draft.claims.set(name, {
    metadata: { name, labels, ...(Object.keys(annotations).length === 0 ? {} : { annotations }) },
    spec: { accessModes: ['ReadWriteOnce'], storageClassName: 'berth-local', resources: { requests: { storage: nominalSize } } },
  });
  return name;
}
