import { persistentVolumeClaims, pods } from '#api/shapes/resources';
import type { Pod } from '#api/shapes/types/core-v1';
import { backoffDelay } from '#base/backoff';
import type { Clock } from '#base/clock';
import { messageOf, StatusError } from '#base/errors';
import type { Client } from '#client/client';
import type { InformerSet } from '#client/informer-set';
import { chosenNodeOf, selectedNodeAnnotation } from './volume-claims.ts';

/** How a binding ended, as the API has it: on this node, on another (somebody else was first), gone, or still nowhere for this reason. */
export type BindingOutcome =
  | { readonly bound: true; readonly pod: Pod | undefined }
  | { readonly bound: false; readonly gone: true }
  | { readonly bound: false; readonly gone: false; readonly reason: string };

/** How long a pod waits for the volumes of its claims to be made on the node chosen for it. */
const volumeLimit = 8_000;
const reread = { initial: 100, maximum: 5_000, jitter: 0.5 };

/**
 * Carries out one decision: tells the provisioner where the pod's unbound claims are wanted, waits for their volumes, and binds. A reply
 * that is lost or refused is settled by reading the pod back: the outcome is what the API has, never a guess. Rejects only when aborted.
 */
export class Binder {
  readonly #client: Client;
  readonly #informers: InformerSet;
  readonly #clock: Clock;
  /** Claims (`namespace/name`) for which a node was chosen, until the API shows it. */
  readonly #chosen = new Map<string, string>();

  constructor(client: Client, informers: InformerSet, clock: Clock) {
    this.#client = client;
    this.#informers = informers;
    this.#clock = clock;
  }

  chosenNode(namespace: string, name: string): string | undefined {
    const key = `${namespace}/${name}`;
    return this.#chosen.get(key) ?? chosenNodeOf(this.#informers.for(persistentVolumeClaims).get(key));
  }

  /** Remembers at once, before anything is awaited, where the claims of this pod will be; the next decision goes by it. */
  reserve(pod: Pod, claims: readonly string[], node: string): void {
    for (const claim of claims) {
      const key = `${pod.metadata.namespace}/${claim}`;
      if ((this.#informers.for(persistentVolumeClaims).get(key)?.spec.volumeName ?? '') === '') this.#chosen.set(key, node);
    }
  }

  async bind(pod: Pod, claims: readonly string[], node: string, signal: AbortSignal): Promise<BindingOutcome> {
    const { namespace = '', name = '', uid = '' } = pod.metadata;
    try {
      if (claims.length > 0) await this.#provideVolumes(namespace, claims, node, signal);
      await this.#client.createSubresource(pods, { namespace, name }, 'binding', {
        apiVersion: 'v1',
        kind: 'Binding',
        metadata: { namespace, name, uid },
        target: { apiVersion: 'v1', kind: 'Node', name: node },
      });
      return { bound: true, pod: undefined };
    } catch (error) {
      if (signal.aborted) throw error;
      return await this.#settle(pod, error, signal);
    } finally {
      for (const claim of claims) this.#chosen.delete(`${namespace}/${claim}`);
    }
  }

  async #settle(pod: Pod, error: unknown, signal: AbortSignal): Promise<BindingOutcome> {
    const { namespace = '', name = '', uid } = pod.metadata;
    for (let attempt = 0; ; attempt++) {
      try {
        const now = await this.#client.find(pods, { namespace, name });
        if (now === undefined || now.metadata.uid !== uid || now.metadata.deletionTimestamp !== undefined)
          return { bound: false, gone: true };
        if ((now.spec.nodeName ?? '') !== '') return { bound: true, pod: now };
        return { bound: false, gone: false, reason: messageOf(error) };
      } catch (unreadable) {
        if (signal.aborted) throw unreadable;
        await this.#clock.sleep(backoffDelay(reread, attempt), signal);
      }
    }
  }

  async #provideVolumes(namespace: string, names: readonly string[], node: string, signal: AbortSignal): Promise<void> {
    const claims = this.#informers.for(persistentVolumeClaims);
    const isBound = (name: string): boolean => {
      const claim = claims.get(`${namespace}/${name}`);
      return (claim?.spec.volumeName ?? '') !== '' && claim?.status?.phase === 'Bound';
    };
    const unbound = names.filter((name) => !isBound(name));
    if (unbound.length === 0) return;
    await Promise.all(
      unbound.map(async (name) => {
        if (chosenNodeOf(claims.get(`${namespace}/${name}`)) === node) return;
        await this.#client.patch(persistentVolumeClaims, { namespace, name }, 'merge', {
          metadata: { annotations: { [selectedNodeAnnotation]: node } },
        });
      }),
    );
    const timeout = new AbortController();
    const timer = this.#clock.schedule(volumeLimit, () => timeout.abort());
    try {
      await claims.until(() => unbound.every(isBound), AbortSignal.any([signal, timeout.signal]));
    } catch (error) {
      if (signal.aborted) throw error;
      const late = unbound.filter((name) => !isBound(name)).join(', ');
      throw new StatusError('Timeout', `timed out waiting for the volume of claim ${late} on node ${node}`);
    } finally {
      timer.cancel();
    }
  }
}
