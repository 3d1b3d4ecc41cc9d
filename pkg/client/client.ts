/**
 * How every part of Berth speaks to the API: the typed face of a `Transport`, made for one user. Schedulers, controllers
 * and the dispatcher take a `Client` and never know whether the verbs are in their own process or behind HTTPS.
 * What it returns may be shared and frozen: change a copy.
 */
import type { KubernetesList, KubernetesObject, ResourceType } from '#api/object';
import type { DeleteOptions, ListOptions, PatchType, Transport, WatchEvent, WatchOptions, WriteOptions } from './transport.ts';

export interface ObjectKey {
  readonly name: string;
  readonly namespace?: string;
}

export interface Client {
  get<T extends KubernetesObject>(resource: ResourceType<T>, key: ObjectKey): Promise<T>;
  /** Like `get`, but undefined where the object does not exist. */
  find<T extends KubernetesObject>(resource: ResourceType<T>, key: ObjectKey): Promise<T | undefined>;
  list<T extends KubernetesObject>(
    resource: ResourceType<T>,
    options?: ListOptions & { readonly namespace?: string },
  ): Promise<KubernetesList<T>>;
  watch<T extends KubernetesObject>(
    resource: ResourceType<T>,
    options: WatchOptions & { readonly namespace?: string },
    signal: AbortSignal,
  ): AsyncIterable<WatchEvent<T>>;
  /** The namespace is the object's own. */
  create<T extends KubernetesObject>(resource: ResourceType<T>, object: Draft<T>, options?: WriteOptions): Promise<T>;
  /** Creates through a subresource: `pods/binding`, `pods/eviction`, `serviceaccounts/token`. */
  createSubresource(resource: ResourceType, key: ObjectKey, subresource: string, object: object, options?: WriteOptions): Promise<object>;
  /** Refused with Conflict unless `metadata.resourceVersion` is the stored one (absent: unconditional). */
  update<T extends KubernetesObject>(resource: ResourceType<T>, object: T, options?: WriteOptions): Promise<T>;
  updateStatus<T extends KubernetesObject>(resource: ResourceType<T>, object: T, options?: WriteOptions): Promise<T>;
  /** Writes through another subresource that takes a whole object: `namespaces/finalize`. */
  updateSubresource<T extends KubernetesObject>(
    resource: ResourceType<T>,
    object: T,
    subresource: string,
    options?: WriteOptions,
  ): Promise<T>;
  patch<T extends KubernetesObject>(
    resource: ResourceType<T>,
    key: ObjectKey,
    type: PatchType,
    patch: unknown,
    options?: WriteOptions & { readonly subresource?: string; readonly force?: boolean },
  ): Promise<T>;
  delete<T extends KubernetesObject>(resource: ResourceType<T>, key: ObjectKey, options?: DeleteOptions): Promise<void>;
}

/** An object as one writes it: apiVersion and kind follow from the resource. */
export type Draft<T extends KubernetesObject> = Omit<T, 'apiVersion' | 'kind'> & Partial<Pick<T, 'apiVersion' | 'kind'>>;

export type { Transport };
