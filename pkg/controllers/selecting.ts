import type { KubernetesObject } from '#api/object';
import { matchesSelector, selectorOf } from '#api/selector';
import type { LabelSelector } from '#api/shapes/types/meta-v1';
import { type Informer, keyOf } from '#client/informer';

/** The keys of the objects in the same namespace whose `spec.selector` selects this object's labels. */
export function selecting<T extends KubernetesObject & { readonly spec: { readonly selector: LabelSelector } }>(
  store: Informer<T>,
  object: KubernetesObject,
): string[] {
  const { labels, namespace = '' } = object.metadata;
  if (labels === undefined) return [];
  return store.byIndex('namespace', namespace).flatMap((candidate) => {
    const selector = selectorOf(candidate.spec.selector);
    return selector !== undefined && selector.length > 0 && matchesSelector(selector, labels) ? [keyOf(candidate)] : [];
  });
}
