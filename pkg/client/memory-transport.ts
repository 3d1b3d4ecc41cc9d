/**
 * A few verbs over a Map, for the tests of this folder alone: what an informer and a lease must hold out against (conflicts,
 * broken and expired watches), played at will. Everything that is about a kind is tested over the real verbs.
 */
import { apiVersionOf, groupResourceOf, type KubernetesObject, type ResourceType } from '#api/object';
import { StatusError } from '#base/errors';
import type { ApiRequest, Transport, WatchEvent, WatchRequest } from './transport.ts';

interface LogEntry {
  readonly revision: number;
  readonly resource: string;
  readonly event: WatchEvent;
}

interface Watcher {
  readonly resource: string;
  readonly queue: (WatchEvent | 'end' | StatusError)[];
  wake: () => void;
}

export class MemoryTransport implements Transport {
  /** Called before each request is carried out; what it throws is what the caller gets. */
  onRequest: (request: ApiRequest | WatchRequest) => void = () => undefined;
  #revision = 0;
  #oldest = 0;
  readonly #objects = new Map<string, KubernetesObject>();
  readonly #log: LogEntry[] = [];
  readonly #watchers = new Set<Watcher>();

  get watching(): number {
    return this.#watchers.size;
  }

  /** Ends every watch: in order, or with an error. */
  cut(how: 'end' | StatusError = 'end'): void {
    for (const watcher of this.#watchers) push(watcher, how);
  }

  /** Forgets all changes so far: watches from before now are told that they are too old. */
  compact(): void {
    this.#oldest = this.#revision;
    this.#log.length = 0;
  }

  bookmark(): void {
    for (const watcher of this.#watchers) {
      push(watcher, { type: 'BOOKMARK', object: { apiVersion: 'v1', kind: '', metadata: { resourceVersion: String(this.#revision) } } });
    }
  }

  async send(request: ApiRequest): Promise<object> {
    this.onRequest(request);
    const path = (name: string): string => `${groupResourceOf(request.resource)}/${request.namespace ?? ''}/${name}`;
    switch (request.verb) {
      case 'get':
        return this.#existing(path(request.name), request.resource, request.name);
      case 'list':
        return {
          ...type(request.resource, 'List'),
          metadata: { resourceVersion: String(this.#revision) },
          items: [...this.#objects]
            .filter(([key]) => key.startsWith(`${groupResourceOf(request.resource)}/${request.namespace ?? ''}`))
            .map(([, object]) => object),
        };
      case 'create': {
        if (request.subresource === 'binding') return this.#bind(request, path(request.name ?? ''));
        const object = request.object as KubernetesObject;
        const { name = '' } = object.metadata;
        if (this.#objects.has(path(name))) throw new StatusError('AlreadyExists', `${request.resource.plural} "${name}" already exists`);
        return this.#write('ADDED', path(name), request.resource, {
          ...object,
          ...type(request.resource),
          metadata: { uid: `uid-${this.#revision + 1}`, ...object.metadata },
        });
      }
      case 'update': {
        const object = request.object as KubernetesObject;
        const old = this.#existing(path(request.name), request.resource, request.name);
        const given = object.metadata.resourceVersion;
        if (given !== undefined && given !== old.metadata.resourceVersion) {
          throw new StatusError('Conflict', `${request.resource.plural} "${request.name}" has been modified`);
        }
        return this.#write('MODIFIED', path(request.name), request.resource, object);
      }
      case 'patch': {
        const old = this.#existing(path(request.name), request.resource, request.name);
        return this.#write('MODIFIED', path(request.name), request.resource, merge(old, request.patch) as KubernetesObject);
      }
      case 'delete': {
        const old = this.#existing(path(request.name), request.resource, request.name);
        this.#write('DELETED', path(request.name), request.resource, old);
        return {};
      }
      case 'deletecollection':
        throw new StatusError('MethodNotAllowed', 'not played here');
    }
  }

  async *watch(request: WatchRequest, signal: AbortSignal): AsyncIterable<WatchEvent> {
    this.onRequest(request);
    const after = Number(request.options.resourceVersion ?? 0);
    if (after < this.#oldest) throw new StatusError('Expired', `too old resource version: ${after} (${this.#oldest})`);
    const resource = groupResourceOf(request.resource);
    const missed = this.#log.filter((entry) => entry.resource === resource && entry.revision > after).map((entry) => entry.event);
    const watcher: Watcher = { resource, queue: missed, wake: () => undefined };
    this.#watchers.add(watcher);
    const onAbort = (): void => watcher.wake();
    signal.addEventListener('abort', onAbort);
    try {
      while (!signal.aborted) {
        const next = watcher.queue.shift();
        if (next === undefined) {
          await new Promise<void>((resolve) => {
            watcher.wake = resolve;
          });
        } else if (next === 'end') return;
        else if (next instanceof StatusError) throw next;
        else yield next;
      }
    } finally {
      signal.removeEventListener('abort', onAbort);
      this.#watchers.delete(watcher);
    }
  }

  /** A pod is bound once, and only the pod that was meant. */
  #bind(request: ApiRequest & { verb: 'create' }, path: string): KubernetesObject {
    const pod = this.#existing(path, request.resource, request.name ?? '') as KubernetesObject & { spec: { nodeName?: string } };
    const binding = request.object as KubernetesObject & { target: { name: string } };
    if (binding.metadata.uid !== pod.metadata.uid) throw new StatusError('Conflict', 'the UID in the precondition does not match');
    if (pod.spec.nodeName !== undefined) throw new StatusError('Conflict', `pod is already assigned to node "${pod.spec.nodeName}"`);
    this.#write('MODIFIED', path, request.resource, { ...pod, spec: { ...pod.spec, nodeName: binding.target.name } } as KubernetesObject);
    return { apiVersion: 'v1', kind: 'Status', metadata: {} };
  }

  #existing(path: string, resource: ResourceType, name: string): KubernetesObject {
    const object = this.#objects.get(path);
    if (object === undefined) throw new StatusError('NotFound', `${groupResourceOf(resource)} "${name}" not found`);
    return object;
  }

  #write(kind: 'ADDED' | 'MODIFIED' | 'DELETED', path: string, resource: ResourceType, draft: KubernetesObject): KubernetesObject {
    const revision = ++this.#revision;
    const object = structuredClone({ ...draft, metadata: { ...draft.metadata, resourceVersion: String(revision) } });
    if (kind === 'DELETED') this.#objects.delete(path);
    else this.#objects.set(path, object);
    const event: WatchEvent = { type: kind, object };
    this.#log.push({ revision, resource: groupResourceOf(resource), event });
    for (const watcher of this.#watchers) if (watcher.resource === groupResourceOf(resource)) push(watcher, event);
    return object;
  }
}

function push(watcher: Watcher, item: WatchEvent | 'end' | StatusError): void {
  watcher.queue.push(item);
  watcher.wake();
}

function type(resource: ResourceType, suffix = ''): { apiVersion: string; kind: string } {
  return { apiVersion: apiVersionOf(resource), kind: `${resource.kind}${suffix}` };
}

function merge(target: unknown, patch: unknown): unknown {
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) return patch;
  const merged: Record<string, unknown> = { ...(typeof target === 'object' && target !== null ? target : {}) };
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete merged[key];
    else merged[key] = merge(merged[key], value);
  }
  return merged;
}
