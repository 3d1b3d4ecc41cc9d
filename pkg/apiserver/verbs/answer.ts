/**
 * What the verbs answer with. An object travels as a `ServedObject`, so that each face takes what it needs: the frozen
 * object, or its JSON, which for what comes from the store is the bytes that everyone shares.
 */
import type { KubernetesObject, ListMeta } from '#api/object';
import type { Status } from '#base/errors';

export interface ServedObject {
  /** Deeply frozen, in the version that was asked for. Parsed when first needed. */
  readonly object: KubernetesObject;
  /** Its JSON in UTF-8. Shared: never change it. */
  readonly bytes: Buffer;
}

export interface ServedList {
  readonly apiVersion: string;
  /** `PodList`. */
  readonly kind: string;
  readonly metadata: ListMeta;
  readonly items: readonly ServedObject[];
}

export type Answer =
  | {
      readonly type: 'object';
      /** 200; 201 created; 202 accepted (a deletion that goes on). */
      readonly code: 200 | 201 | 202;
      readonly object: ServedObject;
    }
  | { readonly type: 'list'; readonly list: ServedList }
  | { readonly type: 'status'; readonly code: number; readonly status: Status };

export interface ServedEvent {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK';
  readonly object: ServedObject;
}

/** An object made for this answer alone (a Scale, a review, a converted version): frozen by its maker, encoded when first needed. */
export class MadeObject implements ServedObject {
  readonly object: KubernetesObject;
  #bytes: Buffer | undefined;

  constructor(object: KubernetesObject) {
    this.object = object;
  }

  get bytes(): Buffer {
    this.#bytes ??= Buffer.from(JSON.stringify(this.object));
    return this.#bytes;
  }
}
