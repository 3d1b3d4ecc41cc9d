/** Rules for environment variables and their sources. */
import type { FieldErrors } from '../field-errors.ts';
import { checkConfigKey, checkDns1123Subdomain, checkEnvironmentName, checkQualifiedName } from '../names.ts';
import { canonicalQuantity, parseQuantity } from '../quantity.ts';
import type { Container, EnvVarSource, ObjectFieldSelector, ResourceFieldSelector } from '../shapes/types/core-v1.ts';

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

/** Fields that can be asked for by name at all; those of a map take a key. */
const knownFields = new Set([
  'metadata.annotations',
  'metadata.labels',
  'spec.restartPolicy',
  'spec.schedulerName',
  'status.phase',
  ...environmentFields,
]);
const subscripted = new Set(['metadata.annotations', 'metadata.labels']);

const resourceFields = [
  'limits.cpu',
  'limits.ephemeral-storage',
  'limits.memory',
  'requests.cpu',
  'requests.ephemeral-storage',
  'requests.memory',
];
const cpuDivisors = ['1m', '1'];
const byteDivisors = ['1', '1k', '1M', '1G', '1T', '1P', '1E', '1Ki', '1Mi', '1Gi', '1Ti', '1Pi', '1Ei'];
const divisibles: Readonly<Record<string, string>> = { memory: 'memory', ephemeral: 'local ephemeral storage', hugepages: 'hugepages' };

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
    const { prefix = '' } = source;
    if (prefix !== '') for (const fault of checkEnvironmentName(prefix)) errors.invalid(`${at}.prefix`, prefix, fault);
    const count = Number(source.configMapRef !== undefined) + Number(source.secretRef !== undefined);
    for (const field of ['configMapRef', 'secretRef'] as const) {
      const reference = source[field];
      if (reference === undefined) continue;
      const { name = '' } = reference;
      if (name === '') errors.required(`${at}.${field}.name`);
      else for (const fault of checkDns1123Subdomain(name)) errors.invalid(`${at}.${field}.name`, name, fault);
    }
    if (count === 0) errors.invalid(at, '', 'must specify one of: `configMapRef` or `secretRef`');
    if (count > 1) errors.invalid(at, '', 'may not have more than one field specified at a time');
  }
}

function validateSource(source: EnvVarSource, hasValue: boolean, path: string, errors: FieldErrors): void {
  const count = Object.keys(source).length;
  if (source.fieldRef !== undefined) validateFieldReference(source.fieldRef, environmentFields, `${path}.fieldRef`, errors);
  if (source.resourceFieldRef !== undefined) validateResourceReference(source.resourceFieldRef, false, `${path}.resourceFieldRef`, errors);
  if (source.configMapKeyRef !== undefined) validateKeyReference(source.configMapKeyRef, `${path}.configMapKeyRef`, errors);
  if (source.secretKeyRef !== undefined) validateKeyReference(source.secretKeyRef, `${path}.secretKeyRef`, errors);
  if (count === 0) errors.invalid(path, '', 'must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`');
  else if (hasValue) errors.invalid(path, '', 'may not be specified when `value` is not empty');
  else if (count > 1) errors.invalid(path, '', 'may not have more than one field specified at a time');
}

function validateKeyReference(reference: { readonly name?: string; readonly key: string }, path: string, errors: FieldErrors): void {
  const { name = '' } = reference;
  for (const fault of checkDns1123Subdomain(name)) errors.invalid(`${path}.name`, name, fault);
  if (reference.key === '') errors.required(`${path}.key`);
  else for (const fault of checkConfigKey(reference.key)) errors.invalid(`${path}.key`, reference.key, fault);
}

export function validateFieldReference(
  { apiVersion = '', fieldPath }: ObjectFieldSelector,
  supported: readonly string[],
  path: string,
  errors: FieldErrors,
): void {
  if (apiVersion === '' || fieldPath === '') {
    errors.required(`${path}.${apiVersion === '' ? 'apiVersion' : 'fieldPath'}`);
    return;
  }
  const at = `${path}.fieldPath`;
  const subscript = /^([^[\]]*)\['(.*)'\]$/s.exec(fieldPath);
  const [, field = fieldPath, key = ''] = subscript ?? [];
  if (apiVersion !== 'v1') {
    errors.invalid(at, fieldPath, `error converting fieldPath: unsupported pod version: ${apiVersion}`);
  } else if (!knownFields.has(field) || (subscript !== null && !subscripted.has(field))) {
    const detail = subscript === null ? `field label not supported: ${fieldPath}` : 'field label does not support subscript';
    errors.invalid(at, fieldPath, `error converting fieldPath: ${detail}`);
  } else if (subscript !== null) {
    for (const fault of checkQualifiedName(field === 'metadata.annotations' ? key.toLowerCase() : key)) errors.invalid(path, key, fault);
  } else if (!supported.includes(field)) errors.notSupported(at, field, supported);
}

export function validateResourceReference(
  { containerName = '', resource, divisor = '0' }: ResourceFieldSelector,
  needsContainer: boolean,
  path: string,
  errors: FieldErrors,
): void {
  if (needsContainer && containerName === '') errors.required(`${path}.containerName`);
  else if (resource === '') errors.required(`${path}.resource`);
  else if (!resourcePattern.test(resource)) errors.notSupported(`${path}.resource`, resource, resourceFields);
  if (parseQuantity(divisor).nano === 0n) return;
  const of = resource.slice(resource.indexOf('.') + 1);
  const [name, divisors] = of === 'cpu' ? ['cpu', cpuDivisors] : [divisibles[of.replace(/-.*/, '')], byteDivisors];
  if (name !== undefined && !divisors.includes(canonicalQuantity(divisor))) {
    const list = of === 'cpu' ? '1m and 1' : byteDivisors.join(', ');
    errors.invalid(`${path}.divisor`, resource, `only divisor's values ${list} are supported with the ${name} resource`);
  }
}
