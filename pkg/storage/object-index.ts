/** Finds a resource's objects by a value taken from them (a node's name, an owner's uid) without visiting the others. */
import type { KubernetesObject } from '#api/object';
import type { CachedObject } from './cached-object.ts';
import { type GroupResource, resourceId } from './keys.ts';

/** A way to find objects; the server's wiring lists them, since only it knows kinds. */
export interface Indexer {
  readonly name: string;
  /** Which resource it is for; all unless given. */
  readonly resource?: GroupResource;
  /** The values under which the object is found; pure, and never throws. */
  values(object: KubernetesObject): readonly string[];
}

/** Names the objects to which `values` of the indexer gives this value. */
export interface IndexQuery {
  readonly name: string;
  readonly value: string;
}

const none: ReadonlyMap<string, CachedObject> = new Map();

export class ObjectIndex {
  readonly indexer: Indexer;
  readonly #byValue = new Map<string, Map<string, CachedObject>>();
  readonly #valuesOf = new Map<string, readonly string[]>();

  constructor(indexer: Indexer) {
    this.indexer = indexer;
  }

  /** The objects under a value, by key, in no order. */
  find(value: string): ReadonlyMap<string, CachedObject> {
    return this.#byValue.get(value) ?? none;
  }

  /** Takes note of an object's newest content (undefined: deleted); gives the values before and now. */
  update(key: string, current: CachedObject | undefined): ReadonlySet<string> {
    const before = this.#valuesOf.get(key) ?? [];
    const now = current === undefined ? [] : this.indexer.values(current.object);
    for (const value of before) {
      if (now.includes(value)) continue;
      const found = this.#byValue.get(value);
      found?.delete(key);
      if (found?.size === 0) this.#byValue.delete(value);
    }
    if (current !== undefined) {
      for (const value of now) {
        const found = this.#byValue.get(value);
        if (found === undefined) this.#byValue.set(value, new Map([[key, current]]));
        else found.set(key, current);
      }
    }
    if (now.length === 0) this.#valuesOf.delete(key);
    else this.#valuesOf.set(key, now);
    return new Set([...before, ...now]);
  }
}

/** The indexers that are for this resource. */
export function indexersFor(indexers: readonly Indexer[], resource: string): readonly Indexer[] {
  return indexers.filter((indexer) => indexer.resource === undefined || resourceId(indexer.resource) === resource);
}
