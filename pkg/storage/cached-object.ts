/**
 * One object at one revision, as everybody who reads it shares it: its JSON once, and the frozen object parsed from it when
 * first asked for. Invariant: neither the bytes nor the object ever change.
 */
import type { KubernetesObject } from '#api/object';
import type { Revision } from './backend.ts';
import { parseItemKey } from './keys.ts';
import { type Allocate, encodeJson, replaceRevision, spliceRevision, storable } from './values.ts';

export class CachedObject {
  /** `namespace/name` or `name`, encoded as in the store: the order of lists. */
  readonly key: string;
  readonly revision: Revision;
  /** The object's JSON in its stored version, `metadata.resourceVersion` included. Shared: never change it. */
  readonly bytes: Buffer;
  // Weak, so that a hundred thousand objects that nobody looks at cost their bytes alone.
  #object: WeakRef<KubernetesObject> | undefined;

  /** `object`: what parsing the bytes would give, deeply frozen, where that is at hand. */
  constructor(key: string, revision: Revision, bytes: Buffer, object?: KubernetesObject) {
    this.key = key;
    this.revision = revision;
    this.bytes = bytes;
    if (object !== undefined) this.#object = new WeakRef(object);
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
 * sees the write come back from an embedded store) gets the same one, so that an object is encoded once, and what was encoded
 * here is not parsed again.
 */
export class ObjectDecoder {
  /** What is known of a value: the object that was encoded as it, then what was made of it when it was decoded. */
  readonly #known = new WeakMap<Uint8Array, CachedObject | KubernetesObject>();

  /** Like `encodeObject`; when the value is decoded, the object becomes the cache's and is frozen. */
  encode(object: KubernetesObject): Buffer {
    const form = storable(object);
    const value = encodeJson(form);
    this.#known.set(value, form);
    return value;
  }

  decode(key: string, value: Uint8Array, revision: Revision): CachedObject {
    const known = this.#known.get(value);
    let object: KubernetesObject | undefined;
    if (known instanceof CachedObject) {
      if (known.revision === revision && known.key === key) return known;
    } else if (known !== undefined) {
      object = storedObject(known, revision);
    }
    const made = new CachedObject(key, revision, spliceRevision(value, revision), object);
    this.#known.set(value, made);
    return made;
  }
}

/** A stored value that nobody has at hand yet, as one of many that are loaded. */
export function loadObject(key: string, value: Uint8Array, revision: Revision, allocate: Allocate): CachedObject {
  return new CachedObject(key, revision, spliceRevision(value, revision, allocate));
}

/** What parsing the stored form under this revision would give, frozen; undefined where its JSON would be read as something else. Uses the form up. */
function storedObject(form: KubernetesObject, revision: Revision): KubernetesObject | undefined {
  form.metadata.resourceVersion = String(revision);
  return freezeJson(form) ? form : undefined;
}

/** Freezes plain JSON data all the way down, and returns it. */
export function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const member of Object.values(value)) deepFreeze(member);
  }
  return value;
}

/** Freezes the value all the way down (what is frozen already is so), and says whether it is as its own JSON would be read: no `undefined`, nothing but plain data. */
function freezeJson(value: unknown): boolean {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return true;
    case 'number':
      return Number.isFinite(value);
    case 'object': {
      if (value === null || Object.isFrozen(value)) return true;
      const prototype: unknown = Object.getPrototypeOf(value);
      Object.freeze(value);
      if (Array.isArray(value)) {
        let plain = true;
        for (const item of value) plain = freezeJson(item) && plain;
        return plain;
      }
      let plain = prototype === Object.prototype;
      for (const key in value) plain = freezeJson((value as Record<string, unknown>)[key]) && plain;
      return plain;
    }
    default:
      return false;
  }
}
