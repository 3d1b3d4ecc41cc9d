/**
 * JSON patch, RFC 6902. What an operation changes is copied once per patch, the rest is shared with the target: ten thousand operations on a large
 * object cost little more than what they change.
 */
import { deepEqual } from '#api/equality';
import { StatusError } from '#base/errors';
import { indexIn, parsePointer } from './json-pointer.ts';
import { isJsonObject, type JsonObject, type JsonValue, type MutableJsonObject, ownValue, setOwn } from './json-value.ts';
import { malformedPatch, unprocessablePatch } from './patch-errors.ts';

/** Kubernetes' bound on the operations of one patch. */
export const maximumOperations = 10_000;
/** Kubernetes' bound on what the `copy` operations of one patch may copy together, in bytes of JSON. */
export const maximumCopiedBytes = 3 * 1024 * 1024;
/** How many places elements of lists may be moved by one patch, all together: what adding at the head of a long list costs. */
export const maximumShifts = 50_000_000;

interface Operation {
  readonly op: string;
  readonly path: string;
  readonly from: string;
  readonly value: JsonValue;
}

/**
 * The target is not changed, and the result shares with both. Throws BadRequest for a malformed patch, RequestEntityTooLarge past a bound, and Invalid
 * when an operation cannot be applied (a path that is not there, a `test` that fails).
 */
export function applyJsonPatch(target: JsonValue, patch: JsonValue): JsonValue {
  if (!Array.isArray(patch)) throw malformedPatch('a JSON patch must be a list of operations');
  if (patch.length > maximumOperations) {
    throw tooLarge(`The allowed maximum operations in a JSON patch is ${maximumOperations}, got ${patch.length}`);
  }
  const operations = patch.map((operation: JsonValue, index) => asOperation(operation, index));
  const document = new PatchedDocument(target);
  for (const operation of operations) {
    try {
      document.apply(operation);
    } catch (error) {
      if (!(error instanceof DoesNotApply)) throw error;
      const { op, path } = operation;
      const short = clip(path);
      throw unprocessablePatch(op === 'test' ? `testing path ${short} failed` : `${op} operation does not apply: ${error.message}`, short);
    }
  }
  return document.root;
}

/** An operation that does not fit the document. */
class DoesNotApply extends Error {}

/** Where a value stands: in `container`, under `key`. */
interface Place {
  readonly container: JsonObject | readonly JsonValue[];
  readonly key: string;
}

class PatchedDocument {
  root: JsonValue;
  /** Objects and lists that only this patch holds, and so may change. */
  readonly #own = new WeakSet<object>();
  #copied = 0;
  #shifts = 0;

  constructor(root: JsonValue) {
    this.root = root;
  }

  apply({ op, path, from, value }: Operation): void {
    switch (op) {
      case 'add':
        this.#add(path, value);
        return;
      case 'remove':
        this.#remove(path);
        return;
      case 'replace':
        this.#replace(path, value);
        return;
      case 'move': {
        const moved = this.#valueAt(from);
        if (path === from) return;
        if (path.startsWith(`${from}/`)) throw new DoesNotApply(`cannot move ${clip(from)} into itself`);
        if (from !== '') this.#remove(from);
        this.#add(path, moved);
        return;
      }
      case 'copy': {
        const source = this.#valueAt(from);
        const text = JSON.stringify(source);
        this.#copied += text.length;
        if (this.#copied > maximumCopiedBytes) {
          throw tooLarge(`the copy operations of a JSON patch may copy at most ${maximumCopiedBytes} bytes`);
        }
        // Not shared: a later operation may change one of the two.
        this.#add(path, typeof source === 'object' ? (JSON.parse(text) as JsonValue) : source);
        return;
      }
      default:
        if (!deepEqual(value, this.#valueAt(path, true))) throw new DoesNotApply('');
    }
  }

  #add(path: string, value: JsonValue): void {
    if (path === '') {
      this.root = value;
      return;
    }
    const { container, key } = this.#placeToChange(path);
    if (!Array.isArray(container)) {
      setOwn(container as MutableJsonObject, key, value);
      return;
    }
    const index = key === '-' ? container.length : indexIn(container.length + 1, key);
    if (index === undefined) throw new DoesNotApply(`${clip(path)}: there is no such place in a list of ${container.length}`);
    this.#shift(container.length - index);
    container.splice(index, 0, value);
  }

  #remove(path: string): void {
    if (path === '') {
      this.root = null;
      return;
    }
    const { container, key } = this.#placeToChange(path);
    if (!Array.isArray(container)) {
      if (!Object.hasOwn(container, key)) throw missing(path);
      delete (container as MutableJsonObject)[key];
      return;
    }
    const index = indexIn(container.length, key);
    if (index === undefined) throw missing(path);
    this.#shift(container.length - index);
    container.splice(index, 1);
  }

  #replace(path: string, value: JsonValue): void {
    if (path === '') {
      this.root = value;
      return;
    }
    const { container, key } = this.#placeToChange(path);
    if (!Array.isArray(container)) {
      if (!Object.hasOwn(container, key)) throw missing(path);
      setOwn(container as MutableJsonObject, key, value);
      return;
    }
    const index = indexIn(container.length, key);
    if (index === undefined) throw missing(path);
    container[index] = value;
  }

  /** `orNull`: of a member that is not there, in an object that is. */
  #valueAt(path: string, orNull = false): JsonValue {
    const keys = keysOf(path);
    let value = this.root;
    for (const [depth, key] of keys.entries()) {
      const next = childOf(value, key);
      if (next === undefined) {
        if (orNull && depth === keys.length - 1 && isJsonObject(value)) return null;
        throw missing(path);
      }
      value = next;
    }
    return value;
  }

  /** The place that a path names; all on the way to it has become this patch's own. */
  #placeToChange(path: string): Place {
    const keys = keysOf(path);
    const last = keys.pop() ?? '';
    this.root = this.#owned(this.root);
    let container = this.root;
    for (const key of keys) {
      const child = childOf(container, key);
      if (child === undefined) throw missing(path);
      const own = this.#owned(child);
      if (own !== child) {
        if (Array.isArray(container)) container[indexIn(container.length, key) ?? 0] = own;
        else setOwn(container as MutableJsonObject, key, own);
      }
      container = own;
    }
    if (typeof container !== 'object' || container === null) throw missing(path);
    return { container, key: last };
  }

  #owned(value: JsonValue): JsonValue {
    if (typeof value !== 'object' || value === null || this.#own.has(value)) return value;
    const copy: JsonValue = Array.isArray(value) ? [...(value as JsonValue[])] : { ...(value as JsonObject) };
    this.#own.add(copy);
    return copy;
  }

  #shift(places: number): void {
    this.#shifts += places;
    if (this.#shifts > maximumShifts) {
      throw tooLarge('a JSON patch adds to and removes from the front of a long list too often: replace the list as a whole');
    }
  }
}

function keysOf(path: string): string[] {
  const keys = parsePointer(path);
  if (keys === undefined) throw new DoesNotApply(`${JSON.stringify(clip(path))} is no JSON pointer: it must begin with /`);
  if (keys.includes('__proto__')) throw new DoesNotApply(`${clip(path)}: the key "__proto__" is not allowed`);
  return keys;
}

function childOf(value: JsonValue, key: string): JsonValue | undefined {
  if (Array.isArray(value)) {
    const index = indexIn(value.length, key);
    return index === undefined ? undefined : (value[index] as JsonValue);
  }
  return isJsonObject(value) ? ownValue(value, key) : undefined;
}

function asOperation(operation: JsonValue, index: number): Operation {
  if (!isJsonObject(operation)) throw malformedPatch(`JSON patch operation ${index}: must be an object`);
  const { op, path, from = '', value = null } = operation;
  if (typeof op !== 'string' || !names.has(op)) {
    throw malformedPatch(`JSON patch operation ${index}: op must be one of add, remove, replace, move, copy, test`);
  }
  if (typeof path !== 'string') throw malformedPatch(`JSON patch operation ${index}: path must be a string`);
  if ((op === 'move' || op === 'copy') && typeof operation.from !== 'string') {
    throw malformedPatch(`JSON patch operation ${index}: ${op} needs from, a string`);
  }
  if ((op === 'add' || op === 'replace' || op === 'test') && operation.value === undefined) {
    throw malformedPatch(`JSON patch operation ${index}: ${op} needs a value`);
  }
  return { op, path, from: typeof from === 'string' ? from : '', value };
}

const names = new Set(['add', 'remove', 'replace', 'move', 'copy', 'test']);

function missing(path: string): DoesNotApply {
  return new DoesNotApply(`${clip(path)}: there is no such path`);
}

function tooLarge(why: string): StatusError {
  return new StatusError('RequestEntityTooLarge', `Request entity is too large: ${why}`);
}

function clip(path: string): string {
  return path.length > 200 ? `${path.slice(0, 200)}…` : path;
}
