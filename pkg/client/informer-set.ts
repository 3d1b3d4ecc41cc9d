import { setMaxListeners } from 'node:events';
import { groupResourceOf, type KubernetesObject, type ResourceType } from '#api/object';
import type { Clock } from '#base/clock';
import type { Runnable } from '#base/lifecycle';
import type { Logger } from '#base/logging';
import type { Client } from './client.ts';
import { createInformer, type Informer } from './informer.ts';

/**
 * The informers that all parts of one process share: one per resource, over all namespaces, made when first asked for.
 * Each has the indexes `namespace` and `owner` (uid of the controlling owner); others are added with `addIndex`.
 */
export class InformerSet implements Runnable {
  readonly name = 'informers';
  readonly #client: Client;
  readonly #options: { readonly clock: Clock; readonly log: Logger };
  readonly #informers = new Map<string, Informer>();
  #start: ((informer: Informer) => void) | undefined;

  constructor(client: Client, options: { readonly clock: Clock; readonly log: Logger }) {
    this.#client = client;
    this.#options = options;
  }

  for<T extends KubernetesObject>(resource: ResourceType<T>): Informer<T> {
    const key = groupResourceOf(resource);
    let informer = this.#informers.get(key);
    if (informer === undefined) {
      informer = createInformer<KubernetesObject>(this.#client, resource, {
        ...this.#options,
        indexes: { namespace: namespaceOf, owner: controllerUidOf },
      });
      this.#informers.set(key, informer);
      this.#start?.(informer);
    }
    return informer as Informer<T>;
  }

  /** The informer of this resource if somebody asked for it already. */
  find(resource: { readonly group: string; readonly plural: string }): Informer | undefined {
    return this.#informers.get(groupResourceOf(resource));
  }

  /** Resolves when every informer asked for so far has synced; rejects with the signal's reason. */
  async synced(signal: AbortSignal): Promise<void> {
    for (const informer of [...this.#informers.values()]) await informer.until(() => informer.hasSynced, signal);
  }

  async run(signal: AbortSignal): Promise<void> {
    const failure = new AbortController();
    const stop = AbortSignal.any([signal, failure.signal]);
    setMaxListeners(0, stop);
    await new Promise<void>((resolve, reject) => {
      let running = 0;
      const end = (): void => {
        if (running === 0 && stop.aborted) resolve();
      };
      this.#start = (informer) => {
        running++;
        informer.run(stop).then(
          () => {
            running--;
            end();
          },
          (error: unknown) => {
            reject(error);
            failure.abort();
          },
        );
      };
      for (const informer of this.#informers.values()) this.#start(informer);
      stop.addEventListener('abort', end, { once: true });
      end();
    });
    this.#start = undefined;
  }
}

function namespaceOf(object: KubernetesObject): readonly string[] {
  return object.metadata.namespace === undefined ? [] : [object.metadata.namespace];
}

function controllerUidOf(object: KubernetesObject): readonly string[] {
  const owner = object.metadata.ownerReferences?.find((reference) => reference.controller === true);
  return owner === undefined ? [] : [owner.uid];
}
