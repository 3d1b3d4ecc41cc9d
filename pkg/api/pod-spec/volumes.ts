/** Rules for a pod's volumes. */
import type { FieldErrors } from '../field-errors.ts';
import { checkDns1123Label } from '../names.ts';
import type { DownwardAPIVolumeFile, KeyToPath, ProjectedVolumeSource, Volume, VolumeProjection } from '../shapes/types/core-v1.ts';
import { requireName, requireOneOf, validateDescendingPath, validateFileMode, validateQuantityNotNegative } from './checks.ts';
import { validateFieldReference, validateResourceReference, volumeFields } from './environment.ts';

const hostPathTypes = ['', 'BlockDevice', 'CharDevice', 'Directory', 'DirectoryOrCreate', 'File', 'FileOrCreate', 'Socket'];

/** Returns the names of the volumes, for the mounts. */
export function validateVolumes(volumes: readonly Volume[], path: string, errors: FieldErrors): Set<string> {
  const names = new Set<string>();
  for (const [index, volume] of volumes.entries()) {
    const at = `${path}[${index}]`;
    validateSource(volume, at, errors);
    if (volume.name === '') errors.required(`${at}.name`);
    else {
      for (const fault of checkDns1123Label(volume.name)) errors.invalid(`${at}.name`, volume.name, fault);
      if (names.has(volume.name)) errors.duplicate(`${at}.name`, volume.name);
    }
    names.add(volume.name);
  }
  return names;
}

function validateSource(volume: Volume, path: string, errors: FieldErrors): void {
  const sources = Object.keys(volume).filter((key) => key !== 'name');
  if (sources.length === 0) errors.required(path, 'must specify a volume type');
  for (const source of sources.slice(1)) errors.forbidden(`${path}.${source}`, 'may not specify more than 1 volume type');
  const { emptyDir, hostPath, configMap, secret, persistentVolumeClaim, downwardAPI, projected } = volume;
  if (emptyDir?.sizeLimit !== undefined) validateQuantityNotNegative(emptyDir.sizeLimit, `${path}.emptyDir.sizeLimit`, errors);
  if (emptyDir?.medium !== undefined && !/^(?:Memory|HugePages(?:-.+)?)$/.test(emptyDir.medium)) {
    errors.notSupported(`${path}.emptyDir.medium`, emptyDir.medium, ['', 'HugePages', 'Memory']);
  }
  if (hostPath !== undefined) {
    if (hostPath.path === '') errors.required(`${path}.hostPath.path`);
    else if (hostPath.path.split('/').includes('..')) errors.invalid(`${path}.hostPath.path`, hostPath.path, "must not contain '..'");
    requireOneOf(hostPath.type, `${path}.hostPath.type`, hostPathTypes, errors);
  }
  if (configMap !== undefined) {
    requireName(configMap.name, `${path}.configMap.name`, errors);
    validateFileMode(configMap.defaultMode, `${path}.configMap.defaultMode`, errors);
    validateItems(configMap.items, `${path}.configMap.items`, errors);
  }
  if (secret !== undefined) {
    requireName(secret.secretName, `${path}.secret.secretName`, errors);
    validateFileMode(secret.defaultMode, `${path}.secret.defaultMode`, errors);
    validateItems(secret.items, `${path}.secret.items`, errors);
  }
  if (persistentVolumeClaim !== undefined) requireName(persistentVolumeClaim.claimName, `${path}.persistentVolumeClaim.claimName`, errors);
  if (downwardAPI !== undefined) {
    validateFileMode(downwardAPI.defaultMode, `${path}.downwardAPI.defaultMode`, errors);
    validateDownward(downwardAPI.items, `${path}.downwardAPI`, errors);
  }
  if (projected !== undefined) validateProjected(projected, `${path}.projected`, errors);
}

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
  for (const [index, file] of (items ?? []).entries()) {
    const at = `${path}[${index}]`;
    validateFilePath(file.path, `${at}.path`, errors);
    if (file.fieldRef !== undefined) {
      validateFieldReference(file.fieldRef, volumeFields, true, `${at}.fieldRef`, errors);
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
  for (const [index, source] of (volume.sources ?? []).entries()) validateProjection(source, `${path}.sources[${index}]`, errors);
}

function validateProjection(source: VolumeProjection, path: string, errors: FieldErrors): void {
  const kinds = Object.keys(source);
  if (kinds.length === 0) errors.required(path, 'must specify at least one projection type');
  for (const kind of kinds.slice(1)) errors.forbidden(`${path}.${kind}`, 'may not specify more than 1 volume type per source');
  if (source.secret !== undefined) {
    requireName(source.secret.name, `${path}.secret.name`, errors);
    validateItems(source.secret.items, `${path}.secret.items`, errors);
  }
  if (source.configMap !== undefined) {
    requireName(source.configMap.name, `${path}.configMap.name`, errors);
    validateItems(source.configMap.items, `${path}.configMap.items`, errors);
  }
  validateDownward(source.downwardAPI?.items, `${path}.downwardAPI`, errors);
  if (source.serviceAccountToken !== undefined)
    validateFilePath(source.serviceAccountToken.path, `${path}.serviceAccountToken.path`, errors);
}
