/** Which objects a quota is about, where it is restricted to some. */
import type { KubernetesObject } from '../object.ts';
import { qosClassOf } from '../pod-spec/quality-of-service.ts';
import type { PersistentVolumeClaim, Pod, ResourceQuotaSpec, ScopedResourceSelectorRequirement } from '../shapes/types/core-v1.ts';

/** `resource`: of the object. A quota with scopes is about pods alone (or claims, by their class of attributes). */
export function isInScope(
  spec: ResourceQuotaSpec,
  resource: { readonly group: string; readonly plural: string },
  object: KubernetesObject,
): boolean {
  const plain = (spec.scopes ?? []).map((scopeName): ScopedResourceSelectorRequirement => ({ scopeName, operator: 'Exists' }));
  const requirements = [...plain, ...(spec.scopeSelector?.matchExpressions ?? [])];
  if (requirements.length === 0) return true;
  if (resource.group !== '') return false;
  if (resource.plural === 'pods') return requirements.every((requirement) => matchesPod(requirement, object as Pod));
  if (resource.plural !== 'persistentvolumeclaims') return false;
  return requirements.every(
    (requirement) =>
      requirement.scopeName === 'VolumeAttributesClass' &&
      matchesName(requirement, (object as PersistentVolumeClaim).spec.volumeAttributesClassName ?? ''),
  );
}

function matchesPod(requirement: ScopedResourceSelectorRequirement, { spec }: Pod): boolean {
  switch (requirement.scopeName) {
    case 'Terminating':
      return spec.activeDeadlineSeconds !== undefined;
    case 'NotTerminating':
      return spec.activeDeadlineSeconds === undefined;
    case 'BestEffort':
      return qosClassOf(spec) === 'BestEffort';
    case 'NotBestEffort':
      return qosClassOf(spec) !== 'BestEffort';
    case 'PriorityClass':
      return matchesName(requirement, spec.priorityClassName ?? '');
    case 'CrossNamespacePodAffinity':
      return crossesNamespaces({ spec });
    default:
      return false;
  }
}

function matchesName({ operator, values = [] }: ScopedResourceSelectorRequirement, name: string): boolean {
  switch (operator) {
    case 'In':
      return values.includes(name);
    case 'NotIn':
      return !values.includes(name);
    case 'Exists':
      return name !== '';
    case 'DoesNotExist':
      return name === '';
    default:
      return false;
  }
}

function crossesNamespaces({ spec }: Pick<Pod, 'spec'>): boolean {
  return [spec.affinity?.podAffinity, spec.affinity?.podAntiAffinity].some((affinity) => {
    const required = affinity?.requiredDuringSchedulingIgnoredDuringExecution ?? [];
    const preferred = (affinity?.preferredDuringSchedulingIgnoredDuringExecution ?? []).map(({ podAffinityTerm }) => podAffinityTerm);
    return [...required, ...preferred].some(
      ({ namespaces = [], namespaceSelector }) => namespaces.length > 0 || namespaceSelector !== undefined,
    );
  });
}
