/** Rules for what a claim asks of storage (Kubernetes' `core/validation`, in its order and words). */
import type { FieldErrors } from '../field-errors.ts';
import { checkDns1123Label, checkDns1123Subdomain } from '../names.ts';
import { requireOneOf } from '../pod-spec/checks.ts';
import { validateLabelSelector } from '../pod-spec/workload.ts';
import { parseQuantity } from '../quantity.ts';
import type { PersistentVolumeClaimSpec, TypedLocalObjectReference } from '../shapes/types/core-v1.ts';
import { validateAccessModes } from './access-modes.ts';

export function validateClaimSpec(spec: PersistentVolumeClaimSpec, path: string, errors: FieldErrors): void {
  const { accessModes = [], selector, resources, dataSource, dataSourceRef, volumeMode } = spec;
  if (accessModes.length === 0) errors.required(`${path}.accessModes`, 'at least 1 access mode is required');
  if (selector !== undefined) validateLabelSelector(selector, `${path}.selector`, errors);
  if (accessModes.length > 0) validateAccessModes(accessModes, `${path}.accessModes`, '', errors);
  const storage = resources?.requests?.storage;
  if (storage === undefined) errors.required(`${path}.resources[storage]`);
  else if (parseQuantity(storage).nano <= 0n) errors.invalid(`${path}.resources[storage]`, storage, 'must be greater than zero');
  validateClassName(spec.storageClassName, `${path}.storageClassName`, errors);
  requireOneOf(volumeMode, `${path}.volumeMode`, ['Block', 'Filesystem'], errors);
  if (dataSource !== undefined) validateSource(dataSource, `${path}.dataSource`, errors);
  if (dataSourceRef !== undefined) {
    const { namespace = '' } = dataSourceRef;
    validateSource(dataSourceRef, `${path}.dataSourceRef`, errors);
    if (namespace !== '') {
      for (const fault of checkDns1123Label(namespace)) errors.invalid(`${path}.dataSourceRef.namespace`, namespace, fault);
      if (dataSource !== undefined)
        errors.invalid(path, `${path}.dataSource`, 'may not be specified when dataSourceRef.namespace is specified');
    } else if (dataSource !== undefined && !isSameSource(dataSource, dataSourceRef)) {
      errors.invalid(path, `${path}.dataSource`, 'must match dataSourceRef');
    }
  }
  validateClassName(spec.volumeAttributesClassName, `${path}.volumeAttributesClassName`, errors);
}

function validateClassName(name: string | undefined, path: string, errors: FieldErrors): void {
  if (name !== undefined && name !== '') for (const fault of checkDns1123Subdomain(name)) errors.invalid(path, name, fault);
}

function validateSource({ apiGroup = '', kind, name }: TypedLocalObjectReference, path: string, errors: FieldErrors): void {
  if (name === '') errors.required(`${path}.name`);
  if (kind === '') errors.required(`${path}.kind`);
  if (apiGroup !== '') for (const fault of checkDns1123Subdomain(apiGroup)) errors.invalid(`${path}.apiGroup`, apiGroup, fault);
  else if (kind !== 'PersistentVolumeClaim')
    errors.invalid(path, kind, "must be 'PersistentVolumeClaim' when referencing the default apiGroup");
}

function isSameSource(a: TypedLocalObjectReference, b: TypedLocalObjectReference): boolean {
  return (a.apiGroup ?? '') === (b.apiGroup ?? '') && a.kind === b.kind && a.name === b.name;
}
