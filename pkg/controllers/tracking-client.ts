import { groupResourceOf, type KubernetesList, type KubernetesObject, type ResourceType } from '#api/object';
import type { Clock } from '#base/clock';
import type { Client, Draft, ObjectKey } from '#client/client';
import { keyOf } from '#client/informer';
import type { InformerSet } from '#client/informer-set';
import type { DeleteOptions, ListOptions, PatchType, WatchEvent, WatchOptions, WriteOptions } from '#client/transport';

/**
 * A client that remembers what was written through it until the shared stores show it: so that who reads the stores next does not
 * take his own writes for missing and make them again. In place of counted expectations: each write has a revision to wait for.
 */
export class TrackingClient implements Client {
  readonly #inner: Client;
  readonly #informers: InformerSet;
  readonly #revisions = new Map<string, { readonly resource: ResourceType; readonly revision: number }>();
  readonly #deletions = new Map<string, { readonly resource: ResourceType; readonly path: string; readonly uid: string | undefined }>();

  constructor(inner: Client, informers: InformerSet) {
    this.#inner = inner;
    this.#informers = informers;
  }

  /** Whether something was written that was not waited for. */
  get pending(): boolean {
    return this.#revisions.size + this.#deletions.size > 0;
  }

  /** Waits until the stores show all that was written; false when they did not within `limit` milliseconds. */
  async settled(clock: Clock, limit: number, signal: AbortSignal): Promise<boolean> {
    if (!this.pending) return true;
    const timeout = new AbortController();
    const timer = clock.schedule(limit, () => timeout.abort());
    try {
      await this.#shown(AbortSignal.any([signal, timeout.signal]));
      return true;
    } catch (error) {
      if (signal.aborted) throw error;
      return false;
    } finally {
      timer.cancel();
      this.#revisions.clear();
      this.#deletions.clear();
    }
  }

  async #shown(signal: AbortSignal): Promise<void> {
    for (const { resource, revision } of this.#revisions.values()) {
      await this.#informers.find(resource)?.reached(String(revision), signal);
    }
    for (const { resource, path, uid } of this.#deletions.values()) {
      const informer = this.#informers.find(resource);
      await informer?.until(() => {
        const now = informer.get(path);
        return now === undefined || now.metadata.uid !== uid || now.metadata.deletionTimestamp !== undefined;
      }, signal);
    }
  }

  get<T extends KubernetesObject>(resource: ResourceType<T>, key: ObjectKey): Promise<T> {
    return this.#inner.get(resource, key);
  }

  find<T extends KubernetesObject>(resource: ResourceType<T>, key: ObjectKey): Promise<T | undefined> {
    return this.#inner.find(resource, key);
  }

  list<T extends KubernetesObject>(
    resource: ResourceType<T>,
    options?: ListOptions & { readonly namespace?: string },
  ): Promise<KubernetesList<T>> {
    return this.#inner.list(resource, options);
  }

  watch<T extends KubernetesObject>(
    resource: ResourceType<T>,
    options: WatchOptions & { readonly namespace?: string },
    signal: AbortSignal,
  ): AsyncIterable<WatchEvent<T>> {
    return this.#inner.watch(resource, options, signal);
  }

  async create<T extends KubernetesObject>(resource: ResourceType<T>, object: Draft<T>, options?: WriteOptions): Promise<T> {
    return this.#wrote(resource, await this.#inner.create(resource, object, options));
  }

  createSubresource(resource: ResourceType, key: ObjectKey, subresource: string, object: object, options?: WriteOptions): Promise<object> {
    return this.#inner.createSubresource(resource, key, subresource, object, options);
  }

  async update<T extends KubernetesObject>(resource: ResourceType<T>, object: T, options?: WriteOptions): Promise<T> {
    return this.#wrote(resource, await this.#inner.update(resource, object, options));
  }

  async updateStatus<T extends KubernetesObject>(resource: ResourceType<T>, object: T, options?: WriteOptions): Promise<T> {
    return this.#wrote(resource, await this.#inner.updateStatus(resource, object, options));
  }

  async updateSubresource<T extends KubernetesObject>(
    resource: ResourceType<T>,
    object: T,
    subresource: string,
    options?: WriteOptions,
  ): Promise<T> {
    return this.#wrote(resource, await this.#inner.updateSubresource(resource, object, subresource, options));
  }

  async patch<T extends KubernetesObject>(
    resource: ResourceType<T>,
    key: ObjectKey,
    type: PatchType,
    patch: unknown,
    options?: WriteOptions & { readonly subresource?: string; readonly force?: boolean },
  ): Promise<T> {
    return this.#wrote(resource, await this.#inner.patch(resource, key, type, patch, options));
  }

  async delete<T extends KubernetesObject>(resource: ResourceType<T>, key: ObjectKey, options?: DeleteOptions): Promise<void> {
    const path = keyOf({ metadata: key });
    const uid = this.#informers.find(resource)?.get(path)?.metadata.uid;
    await this.#inner.delete(resource, key, options);
    this.#deletions.set(`${groupResourceOf(resource)} ${path}`, { resource, path, uid });
  }

  #wrote<T extends KubernetesObject>(resource: ResourceType<T>, object: T): T {
    const revision = Number(object.metadata.resourceVersion);
    const key = groupResourceOf(resource);
    const known = this.#revisions.get(key)?.revision ?? 0;
    if (revision > known) this.#revisions.set(key, { resource, revision });
    return object;
  }
}
