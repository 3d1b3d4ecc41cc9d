/** Rules for environment variables and their sources. */
import type { FieldErrors } from '../field-errors.ts';
import { checkConfigKey, checkEnvironmentName, checkQualifiedName } from '../names.ts';
import type { Container, EnvVarSource, ObjectFieldSelector, ResourceFieldSelector } from '../shapes/types/core-v1.ts';
import { requireName } from './checks.ts';

const environmentFields = [
  'metadata.name',
  'metadata.namespace',
  'metadata.uid',
  'spec.nodeName',
  'spec.serviceAccountName',
  'status.hostIP',
  'status.hostIPs',
  'status.podIP',
  'status.podIPs',
];

/** Fields that files of downward API volumes can have. */
export const volumeFields = ['metadata.annotations', 'metadata.labels', 'metadata.name', 'metadata.namespace', 'metadata.uid'];

const resourcePattern = /^(?:limits|requests)\.(?:cpu|memory|ephemeral-storage|hugepages-.+)$/;

export function validateEnvironment(container: Container, path: string, errors: FieldErrors): void {
  for (const [index, variable] of (container.env ?? []).entries()) {
    const at = `${path}.env[${index}]`;
    if (variable.name === '') errors.required(`${at}.name`);
    else for (const fault of checkEnvironmentName(variable.name)) errors.invalid(`${at}.name`, variable.name, fault);
    if (variable.valueFrom !== undefined) validateSource(variable.valueFrom, (variable.value ?? '') !== '', `${at}.valueFrom`, errors);
  }
  for (const [index, source] of (container.envFrom ?? []).entries()) {
    const at = `${path}.envFrom[${index}]`;
    if (source.prefix !== undefined)
      for (const fault of checkEnvironmentName(source.prefix)) errors.invalid(`${at}.prefix`, source.prefix, fault);
    const count = Number(source.configMapRef !== undefined) + Number(source.secretRef !== undefined);
    if (source.configMapRef !== undefined) requireName(source.configMapRef.name, `${at}.configMapRef.name`, errors);
    if (source.secretRef !== undefined) requireName(source.secretRef.name, `${at}.secretRef.name`, errors);
    if (count === 0) errors.invalid(at, '', 'must specify one of: `configMapRef` or `secretRef`');
    if (count > 1) errors.invalid(at, '', 'may not have more than one field specified at a time');
  }
}

function validateSource(source: EnvVarSource, hasValue: boolean, path: string, errors: FieldErrors): void {
  const count = Object.keys(source).length;
  if (source.fieldRef !== undefined) validateFieldReference(source.fieldRef, environmentFields, true, `${path}.fieldRef`, errors);
  if (source.resourceFieldRef !== undefined) validateResourceReference(source.resourceFieldRef, false, `${path}.resourceFieldRef`, errors);
  if (source.configMapKeyRef !== undefined) validateKeyReference(source.configMapKeyRef, `${path}.configMapKeyRef`, errors);
  if (source.secretKeyRef !== undefined) validateKeyReference(source.secretKeyRef, `${path}.secretKeyRef`, errors);
  if (count === 0) errors.invalid(path, '', 'must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`');
  else if (hasValue) errors.invalid(path, '', 'may not be specified when `value` is not empty');
  else if (count > 1) errors.invalid(path, '', 'may not have more than one field specified at a time');
}

function validateKeyReference(reference: { readonly name?: string; readonly key: string }, path: string, errors: FieldErrors): void {
  requireName(reference.name, `${path}.name`, errors);
  if (reference.key === '') errors.required(`${path}.key`);
  else for (const fault of checkConfigKey(reference.key)) errors.invalid(`${path}.key`, reference.key, fault);
}

export function validateFieldReference(
  reference: ObjectFieldSelector,
  supported: readonly string[],
  allowsSubscript: boolean,
  path: string,
  errors: FieldErrors,
): void {
  if (reference.apiVersion === '') errors.required(`${path}.apiVersion`);
  if (reference.fieldPath === '') {
    errors.required(`${path}.fieldPath`);
    return;
  }
  const subscript = /^(metadata\.(?:annotations|labels))\['(.*)'\]$/s.exec(reference.fieldPath);
  if (subscript !== null) {
    const key = subscript[2] ?? '';
    for (const fault of checkQualifiedName(subscript[1] === 'metadata.annotations' ? key.toLowerCase() : key)) {
      errors.invalid(`${path}.fieldPath`, key, fault);
    }
    if (!allowsSubscript) errors.invalid(`${path}.fieldPath`, reference.fieldPath, 'does not support subscript');
  } else if (!supported.includes(reference.fieldPath)) {
    errors.notSupported(`${path}.fieldPath`, reference.fieldPath, supported);
  }
}

export function validateResourceReference(
  reference: ResourceFieldSelector,
  needsContainer: boolean,
  path: string,
  errors: FieldErrors,
): void {
  if (needsContainer && (reference.containerName ?? '') === '') errors.required(`${path}.containerName`);
  if (reference.resource === '') errors.required(`${path}.resource`);
  else if (!resourcePattern.test(reference.resource)) {
    errors.notSupported(`${path}.resource`, reference.resource, [
      'limits.cpu',
      'limits.ephemeral-storage',
      'limits.memory',
      'requests.cpu',
      'requests.ephemeral-storage',
      'requests.memory',
    ]);
  }
}
