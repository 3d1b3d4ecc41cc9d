import type { KubernetesObject } from '#api/object';
import { matchesSelector, type Selector, selectorOf } from '#api/selector';
import type { LabelSelector } from '#api/shapes/types/meta-v1';
import { type Informer, keyOf } from '#client/informer';

/** The keys of the objects in the same namespace whose `spec.selector` selects this object's labels. */
export function selecting<T extends KubernetesObject & { readonly spec: { readonly selector: LabelSelector } }>(
  store: Informer<T>,
  object: KubernetesObject,
): string[] {
  return selectingBy(store, object, ({ spec }) => selectorOf(spec.selector));
}

/** The same for objects whose selector is read otherwise. */
export function selectingBy<T extends KubernetesObject>(
  store: Informer<T>,
  object: KubernetesObject,
  read: (candidate: T) => Selector | undefined,
): string[] {
  const { labels, namespace = '' } = object.metadata;
  if (labels === undefined) return [];
  return store.byIndex('namespace', namespace).flatMap((candidate) => {
    const selector = read(candidate);
    return selector !== undefined && selector.length > 0 && matchesSelector(selector, labels) ? [keyOf(candidate)] : [];
  });
}
