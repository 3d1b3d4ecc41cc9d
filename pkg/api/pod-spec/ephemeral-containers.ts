/** Containers that are put into a running pod to look around in it (`kubectl debug`): added through a subresource of their own, never changed or taken away. */
import { deepEqual } from '../equality.ts';
import { FieldErrors } from '../field-errors.ts';
import type { Subresource } from '../kind.ts';
import type { Pod } from '../shapes/types/core-v1.ts';
import { validateEphemeralContainers } from './containers.ts';
import { defaultContainer } from './defaults.ts';

const path = 'spec.ephemeralContainers';

/** Writes through it add ephemeral containers, and change nothing else. */
export const ephemeralContainersSubresource: Subresource<Pod> = {
  name: 'ephemeralcontainers',
  kind: { group: '', version: 'v1', kind: 'Pod' },
  typeName: 'core.v1.Pod',
  verbs: ['get', 'patch', 'update'],
  write: (old, body) => {
    const ephemeralContainers = structuredClone((body as Pod).spec.ephemeralContainers ?? []);
    for (const container of ephemeralContainers) defaultContainer(container, old.spec.hostNetwork === true);
    const { ephemeralContainers: _, ...spec } = old.spec;
    return { ...old, spec: { ...spec, ...(ephemeralContainers.length === 0 ? {} : { ephemeralContainers }) } };
  },
  validate: (pod, old) => {
    const errors = new FieldErrors();
    const containers = pod.spec.ephemeralContainers ?? [];
    for (const before of old.spec.ephemeralContainers ?? []) {
      const now = containers.find(({ name }) => name === before.name);
      if (now === undefined) errors.forbidden(path, `existing ephemeral containers "${before.name}" may not be removed`);
      else if (!deepEqual(now, before)) errors.forbidden(path, `existing ephemeral containers "${before.name}" may not be changed`);
    }
    validateEphemeralContainers(pod.spec, path, errors);
    return errors;
  },
};

/** A pod begins without any. */
export function forbidEphemeralContainers(pod: Pod): FieldErrors {
  const errors = new FieldErrors();
  if ((pod.spec.ephemeralContainers ?? []).length > 0) errors.forbidden(path, 'cannot be set on create');
  return errors;
}
