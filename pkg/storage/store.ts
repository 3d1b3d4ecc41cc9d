/**
 * How the verbs write objects: create, change and delete one object at a time, each a compare-and-set over the backend.
 * Invariant: nothing is changed on the strength of a stale read; an update that changes nothing writes nothing; a lost reply is
 * settled by reading back. Reads of lists and watches are the `WatchCache`'s; admission and validation are the caller's.
 * All errors towards users are `StatusError`s.
 */
import { deepEqual } from '#api/equality';
import type { KubernetesObject } from '#api/object';
import { groupResourceOf } from '#api/object';
import { StatusError } from '#base/errors';
import {
  type Backend,
  ClosedError,
  type CommitResult,
  type Compare,
  type Op,
  OutcomeUnknownError,
  type Revision,
  type StoredValue,
  StoreFullError,
} from './backend.ts';
import type { CachedObject } from './cached-object.ts';
import { detailsOf, type GroupResource, internalPrefix, itemKey, type ObjectName, objectKey } from './keys.ts';
import { spliceRevision } from './values.ts';
import type { WatchCache } from './watch-cache.ts';

/**
 * What else must hold, and what else is written, in the same commit as the object: a leader's Lease, an address that is
 * reserved. Ops are on internal keys (`internalKey`) alone.
 */
export interface Extra {
  readonly compare?: readonly Compare[];
  readonly ops?: readonly Op[];
}

/** A compare of an `Extra` did not hold: nothing was written. The caller knows what its keys mean, and what to tell or try. */
export class ExtraCompareError extends Error {
  override readonly name = 'ExtraCompareError';
  /** What is there, for each of the Extra's compares. */
  readonly current: readonly (StoredValue | undefined)[];
  constructor(keys: readonly string[], current: readonly (StoredValue | undefined)[]) {
    super(`nothing was written, because this is no longer as it was: ${keys.join(', ')}`);
    this.current = current;
  }
}

/** What the object must be for a write to go on; else Conflict, in Kubernetes' words. */
export interface Preconditions {
  readonly uid?: string | undefined;
  readonly resourceVersion?: string | undefined;
}

/**
 * What an update's `change` makes of the object: its whole new content (an object that is the current one, or equal to it,
 * writes nothing), or the decision to remove it.
 */
export type Change = { readonly object: KubernetesObject; readonly extra?: Extra } | { readonly remove: true; readonly extra?: Extra };

/** Given the object as it is (frozen; a copy must be changed). May be called several times, each time with what is there then; throws to refuse. */
export type Changer = (current: CachedObject) => Change | Promise<Change>;

export interface UpdateResult {
  /** The object after the write; when it was removed, its last content with the deletion's resourceVersion. */
  readonly object: CachedObject;
  /** The object on which the change was made. */
  readonly previous: CachedObject;
  readonly outcome: 'written' | 'unchanged' | 'removed';
}

/** How often an update tries again when others keep writing the same object. */
const maximumAttempts = 32;

export class Store {
  readonly backend: Backend;
  readonly cache: WatchCache;
  readonly #fence: Compare | undefined;

  constructor(backend: Backend, cache: WatchCache, fence?: Compare) {
    this.backend = backend;
    this.cache = cache;
    this.#fence = fence;
  }

  /** The same store for one who may write only as long as this holds: a leader. Each write after it no longer does throws `StatusError` ServiceUnavailable, and is not done. */
  fenced(fence: Compare): Store {
    return new Store(this.backend, this.cache, fence);
  }

  /** The object as of every acknowledged write. Throws `StatusError` NotFound. */
  async get(resource: GroupResource, name: ObjectName): Promise<CachedObject> {
    const found = await this.cache.resource(resource).get(name);
    if (found === undefined) throw notFound(resource, name);
    return found;
  }

  /**
   * Writes a new object; its resourceVersion is left out and given anew. Throws `StatusError` AlreadyExists, RequestEntityTooLarge,
   * ServiceUnavailable (nothing was written), `ExtraCompareError`.
   */
  async create(resource: GroupResource, name: ObjectName, object: KubernetesObject, extra: Extra = {}): Promise<CachedObject> {
    const key = objectKey(resource, name);
    const value = this.cache.decoder.encode(object);
    for (let attempt = 0; attempt < maximumAttempts; attempt++) {
      const written = await this.#write(key, 0, { type: 'put', key, value }, extra);
      if (written.type === 'retry') continue;
      if (written.type === 'conflict') throw alreadyExists(resource, name);
      return this.cache.decoder.decode(itemKey(name), value, written.revision);
    }
    throw contention(resource, name);
  }

  /**
   * Changes (or removes) an existing object: `change` is called with the current content, and again when somebody else wrote
   * in between, unless a precondition names the resourceVersion (then Conflict). Throws `StatusError` NotFound, Conflict,
   * RequestEntityTooLarge, ServiceUnavailable, `ExtraCompareError`, and whatever `change` throws on the newest content.
   */
  async update(resource: GroupResource, name: ObjectName, change: Changer, preconditions: Preconditions = {}): Promise<UpdateResult> {
    const key = objectKey(resource, name);
    const cache = this.cache.resource(resource);
    // Mostly right, and free; whatever is decided on it without a compare (a refusal, no change) is decided again on a sure read.
    await this.cache.ready();
    let current = cache.peek(name);
    let sure = false;
    for (let attempt = 0; attempt < maximumAttempts; attempt++) {
      if (current === undefined) {
        if (!sure) {
          current = await cache.get(name);
          sure = true;
        }
        if (current === undefined) throw notFound(resource, name);
      }
      let made: Change;
      try {
        check(resource, name, current, preconditions);
        made = await change(current);
      } catch (error) {
        if (sure) throw error;
        const newest: CachedObject | undefined = await cache.get(name);
        sure = true;
        if (newest?.revision === current.revision) throw error;
        current = newest;
        continue;
      }
      let op: Op;
      if ('remove' in made) {
        op = { type: 'delete', key };
      } else {
        const value = made.object === current.object ? undefined : this.cache.decoder.encode(made.object);
        if (value === undefined || sameContent(made.object, value, current)) {
          if (sure) return { object: current, previous: current, outcome: 'unchanged' };
          const newest: CachedObject | undefined = await cache.get(name);
          sure = true;
          if (newest?.revision === current.revision) return { object: current, previous: current, outcome: 'unchanged' };
          current = newest;
          continue;
        }
        op = { type: 'put', key, value };
      }
      const written = await this.#write(key, current.revision, op, made.extra ?? {});
      if (written.type === 'written') {
        return op.type === 'delete'
          ? { object: current.at(written.revision), previous: current, outcome: 'removed' }
          : { object: this.cache.decoder.decode(current.key, op.value, written.revision), previous: current, outcome: 'written' };
      }
      if (written.type === 'conflict') {
        current =
          written.current === undefined
            ? undefined
            : this.cache.decoder.decode(itemKey(name), written.current.value, written.current.revision);
        sure = true;
      }
    }
    throw contention(resource, name);
  }

  /** Removes an object at once (finalizers and grace are the caller's). `allow` may throw to refuse, on the newest content. Gives its last content with the deletion's resourceVersion. */
  async delete(
    resource: GroupResource,
    name: ObjectName,
    preconditions: Preconditions = {},
    allow?: (current: CachedObject) => void,
    extra?: Extra,
  ): Promise<CachedObject> {
    const result = await this.update(
      resource,
      name,
      (current) => {
        allow?.(current);
        return { remove: true, ...(extra === undefined ? {} : { extra }) };
      },
      preconditions,
    );
    return result.object;
  }

  /** One commit. `conflict`: the object is not at `expected`. `retry`: try the same again. */
  async #write(
    key: string,
    expected: Revision,
    op: Op,
    extra: Extra,
  ): Promise<{ type: 'written'; revision: Revision } | { type: 'conflict'; current: StoredValue | undefined } | { type: 'retry' }> {
    const extraCompares = extra.compare ?? [];
    for (const other of extra.ops ?? []) {
      if (!other.key.startsWith(internalPrefix))
        throw new RangeError(`a commit may hold one object only: ${other.key} cannot be written with ${key}`);
    }
    const fence = this.#fence === undefined ? [] : [this.#fence];
    let result: CommitResult;
    try {
      result = await this.backend.commit({
        compare: [{ key, revision: expected }, ...extraCompares, ...fence],
        ops: [op, ...(extra.ops ?? [])],
      });
    } catch (error) {
      if (error instanceof OutcomeUnknownError) return await this.#readBack(key, expected, op);
      throw unavailable(error);
    }
    if (result.committed) return { type: 'written', revision: result.revision };
    const [own, ...others] = result.current;
    if (this.#fence !== undefined && (others.pop()?.revision ?? 0) !== this.#fence.revision) {
      throw new StatusError('ServiceUnavailable', 'another server leads now: nothing was written');
    }
    if ((own?.revision ?? 0) !== expected) return { type: 'conflict', current: own };
    throw new ExtraCompareError(
      extraCompares.filter((compare, index) => (others[index]?.revision ?? 0) !== compare.revision).map((compare) => compare.key),
      others,
    );
  }

  /** Finds out whether a commit whose reply was lost took place. */
  async #readBack(
    key: string,
    expected: Revision,
    op: Op,
  ): Promise<{ type: 'written'; revision: Revision } | { type: 'conflict'; current: StoredValue | undefined } | { type: 'retry' }> {
    let found: Awaited<ReturnType<Backend['get']>>;
    try {
      found = await this.backend.get(key);
    } catch (error) {
      throw new StatusError(
        'Timeout',
        'it is not known whether the write took place: the store did not answer; read the object to find out',
        { cause: error },
      );
    }
    const { item, revision } = found;
    if ((item?.revision ?? 0) === expected) return { type: 'retry' };
    if (op.type === 'delete') return item === undefined ? { type: 'written', revision } : { type: 'conflict', current: item };
    if (item !== undefined && Buffer.compare(item.value, op.value) === 0) return { type: 'written', revision: item.revision };
    return { type: 'conflict', current: item };
  }
}

/** Whether the new object, and its stored form, say the same as the current one. Equal content in another order of fields has the same length. */
function sameContent(object: KubernetesObject, value: Buffer, current: CachedObject): boolean {
  const bytes = spliceRevision(value, current.revision);
  if (bytes.length !== current.bytes.length) return false;
  if (bytes.equals(current.bytes)) return true;
  const { resourceVersion } = current.object.metadata;
  return deepEqual({ ...object, metadata: { ...object.metadata, resourceVersion } }, current.object);
}

function check(resource: GroupResource, name: ObjectName, current: CachedObject, preconditions: Preconditions): void {
  const { uid, resourceVersion } = preconditions;
  const actual = uid === undefined ? undefined : current.object.metadata.uid;
  if (uid !== undefined && uid !== actual) {
    throw conflict(resource, name, `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${actual ?? ''}`);
  }
  if (resourceVersion !== undefined && resourceVersion !== String(current.revision)) {
    throw conflict(resource, name, 'the object has been modified; please apply your changes to the latest version and try again');
  }
}

export function notFound(resource: GroupResource, { name }: ObjectName): StatusError {
  return new StatusError('NotFound', `${groupResourceOf(resource)} "${name}" not found`, { details: detailsOf(resource, name) });
}

export function alreadyExists(resource: GroupResource, { name }: ObjectName): StatusError {
  return new StatusError('AlreadyExists', `${groupResourceOf(resource)} "${name}" already exists`, { details: detailsOf(resource, name) });
}

/** Kubernetes' conflict message with `why` at its end. */
export function conflict(resource: GroupResource, { name }: ObjectName, why: string): StatusError {
  return new StatusError('Conflict', `Operation cannot be fulfilled on ${groupResourceOf(resource)} "${name}": ${why}`, {
    details: detailsOf(resource, name),
  });
}

function contention(resource: GroupResource, name: ObjectName): StatusError {
  return conflict(resource, name, `the object was written by others ${maximumAttempts} times in between; please try again`);
}

/** What a user is told when the backend refuses; errors that are not the store's pass as they are. */
export function unavailable(error: unknown): unknown {
  if (error instanceof StoreFullError) {
    // With no word of when to try again: clients would, ten times and in silence, and only people make room.
    return new StatusError('ServiceUnavailable', `${error.message}; nothing was written, reads go on`, { cause: error });
  }
  if (error instanceof ClosedError)
    return new StatusError('ServiceUnavailable', 'the server is stopping; try again in a moment', { cause: error });
  return error;
}
