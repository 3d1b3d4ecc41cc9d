/** Rules for a pod's volumes. */
import type { FieldErrors } from '../field-errors.ts';
import { checkDns1123Label } from '../names.ts';
import { parseQuantity } from '../quantity.ts';
import type { DownwardAPIVolumeFile, KeyToPath, ProjectedVolumeSource, Volume, VolumeProjection } from '../shapes/types/core-v1.ts';
import { hostPathTypes, requireName, requireOneOf, validateDescendingPath, validateFileMode } from './checks.ts';
import { validateFieldReference, validateResourceReference, volumeFields } from './environment.ts';

/** In the order in which Kubernetes looks for them: the first that a volume has is its source. */
const sourceOrder = [
  'emptyDir',
  'hostPath',
  'gitRepo',
  'gcePersistentDisk',
  'awsElasticBlockStore',
  'secret',
  'nfs',
  'iscsi',
  'glusterfs',
  'flocker',
  'persistentVolumeClaim',
  'rbd',
  'cinder',
  'cephfs',
  'quobyte',
  'downwardAPI',
  'fc',
  'flexVolume',
  'configMap',
  'azureFile',
  'vsphereVolume',
  'photonPersistentDisk',
  'portworxVolume',
  'azureDisk',
  'storageos',
  'projected',
  'scaleIO',
  'csi',
  'ephemeral',
  'image',
];

/** Returns the names of the volumes that are right, for the mounts. */
export function validateVolumes(volumes: readonly Volume[], path: string, errors: FieldErrors): Set<string> {
  const names = new Set<string>();
  for (const [index, volume] of volumes.entries()) {
    const at = `${path}[${index}]`;
    const before = errors.list.length;
    validateSource(volume, at, errors);
    if (volume.name === '') errors.required(`${at}.name`);
    else for (const fault of checkDns1123Label(volume.name)) errors.invalid(`${at}.name`, volume.name, fault);
    if (names.has(volume.name)) errors.duplicate(`${at}.name`, volume.name);
    if (errors.list.length === before) names.add(volume.name);
  }
  return names;
}

function validateSource(volume: Volume, path: string, errors: FieldErrors): void {
  const [source, ...more] = sourceOrder.filter((name) => Object.hasOwn(volume, name));
  if (source === undefined) errors.required(path, 'must specify a volume type');
  else validators[source]?.(volume, `${path}.${source}`, errors);
  for (const other of more) errors.forbidden(`${path}.${other}`, 'may not specify more than 1 volume type');
}

type Validator = (volume: Volume, path: string, errors: FieldErrors) => void;

/** By source. Those that are not here are refused as a whole (pod-fields.ts). */
const validators: Readonly<Record<string, Validator>> = {
  emptyDir: ({ emptyDir }, path, errors) => {
    if (emptyDir?.sizeLimit !== undefined && parseQuantity(emptyDir.sizeLimit).nano < 0n) {
      errors.forbidden(`${path}.sizeLimit`, 'SizeLimit field must be a valid resource quantity');
    }
    if (emptyDir?.medium !== undefined && !/^(?:|Memory|HugePages(?:-.+)?)$/.test(emptyDir.medium)) {
      errors.notSupported(`${path}.medium`, emptyDir.medium, ['', 'HugePages', 'Memory']);
    }
  },
  hostPath: ({ hostPath }, path, errors) => {
    if (hostPath === undefined) return;
    if (hostPath.path === '') {
      errors.required(`${path}.path`);
      return;
    }
    if (hostPath.path.split('/').includes('..')) errors.invalid(`${path}.path`, hostPath.path, "must not contain '..'");
    requireOneOf(hostPath.type, `${path}.type`, hostPathTypes, errors);
  },
  secret: ({ secret }, path, errors) => {
    requireName(secret?.secretName, `${path}.secretName`, errors);
    validateFileMode(secret?.defaultMode, `${path}.defaultMode`, errors);
    validateItems(secret?.items, `${path}.items`, errors);
  },
  configMap: ({ configMap }, path, errors) => {
    requireName(configMap?.name, `${path}.name`, errors);
    validateFileMode(configMap?.defaultMode, `${path}.defaultMode`, errors);
    validateItems(configMap?.items, `${path}.items`, errors);
  },
  persistentVolumeClaim: ({ persistentVolumeClaim }, path, errors) => {
    requireName(persistentVolumeClaim?.claimName, `${path}.claimName`, errors);
  },
  downwardAPI: ({ downwardAPI }, path, errors) => {
    validateFileMode(downwardAPI?.defaultMode, `${path}.defaultMode`, errors);
    validateDownward(downwardAPI?.items, path, errors);
  },
  projected: ({ projected }, path, errors) => {
    if (projected !== undefined) validateProjected(projected, path, errors);
  },
};

function validateItems(items: readonly KeyToPath[] | undefined, path: string, errors: FieldErrors): void {
  for (const [index, item] of (items ?? []).entries()) {
    const at = `${path}[${index}]`;
    if (item.key === '') errors.required(`${at}.key`);
    validateFilePath(item.path, `${at}.path`, errors);
    validateFileMode(item.mode, `${at}.mode`, errors);
  }
}

function validateFilePath(value: string, path: string, errors: FieldErrors): void {
  if (value === '') errors.required(path);
  validateDescendingPath(value, path, errors);
  if (value.startsWith('..') && !value.split('/').includes('..')) errors.invalid(path, value, "must not start with '..'");
}

function validateDownward(items: readonly DownwardAPIVolumeFile[] | undefined, path: string, errors: FieldErrors): void {
  // Kubernetes names the volume, not the entry of its list.
  const at = path;
  for (const file of items ?? []) {
    validateFilePath(file.path, `${at}.path`, errors);
    if (file.fieldRef !== undefined) {
      validateFieldReference(file.fieldRef, volumeFields, `${at}.fieldRef`, errors);
      if (file.resourceFieldRef !== undefined)
        errors.invalid(at, 'resource', 'fieldRef and resourceFieldRef can not be specified simultaneously');
    } else if (file.resourceFieldRef !== undefined) {
      validateResourceReference(file.resourceFieldRef, true, `${at}.resourceFieldRef`, errors);
    } else {
      errors.required(at, 'one of fieldRef and resourceFieldRef is required');
    }
    validateFileMode(file.mode, `${at}.mode`, errors);
  }
}

function validateProjected(volume: ProjectedVolumeSource, path: string, errors: FieldErrors): void {
  validateFileMode(volume.defaultMode, `${path}.defaultMode`, errors);
  const taken = new Set<string>();
  const claim = (file: string, of: string): void => {
    if (file === '') return;
    if (taken.has(file)) errors.invalid(path, of, 'conflicting duplicate paths');
    taken.add(file);
  };
  for (const [index, source] of (volume.sources ?? []).entries()) {
    const at = `${path}.sources[${index}]`;
    validateProjection(source, claim, at, errors);
    if (Object.keys(source).length > 1) errors.forbidden(at, 'may not specify more than 1 volume type per source');
  }
}

/** `claim` is told each file that the source makes, and what to call it by. */
function validateProjection(source: VolumeProjection, claim: (file: string, of: string) => void, path: string, errors: FieldErrors): void {
  for (const kind of ['secret', 'configMap'] as const) {
    const given = source[kind];
    if (given === undefined) continue;
    requireName(given.name, `${path}.${kind}.name`, errors);
    validateItems(given.items, `${path}.${kind}.items`, errors);
    for (const item of given.items ?? []) claim(item.path, given.name ?? '');
  }
  validateDownward(source.downwardAPI?.items, `${path}.downwardAPI`, errors);
  for (const item of source.downwardAPI?.items ?? []) claim(item.path, item.path);
}
