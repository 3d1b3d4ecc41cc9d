/** Finds a resource's objects by a value taken from them (a node's name, an owner's uid) without visiting the others. */
import type { KubernetesObject } from '#api/object';
import type { Turns } from '#base/turns';
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
/** Milliseconds of building after which others are let run. */
const slice = 2;

/** Built when it is first asked for, because for that every object must be parsed; kept up from then on. */
export class ObjectIndex {
  readonly indexer: Indexer;
  readonly #byValue = new Map<string, Map<string, CachedObject>>();
  readonly #valuesOf = new Map<string, readonly string[]>();
  #building: Promise<void> | undefined;
  /** What changed while it is built, and needs no more to be looked at; undefined when it is not being built. */
  #changed: Set<string> | undefined;
  #built = false;

  constructor(indexer: Indexer) {
    this.indexer = indexer;
  }

  /** Resolves when the index has all objects; `present` gives those there are now, standing still. */
  build(present: () => Iterable<CachedObject>, turns: Turns): Promise<void> {
    this.#building ??= this.#build(present(), turns);
    return this.#building;
  }

  /** The objects under a value, by key, in no order. Only when it has been built. */
  find(value: string): ReadonlyMap<string, CachedObject> {
    if (!this.#built) throw new Error(`the index ${this.indexer.name} is not built yet`);
    return this.#byValue.get(value) ?? none;
  }

  /** Takes note of an object's newest content (undefined: deleted). */
  update(key: string, current: CachedObject | undefined): void {
    if (this.#building === undefined) return;
    this.#changed?.add(key);
    this.#put(key, current);
  }

  async #build(present: Iterable<CachedObject>, turns: Turns): Promise<void> {
    const changed = new Set<string>();
    this.#changed = changed;
    // The first slice, too, comes when others have had their turn.
    await turns.next();
    let since = performance.now();
    let seen = 0;
    for (const object of present) {
      if (!changed.has(object.key)) this.#put(object.key, object);
      if (++seen % 16 !== 0 || performance.now() - since < slice) continue;
      await turns.next();
      since = performance.now();
    }
    this.#changed = undefined;
    this.#built = true;
  }

  #put(key: string, current: CachedObject | undefined): void {
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
  }
}

/** The indexers that are for this resource. */
export function indexersFor(indexers: readonly Indexer[], resource: string): readonly Indexer[] {
  return indexers.filter((indexer) => indexer.resource === undefined || resourceId(indexer.resource) === resource);
}
