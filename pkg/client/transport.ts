/**
 * One request to the API, as plain data. The verbs (apiserver) take it with a RequestContext; the HTTP face parses it
 * out of a request, the HTTP transport writes it into one, and a local transport hands it over as it is.
 */
import type { KubernetesObject, ResourceType } from '#api/object';

export type PatchType = 'json' | 'merge' | 'strategic' | 'apply';
export type PropagationPolicy = 'Orphan' | 'Background' | 'Foreground';
export type FieldValidation = 'Ignore' | 'Warn' | 'Strict';

export interface Target {
  readonly resource: ResourceType;
  /** Absent: cluster-scoped, or all namespaces (list, watch). */
  readonly namespace?: string;
}

export interface NamedTarget extends Target {
  readonly name: string;
  /** `status`, `scale`, `binding`, `eviction`, …; absent: the object itself. */
  readonly subresource?: string;
}

export interface WriteOptions {
  readonly dryRun?: boolean;
  readonly fieldManager?: string;
  readonly fieldValidation?: FieldValidation;
}

export interface ListOptions {
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  readonly limit?: number;
  readonly continue?: string;
  readonly resourceVersion?: string;
  readonly resourceVersionMatch?: ResourceVersionMatch;
  /** Only for watches: a list that has it is refused. */
  readonly sendInitialEvents?: boolean;
}

/** How a read's resourceVersion is meant. Others than these are refused, by the verbs. */
export type ResourceVersionMatch = 'Exact' | 'NotOlderThan' | (string & {});

export interface WatchOptions {
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  /** Only changes after it; absent or `0`: the present objects as ADDED first. */
  readonly resourceVersion?: string;
  readonly resourceVersionMatch?: ResourceVersionMatch;
  readonly sendInitialEvents?: boolean;
  /** Has no meaning for a watch, but does not go with `resourceVersionMatch`. */
  readonly continue?: string;
  readonly allowWatchBookmarks?: boolean;
  readonly timeoutSeconds?: number;
}

export interface DeleteOptions {
  readonly gracePeriodSeconds?: number;
  readonly propagationPolicy?: PropagationPolicy;
  readonly preconditions?: { readonly uid?: string; readonly resourceVersion?: string };
  readonly dryRun?: boolean;
}

export type ApiRequest =
  | ({ readonly verb: 'get'; readonly resourceVersion?: string } & NamedTarget)
  | ({ readonly verb: 'list'; readonly options: ListOptions } & Target)
  | ({
      readonly verb: 'create';
      readonly object: object;
      readonly name?: string;
      readonly subresource?: string;
      readonly options: WriteOptions;
    } & Target)
  | ({ readonly verb: 'update'; readonly object: object; readonly options: WriteOptions } & NamedTarget)
  | ({
      readonly verb: 'patch';
      readonly patchType: PatchType;
      readonly patch: unknown;
      readonly options: WriteOptions & { readonly force?: boolean };
    } & NamedTarget)
  | ({ readonly verb: 'delete'; readonly options: DeleteOptions } & NamedTarget)
  | ({ readonly verb: 'deletecollection'; readonly options: DeleteOptions & ListOptions } & Target);

export type WatchRequest = { readonly verb: 'watch'; readonly options: WatchOptions } & Target;

export type WatchEvent<T extends KubernetesObject = KubernetesObject> =
  | { readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'; readonly object: T }
  /** All up to `object.metadata.resourceVersion` has been given; nothing else of the object is set but its annotations. */
  | { readonly type: 'BOOKMARK'; readonly object: T };

export interface Transport {
  /** The object, list or Status that the server answered. Throws `StatusError`; rejects with the signal's reason when aborted. */
  send(request: ApiRequest, signal?: AbortSignal): Promise<object>;
  /**
   * Events until the signal aborts or the server ends the watch (both return). An ERROR event is thrown as a
   * `StatusError` (`Expired` when the revision is too old: list again).
   */
  watch(request: WatchRequest, signal: AbortSignal): AsyncIterable<WatchEvent>;
}
