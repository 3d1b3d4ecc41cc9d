/**
 * What it means for an object of a kind to be well: `apply` waits for those kinds that have a file here, listed in index.ts. Pure: it judges the object as
 * the server gives it.
 */
import type { KubernetesObject } from '#api/object';
import type { LabelSelector } from '#api/shapes/types/meta-v1';

export interface Readiness {
  readonly ready: number;
  readonly desired: number;
  readonly state: string;
  /** `failed`: it will not come right by itself. */
  readonly verdict: 'done' | 'waiting' | 'failed';
  readonly message?: string;
  /** Of the pods that it is made of; a pod is its own. */
  readonly selector?: LabelSelector;
}

export interface ReadinessOf {
  readonly group: string;
  readonly kind: string;
  judge(object: KubernetesObject): Readiness;
}

export function defineReadiness<T extends KubernetesObject>(group: string, kind: string, judge: (object: T) => Readiness): ReadinessOf {
  return { group, kind, judge: (object) => judge(object as T) };
}

/** What the status says is of the spec as it is now. */
export function isObserved(object: { metadata: KubernetesObject['metadata']; status?: { observedGeneration?: number } }): boolean {
  return (object.status?.observedGeneration ?? 0) >= (object.metadata.generation ?? 1);
}
