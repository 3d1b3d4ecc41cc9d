/**
 * The API's verbs over every kind, with no HTTP in them: authorize, decode, complete, admit, validate, store. Faces (HTTP, the local transport) turn what
 * they are given into an `ApiRequest` and an `Answer` into what they give. Nothing reaches the store but through here.
 */
import { groupResourceOf } from '#api/object';
import type { KindRegistry } from '#api/registry';
import type { Clock } from '#base/clock';
import type { ApiRequest, WatchRequest } from '#client/transport';
import type { Compare } from '#storage/backend';
import type { Indexer } from '#storage/object-index';
import type { Store } from '#storage/store';
import { AdmissionChain, type AdmissionStep } from '../admission/admission.ts';
import { type Action, type Authorizer, mustBeAllowed } from '../authorization/authorizer.ts';
import type { RequestContext } from '../request-context.ts';
import type { Answer, ServedEvent } from './answer.ts';
import { create } from './create.ts';
import { remove } from './delete.ts';
import { removeCollection } from './delete-collection.ts';
import { get } from './get.ts';
import { checkListNamespace, indexFor, list, namespaceOf } from './list.ts';
import { authorize, type VerbObserver, type VerbParts } from './parts.ts';
import { patch } from './patch.ts';
import { planWatch } from './read-options.ts';
import { ServedResources } from './served-resource.ts';
import type { SubresourceHandler } from './subresources/handler.ts';
import { subresourceHandlers } from './subresources/index.ts';
import { update } from './update.ts';
import { virtualResources } from './virtual/index.ts';
import { answerVirtual, type VirtualResource } from './virtual/virtual-resource.ts';
import { concerns, onlyOf, Translations, watchEvents } from './watch.ts';

export interface VerbsOptions {
  readonly store: Store;
  readonly registry: KindRegistry;
  /** In order; see admission/index.ts. */
  readonly admission: readonly AdmissionStep[];
  readonly authorizers: readonly Authorizer[];
  readonly clock: Clock;
  /** The same list that the store's cache was given. */
  readonly indexers?: readonly Indexer[];
  readonly random?: () => number;
  /** The server's own unless given. */
  readonly subresources?: readonly SubresourceHandler[];
  readonly virtualResources?: readonly VirtualResource[];
  readonly observer?: VerbObserver;
}

export class Verbs {
  readonly #parts: VerbParts;
  readonly #subresources: readonly SubresourceHandler[];
  readonly #translations = new Translations();
  /** What is answered and never stored. */
  readonly virtualResources: readonly VirtualResource[];

  constructor(options: VerbsOptions) {
    this.#parts = {
      store: options.store,
      resources: new ServedResources(options.registry),
      admission: new AdmissionChain(options.admission),
      authorizers: options.authorizers,
      clock: options.clock,
      random: options.random ?? Math.random,
      indexers: options.indexers ?? [],
      observer: options.observer ?? silentObserver,
    };
    this.#subresources = options.subresources ?? subresourceHandlers;
    this.virtualResources = options.virtualResources ?? virtualResources;
  }

  get registry(): KindRegistry {
    return this.#parts.resources.registry;
  }

  /** Throws `StatusError`. What is answered may be shared and is never changed. `fence`: nothing is written once it does not hold any more. */
  async send(context: RequestContext, request: ApiRequest, fence?: Compare): Promise<Answer> {
    context.signal?.throwIfAborted();
    const parts = fence === undefined ? this.#parts : { ...this.#parts, store: this.#parts.store.fenced(fence) };
    const virtual = this.virtualResources.find(({ type }) => sameResource(type, request.resource));
    if (virtual !== undefined) return await answerVirtual(virtual, parts, context, request);
    switch (request.verb) {
      case 'get':
        return await get(parts, context, request);
      case 'list':
        return await list(parts, context, request);
      case 'create':
        return await create(parts, this.#subresources, context, request);
      case 'update':
        return await update(parts, context, request);
      case 'patch':
        return await patch(parts, context, request);
      case 'delete':
        return await remove(parts, context, request);
      case 'deletecollection':
        return await removeCollection(parts, context, request);
    }
  }

  /**
   * Resolves once the watch is accepted; throws `StatusError` where it is refused. Then batches of events, none of them empty, until the signal aborts, the
   * time is up, or the consumer was too slow (all end it); the iteration throws `StatusError` Expired when the revision is too old to go on from.
   */
  async watch(context: RequestContext, request: WatchRequest, signal: AbortSignal): Promise<AsyncIterable<readonly ServedEvent[]>> {
    const parts = this.#parts;
    const resource = parts.resources.get(request.resource);
    resource.mustHave('watch');
    await authorize(parts, context, request);
    checkListNamespace(resource, request);
    const { options } = request;
    const plan = planWatch(options);
    const selection = resource.selection(options);
    const key = [groupResourceOf(resource.type), resource.type.version, options.labelSelector, options.fieldSelector].join('\0');
    const translations = this.#translations;
    return stream();

    async function* stream(): AsyncGenerator<readonly ServedEvent[]> {
      const { cache } = parts.store;
      const own = new AbortController();
      if (plan.notOlderThan > 0) await cache.reach(plan.notOlderThan);
      if (plan.after === 'now') await cache.reachNewest();
      const after = plan.after === 'now' ? cache.revision : plan.after;
      const namespace = namespaceOf(resource, request, selection);
      const source = await cache.resource(resource.stored).watch(
        {
          namespace,
          after,
          index: indexFor(parts, resource, selection),
          only: onlyOf(selection, namespace !== undefined || !resource.type.namespaced),
          ...(selection.isEverything ? {} : { filter: (event) => concerns(event, selection.matches), filterKey: key }),
        },
        AbortSignal.any([signal, own.signal]),
      );
      const name = groupResourceOf(resource.type);
      parts.observer.watchStarted(name);
      try {
        yield* watchEvents({
          source,
          resource: resource.type,
          clock: parts.clock,
          matches: selection.matches,
          key,
          translations,
          serve: (object) => resource.serve(object),
          bookmarks: options.allowWatchBookmarks === true,
          markInitialEnd: plan.markInitialEnd,
          timeout: options.timeoutSeconds === undefined ? undefined : options.timeoutSeconds * 1000,
          release: () => own.abort(),
          dropped: () => parts.observer.watchDropped(name),
        });
      } finally {
        parts.observer.watchEnded(name);
      }
    }
  }

  /** For what a face does itself (streams to nodes, paths that are no resources). Throws Forbidden unless the user may. */
  async authorize(action: Action): Promise<void> {
    await mustBeAllowed(this.#parts.authorizers, action);
  }
}

const silentObserver: VerbObserver = {
  watchStarted: () => undefined,
  watchEnded: () => undefined,
  watchDropped: () => undefined,
};

function sameResource(
  a: { group: string; version: string; plural: string },
  b: { group: string; version: string; plural: string },
): boolean {
  return a.group === b.group && a.version === b.version && a.plural === b.plural;
}
