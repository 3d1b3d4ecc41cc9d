/** What may change of a pod once it is there. */
import { deepEqual } from '../equality.ts';
import type { FieldErrors } from '../field-errors.ts';
import type { Container, Pod, PodSpec } from '../shapes/types/core-v1.ts';

const allowed =
  'pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,' +
  '`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)';

export function validatePodUpdate(pod: Pod, old: Pod, errors: FieldErrors): void {
  const { spec } = pod;
  for (const list of ['containers', 'initContainers'] as const) {
    if ((spec[list]?.length ?? 0) !== (old.spec[list]?.length ?? 0)) {
      errors.forbidden(`spec.${list}`, 'pod updates may not add or remove containers');
      return;
    }
  }
  const [deadline, before] = [spec.activeDeadlineSeconds, old.spec.activeDeadlineSeconds];
  if (before !== undefined && deadline === undefined)
    errors.invalid('spec.activeDeadlineSeconds', null, 'must not update from a positive integer to nil value');
  else if (before !== undefined && deadline !== undefined && deadline > before) {
    errors.invalid('spec.activeDeadlineSeconds', deadline, `must be less than or equal to previous value`);
  }
  const kept = old.spec.tolerations ?? [];
  if (!kept.every((toleration) => spec.tolerations?.some((one) => deepEqual(one, toleration)))) {
    errors.forbidden('spec.tolerations', 'existing toleration can not be modified except its tolerationSeconds');
  }
  if (!deepEqual(fixedPart(spec), fixedPart(old.spec))) {
    errors.forbidden('spec', `${allowed}: ${differences(fixedPart(spec), fixedPart(old.spec)).join(', ')} differs`);
  }
}

/** The spec without what may change. */
function fixedPart(spec: PodSpec): Record<string, unknown> {
  return {
    ...spec,
    activeDeadlineSeconds: undefined,
    tolerations: undefined,
    containers: spec.containers?.map(withoutImage),
    initContainers: spec.initContainers?.map(withoutImage),
  };
}

function withoutImage(container: Container): Record<string, unknown> {
  return { ...container, image: undefined };
}

function differences(a: Readonly<Record<string, unknown>>, b: Readonly<Record<string, unknown>>): string[] {
  return [...new Set([...Object.keys(a), ...Object.keys(b)])].filter((key) => !deepEqual(a[key], b[key])).map((key) => `spec.${key}`);
}

/** Rules for a write of the status: a terminated container stays so where nothing may start it again. */
export function validatePodStatusUpdate(pod: Pod, old: Pod, errors: FieldErrors): void {
  const node = pod.status?.nominatedNodeName;
  if (node?.includes('/') === true) errors.invalid('status.nominatedNodeName', node, 'must be the name of a node');
  const ended = old.status?.phase === 'Succeeded' || old.status?.phase === 'Failed';
  if (ended && pod.status?.phase !== old.status?.phase) {
    errors.invalid('status.phase', pod.status?.phase ?? '', `may not change from ${old.status?.phase ?? ''}, which is final`);
  }
}
