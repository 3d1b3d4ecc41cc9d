/** Names of what quotas count and limit ranges bound. */
import type { FieldErrors } from '../field-errors.ts';
import { checkQualifiedName } from '../names.ts';

const computeResources = ['cpu', 'memory', 'limits.cpu', 'limits.memory', 'requests.cpu', 'requests.memory'];
const standardQuotaResources = new Set([
  ...computeResources,
  'ephemeral-storage',
  'requests.ephemeral-storage',
  'limits.ephemeral-storage',
  'requests.storage',
  'pods',
  'resourcequotas',
  'services',
  'services.nodeports',
  'services.loadbalancers',
  'replicationcontrollers',
  'secrets',
  'configmaps',
  'persistentvolumeclaims',
]);
const standardContainerResources = new Set(['cpu', 'memory', 'ephemeral-storage']);
const wholeResources = new Set([
  'pods',
  'resourcequotas',
  'services',
  'services.nodeports',
  'services.loadbalancers',
  'replicationcontrollers',
  'secrets',
  'configmaps',
  'persistentvolumeclaims',
]);

export function isStandardQuotaResource(name: string): boolean {
  return standardQuotaResources.has(name) || name.startsWith('hugepages-') || name.startsWith('requests.hugepages-');
}

/** What is counted, and comes in whole numbers. */
export function isWholeResource(name: string): boolean {
  return wholeResources.has(name) || name.startsWith('count/') || (name.includes('/') && !name.endsWith('/requests.storage'));
}

export function validateQuotaResourceName(name: string, path: string, errors: FieldErrors): void {
  for (const fault of checkQualifiedName(name)) errors.invalid(path, name, fault);
  if (!name.includes('/') && !isStandardQuotaResource(name)) errors.invalid(path, name, 'must be a standard resource for quota');
}

/** What others than Kubernetes have named: `example.com/gpu`. */
export function isExtendedResource(name: string): boolean {
  return name.includes('/') && !name.includes('kubernetes.io/') && isExtendedName(name);
}

function isExtendedName(name: string): boolean {
  return !name.startsWith('requests.') && checkQualifiedName(`requests.${name}`).length === 0;
}

export function validateContainerResourceName(name: string, path: string, errors: FieldErrors): void {
  const faults = checkQualifiedName(name);
  for (const fault of faults) errors.invalid(path, name, fault);
  if (name.includes('/')) {
    if (!name.includes('kubernetes.io/') && !isExtendedName(name)) {
      errors.invalid(path, name, "doesn't follow extended resource name standard");
    }
    return;
  }
  if (standardContainerResources.has(name) || name.startsWith('hugepages-')) return;
  if (faults.length === 0 && name !== 'storage' && !isStandardQuotaResource(name)) {
    errors.invalid(path, name, 'must be a standard resource type or fully qualified');
  }
  errors.invalid(path, name, 'must be a standard resource for containers');
}

/** For limits on other things than containers. */
export function validateResourceName(name: string, path: string, errors: FieldErrors): void {
  const faults = checkQualifiedName(name);
  for (const fault of faults) errors.invalid(path, name, fault);
  if (faults.length === 0 && !name.includes('/') && name !== 'storage' && !isStandardQuotaResource(name)) {
    errors.invalid(path, name, 'must be a standard resource type or fully qualified');
  }
}

const podScopes: ReadonlySet<string> = new Set([
  'BestEffort',
  'NotBestEffort',
  'Terminating',
  'NotTerminating',
  'CrossNamespacePodAffinity',
]);

export function isQuotaScope(scope: string): boolean {
  return podScopes.has(scope) || scope === 'PriorityClass' || scope === 'VolumeAttributesClass';
}

/** A scope without values: it is there or not. */
export function isPlainScope(scope: string): boolean {
  return podScopes.has(scope);
}

/** Whether a quota for this resource can be restricted to this scope. */
export function isScopeFor(scope: string, resource: string): boolean {
  switch (scope) {
    case 'BestEffort':
      return resource === 'pods';
    case 'VolumeAttributesClass':
      return resource === 'persistentvolumeclaims' || resource === 'requests.storage';
    default:
      return resource === 'pods' || computeResources.includes(resource);
  }
}
