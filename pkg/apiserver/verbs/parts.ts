/** What every verb works with, and the few moves that all of them make first. */
import type { Clock } from '#base/clock';
import type { ApiRequest, WatchRequest } from '#client/transport';
import type { Indexer } from '#storage/object-index';
import type { Store } from '#storage/store';
import type { AdmissionChain } from '../admission/admission.ts';
import { type Authorizer, mustBeAllowed } from '../authorization/authorizer.ts';
import type { RequestContext } from '../request-context.ts';
import type { ServedResources } from './served-resource.ts';

export type CreateRequest = Extract<ApiRequest, { verb: 'create' }>;

export interface VerbParts {
  readonly store: Store;
  readonly resources: ServedResources;
  readonly admission: AdmissionChain;
  readonly authorizers: readonly Authorizer[];
  readonly clock: Clock;
  /** In [0, 1); for generated names. */
  readonly random: () => number;
  /** The indexes that the cache keeps; those that are named like a field selector's path serve it. */
  readonly indexers: readonly Indexer[];
  readonly observer: VerbObserver;
}

/** Told what happens inside the verbs, for metrics. */
export interface VerbObserver {
  watchStarted(resource: string): void;
  watchEnded(resource: string): void;
  /** A watch was ended because its consumer was too slow. */
  watchDropped(resource: string): void;
}

/** Throws Forbidden unless the user may do what the request asks. */
export function authorize(parts: VerbParts, context: RequestContext, request: ApiRequest | WatchRequest): Promise<void> | undefined {
  const { resource, verb } = request;
  const name = 'name' in request ? request.name : undefined;
  const subresource = 'subresource' in request ? request.subresource : undefined;
  const selector = 'options' in request && 'fieldSelector' in request.options ? request.options.fieldSelector : undefined;
  return mustBeAllowed(parts.authorizers, {
    user: context.user,
    verb,
    group: resource.group,
    version: resource.version,
    resource: resource.plural,
    ...(subresource === undefined ? {} : { subresource }),
    ...(request.namespace === undefined ? {} : { namespace: request.namespace }),
    ...(name === undefined ? {} : { name }),
    ...(selector === undefined ? {} : { fieldSelector: selector }),
  });
}
