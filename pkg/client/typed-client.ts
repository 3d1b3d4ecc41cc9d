/** The one implementation of `Client`: turns its calls into requests, over any transport. */
import { setMaxListeners } from 'node:events';
import { apiVersionOf, groupResourceOf, type KubernetesList, type KubernetesObject, type ResourceType } from '#api/object';
import { hasReason, StatusError } from '#base/errors';
import type { Client, Draft, ObjectKey, Transport } from './client.ts';
import type {
  DeleteOptions,
  ListOptions,
  NamedTarget,
  PatchType,
  Target,
  WatchEvent,
  WatchOptions,
  WatchRequest,
  WriteOptions,
} from './transport.ts';

/**
 * A client over this transport, for the user that the transport was made for. `signal` bounds the lifetime of all its requests:
 * once aborted, they reject with its reason.
 */
export function createClient(transport: Transport, signal?: AbortSignal): Client {
  // Every request in flight listens on it: that is no leak.
  if (signal !== undefined) setMaxListeners(0, signal);
  return new TypedClient(transport, signal);
}

class TypedClient implements Client {
  readonly #transport: Transport;
  readonly #signal: AbortSignal | undefined;

  constructor(transport: Transport, signal: AbortSignal | undefined) {
    this.#transport = transport;
    this.#signal = signal;
  }

  async get<T extends KubernetesObject>(resource: ResourceType<T>, key: ObjectKey): Promise<T> {
    return (await this.#transport.send({ verb: 'get', ...named(resource, key) }, this.#signal)) as T;
  }

  async find<T extends KubernetesObject>(resource: ResourceType<T>, key: ObjectKey): Promise<T | undefined> {
    try {
      return await this.get(resource, key);
    } catch (error) {
      if (hasReason(error, 'NotFound')) return undefined;
      throw error;
    }
  }

  async list<T extends KubernetesObject>(
    resource: ResourceType<T>,
    { namespace, ...options }: ListOptions & { readonly namespace?: string } = {},
  ): Promise<KubernetesList<T>> {
    return (await this.#transport.send({ verb: 'list', ...target(resource, namespace), options }, this.#signal)) as KubernetesList<T>;
  }

  watch<T extends KubernetesObject>(
    resource: ResourceType<T>,
    { namespace, ...options }: WatchOptions & { readonly namespace?: string },
    signal: AbortSignal,
  ): AsyncIterable<WatchEvent<T>> {
    const request: WatchRequest = { verb: 'watch', ...target(resource, namespace), options };
    const either = this.#signal === undefined ? signal : AbortSignal.any([this.#signal, signal]);
    return this.#transport.watch(request, either) as AsyncIterable<WatchEvent<T>>;
  }

  async create<T extends KubernetesObject>(resource: ResourceType<T>, object: Draft<T>, options: WriteOptions = {}): Promise<T> {
    const whole = complete(resource, object);
    return (await this.#transport.send(
      { verb: 'create', ...target(resource, whole.metadata.namespace), object: whole, options },
      this.#signal,
    )) as T;
  }

  async createSubresource(
    resource: ResourceType,
    key: ObjectKey,
    subresource: string,
    object: object,
    options: WriteOptions = {},
  ): Promise<object> {
    return await this.#transport.send({ verb: 'create', ...named(resource, key), subresource, object, options }, this.#signal);
  }

  async update<T extends KubernetesObject>(resource: ResourceType<T>, object: T, options: WriteOptions = {}): Promise<T> {
    return await this.#put(resource, object, undefined, options);
  }

  async updateStatus<T extends KubernetesObject>(resource: ResourceType<T>, object: T, options: WriteOptions = {}): Promise<T> {
    return await this.#put(resource, object, 'status', options);
  }

  async updateSubresource<T extends KubernetesObject>(
    resource: ResourceType<T>,
    object: T,
    subresource: string,
    options: WriteOptions = {},
  ): Promise<T> {
    return await this.#put(resource, object, subresource, options);
  }

  async patch<T extends KubernetesObject>(
    resource: ResourceType<T>,
    key: ObjectKey,
    type: PatchType,
    patch: unknown,
    { subresource, ...options }: WriteOptions & { readonly subresource?: string; readonly force?: boolean } = {},
  ): Promise<T> {
    const to = { ...named(resource, key), ...(subresource === undefined ? {} : { subresource }) };
    return (await this.#transport.send({ verb: 'patch', ...to, patchType: type, patch, options }, this.#signal)) as T;
  }

  async delete<T extends KubernetesObject>(resource: ResourceType<T>, key: ObjectKey, options: DeleteOptions = {}): Promise<void> {
    await this.#transport.send({ verb: 'delete', ...named(resource, key), options }, this.#signal);
  }

  async #put<T extends KubernetesObject>(
    resource: ResourceType<T>,
    object: T,
    subresource: string | undefined,
    options: WriteOptions,
  ): Promise<T> {
    const whole = complete(resource, object);
    const { name } = whole.metadata;
    if (name === undefined || name === '') throw new StatusError('BadRequest', 'metadata.name: Required value: an update names its object');
    const key = { name, ...(whole.metadata.namespace === undefined ? {} : { namespace: whole.metadata.namespace }) };
    const to = { ...named(resource, key), ...(subresource === undefined ? {} : { subresource }) };
    return (await this.#transport.send({ verb: 'update', ...to, object: whole, options }, this.#signal)) as T;
  }
}

function target(resource: ResourceType, namespace: string | undefined): Target {
  return namespace === undefined || !resource.namespaced ? { resource } : { resource, namespace };
}

function named(resource: ResourceType, key: ObjectKey): NamedTarget {
  if (resource.namespaced && (key.namespace === undefined || key.namespace === '')) {
    throw new StatusError('BadRequest', `an object of ${groupResourceOf(resource)} is named with its namespace; "${key.name}" has none`);
  }
  return { ...target(resource, key.namespace), name: key.name };
}

function complete<T extends KubernetesObject>(resource: ResourceType<T>, object: Draft<T>): T {
  if (resource.namespaced && (object.metadata.namespace === undefined || object.metadata.namespace === '')) {
    throw new StatusError('BadRequest', `metadata.namespace: Required value: an object of ${groupResourceOf(resource)} has a namespace`);
  }
  if (object.apiVersion !== undefined && object.kind !== undefined) return object as T;
  return { apiVersion: apiVersionOf(resource), kind: resource.kind, ...object } as T;
}
