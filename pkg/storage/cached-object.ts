/**
 * One object at one revision, as everybody who reads it shares it: its JSON once, and the frozen object parsed from it when
 * first asked for. Invariant: neither the bytes nor the object ever change.
 */
import type { KubernetesObject } from '#api/object';
import type { Revision } from './backend.ts';
import { parseItemKey } from './keys.ts';
import { replaceRevision, spliceRevision } from './values.ts';

export class CachedObject {
  /** `namespace/name` or `name`, encoded as in the store: the order of lists. */
  readonly key: string;
  readonly revision: Revision;
  /** The object's JSON in its stored version, `metadata.resourceVersion` included. Shared: never change it. */
  readonly bytes: Buffer;
  // Weak, so that a hundred thousand objects that nobody looks at cost their bytes alone.
  #object: WeakRef<KubernetesObject> | undefined;

  constructor(key: string, revision: Revision, bytes: Buffer) {
    this.key = key;
    this.revision = revision;
    this.bytes = bytes;
  }

  /** The object, deeply frozen, in its stored version; parsed when first needed and shared by all who hold it. */
  get object(): KubernetesObject {
    const known = this.#object?.deref();
    if (known !== undefined) return known;
    const object = deepFreeze(JSON.parse(this.bytes.toString('utf8')) as KubernetesObject);
    this.#object = new WeakRef(object);
    return object;
  }

  get namespace(): string | undefined {
    return parseItemKey(this.key).namespace;
  }

  get name(): string {
    return parseItemKey(this.key).name;
  }

  /** The same content under a later revision. */
  at(revision: Revision): CachedObject {
    return new CachedObject(this.key, revision, replaceRevision(this.bytes, revision));
  }
}

/**
 * Makes the one CachedObject of a stored value: whoever asks again with the same `Uint8Array` (the writer, and the cache that
 * sees the write come back from an embedded store) gets the same one, so that an object is encoded once.
 */
export class ObjectDecoder {
  readonly #known = new WeakMap<Uint8Array, CachedObject>();

  decode(key: string, value: Uint8Array, revision: Revision): CachedObject {
    const known = this.#known.get(value);
    if (known !== undefined && known.revision === revision && known.key === key) return known;
    const made = new CachedObject(key, revision, spliceRevision(value, revision));
    this.#known.set(value, made);
    return made;
  }
}

/** Freezes plain JSON data all the way down, and returns it. */
export function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const member of Object.values(value)) deepFreeze(member);
  }
  return value;
}
