import type { KubernetesObject, ResourceType } from '#api/object';
import type { Pod, PodTemplateSpec } from '#api/shapes/types/core-v1';
import type { Draft } from '#client/client';
import { controllerReference } from './owner.ts';

/** A pod as the template says, owned by `owner`; named after it unless `name` is given. */
export function podFromTemplate(owner: KubernetesObject, resource: ResourceType, template: PodTemplateSpec, name?: string): Draft<Pod> {
  const { labels, annotations, finalizers } = template.metadata ?? {};
  return {
    metadata: {
      ...(name === undefined ? { generateName: `${owner.metadata.name ?? ''}-` } : { name }),
      namespace: owner.metadata.namespace ?? '',
      ...(labels === undefined ? {} : { labels }),
      ...(annotations === undefined ? {} : { annotations }),
      ...(finalizers === undefined ? {} : { finalizers }),
      ownerReferences: [controllerReference(owner, resource)],
    },
    spec: template.spec ?? { containers: [] },
  };
}
