/**
 * Strategic merge patch: a merge patch that knows, from the table of types, which lists merge by key, and that carries
 * directives (`$patch`, `$retainKeys`, `$setElementOrder/…`, `$deleteFromPrimitiveList/…`). The rules are those of
 * Kubernetes' `strategic-merge-patch.md`. Neither argument is changed; what the patch does not touch is shared with the result.
 */
import { isJsonList, isJsonObject, type JsonObject, type JsonValue, type MutableJsonObject, ownValue, setOwn } from './json-value.ts';
import { type ListPatch, mergeList, orderList } from './merge-list.ts';
import { malformedPatch, unprocessablePatch } from './patch-errors.ts';

export type PatchStrategy = 'merge' | 'replace' | 'retainKeys';

/** What strategic merge must know of one field. */
export interface FieldRules {
  readonly strategies: readonly PatchStrategy[];
  /** For a list of objects that merges: the field that tells its elements apart. */
  readonly mergeKey?: string;
  /** The rules of the fields below (of the object, or of the list's elements); absent: all below merge plainly, lists replace. */
  readonly below?: TypeRules;
}

/** The rules of a type's fields; undefined for a field that the type does not have. */
export interface TypeRules {
  field(name: string): FieldRules | undefined;
}

const patchDirective = '$patch';
const retainKeysDirective = '$retainKeys';
const orderPrefix = '$setElementOrder/';
const deletePrefix = '$deleteFromPrimitiveList/';

const plain: FieldRules = { strategies: [] };

/** Throws BadRequest for a malformed patch and Invalid for one that does not fit the object. */
export function applyStrategicMerge(original: JsonObject, patch: JsonValue, rules: TypeRules): JsonObject {
  if (!isJsonObject(patch)) throw malformedPatch('a strategic merge patch must be an object');
  return mergeObject(original, patch, rules);
}

function mergeObject(original: JsonObject, patch: JsonObject, rules: TypeRules | undefined): JsonObject {
  const directive = ownValue(patch, patchDirective);
  if (directive !== undefined) {
    if (directive === 'replace') return withoutDirectives(withoutKey(patch, patchDirective)) as JsonObject;
    if (directive === 'delete') return {};
    throw malformedPatch(`unknown patch type: ${JSON.stringify(directive)} in an object; $patch must be replace or delete`);
  }
  const result: MutableJsonObject = { ...original };
  retainKeys(result, patch);
  const ordered = mergeOrderedLists(result, patch, rules);
  for (const key of Object.keys(patch)) {
    if (key === retainKeysDirective || key.startsWith(orderPrefix) || ordered.has(key)) continue;
    const value = ownValue(patch, key) ?? null;
    if (key.startsWith(deletePrefix)) deleteFromList(result, key.slice(deletePrefix.length), value);
    else mergeField(result, key, value, rules?.field(key) ?? plain);
  }
  return result;
}

function mergeField(result: MutableJsonObject, key: string, value: JsonValue, rules: FieldRules): void {
  if (value === null) {
    delete result[key];
    return;
  }
  const current = ownValue(result, key);
  if (isJsonObject(value)) {
    if (rules.strategies.includes('replace') && isJsonObject(current)) setOwn(result, key, withoutDirectives(value));
    else if (isJsonObject(current)) setOwn(result, key, mergeObject(current, value, rules.below));
    else setOwn(result, key, withoutDirectives(value));
  } else if (isJsonList(value)) {
    setOwn(result, key, isJsonList(current) && merges(rules) ? mergeList(listPatch(current, value, rules)) : withoutDirectives(value));
  } else {
    setOwn(result, key, value);
  }
}

function merges(rules: FieldRules): boolean {
  return rules.strategies.includes('merge');
}

function listPatch(original: readonly JsonValue[], patch: readonly JsonValue[], rules: FieldRules): ListPatch {
  return {
    original,
    patch,
    mergeKey: rules.mergeKey,
    mergeElement: (element, elementPatch) => mergeObject(element, elementPatch, rules.below),
    newElement: (element) => withoutDirectives(element),
  };
}

/** Clears what `$retainKeys` does not name, and refuses a patch that sets what it does not name. */
function retainKeys(result: MutableJsonObject, patch: JsonObject): void {
  const directive = ownValue(patch, retainKeysDirective);
  if (directive === undefined) return;
  if (!isJsonList(directive)) throw malformedPatch('invalid patch format of retainKeys: must be a list of names');
  const retained = new Set(directive);
  for (const key of Object.keys(patch)) {
    if (key === retainKeysDirective || key.startsWith(orderPrefix) || key.startsWith(deletePrefix) || patch[key] === null) continue;
    if (!retained.has(key)) throw unprocessablePatch("patch content doesn't match retainKeys list", key);
  }
  for (const key of Object.keys(result)) {
    if (!retained.has(key)) delete result[key];
  }
}

/** Merges the lists that have a `$setElementOrder`, in that order; gives the keys that are done with. */
function mergeOrderedLists(result: MutableJsonObject, patch: JsonObject, rules: TypeRules | undefined): ReadonlySet<string> {
  const done = new Set<string>();
  for (const directive of Object.keys(patch)) {
    if (!directive.startsWith(orderPrefix)) continue;
    const key = directive.slice(orderPrefix.length);
    const order = ownValue(patch, directive);
    const current = ownValue(result, key);
    const change = ownValue(patch, key);
    if (!isJsonList(order)) throw malformedPatch('invalid patch format of setElementOrder list: must be a list');
    if (change === null) continue;
    if ((current !== undefined && current !== null && !isJsonList(current)) || (change !== undefined && !isJsonList(change))) {
      throw malformedPatch(`invalid patch format of setElementOrder list: ${key} is not a list`);
    }
    const fieldRules = rules?.field(key) ?? plain;
    const live = isJsonList(current) ? current : undefined;
    if (change !== undefined) mustFollow(change, order, key, fieldRules.mergeKey);
    let merged: readonly JsonValue[];
    if (live === undefined) {
      if (change === undefined) continue;
      merged = withoutDirectives(change) as readonly JsonValue[];
    } else if (change === undefined) {
      merged = live;
    } else {
      merged = merges(fieldRules) ? mergeList(listPatch(live, change, fieldRules)) : (withoutDirectives(change) as readonly JsonValue[]);
    }
    setOwn(result, key, orderList(merged, order, live ?? [], fieldRules.mergeKey));
    done.add(key);
  }
  return done;
}

/** The elements of the patch's list must stand in the order list, in the same relative order; those that are deleted need not. */
function mustFollow(change: readonly JsonValue[], order: readonly JsonValue[], key: string, mergeKey: string | undefined): void {
  const identity = (element: JsonValue): JsonValue | undefined =>
    mergeKey !== undefined && isJsonObject(element) ? ownValue(element, mergeKey) : element;
  const positions = new Map(order.map((element, index) => [identity(element), index]));
  let last = -1;
  for (const element of change) {
    if (isJsonObject(element) && ownValue(element, patchDirective) !== undefined) continue;
    const position = positions.get(identity(element));
    if (position === undefined || position < last) {
      throw malformedPatch(
        `The order in patch list: ${JSON.stringify(change)} doesn't match $setElementOrder/${key} list: ${JSON.stringify(order)}`,
      );
    }
    last = position;
  }
}

function deleteFromList(result: MutableJsonObject, key: string, value: JsonValue): void {
  if (!isJsonList(value)) throw malformedPatch('invalid patch format of primitive list: $deleteFromPrimitiveList must be a list');
  const current = ownValue(result, key);
  if (!isJsonList(current)) return;
  const removed = new Set(value);
  setOwn(
    result,
    key,
    current.filter((item) => !removed.has(item)),
  );
}

function withoutKey(object: JsonObject, key: string): JsonObject {
  const rest: MutableJsonObject = { ...object };
  delete rest[key];
  return rest;
}

/** An element that says something of the list, and is none of it. */
function isMarker(item: JsonValue): boolean {
  if (!isJsonObject(item)) return false;
  const directive = ownValue(item, patchDirective);
  return directive === 'delete' || directive === 'replace';
}

/** A value that the object did not have: taken from the patch as it is, less the directives and nulls in it. */
function withoutDirectives(value: JsonValue): JsonValue {
  if (isJsonList(value)) {
    return value.filter((item) => !isMarker(item)).map((item) => withoutDirectives(item));
  }
  if (!isJsonObject(value)) return value;
  if (ownValue(value, patchDirective) === 'delete') return {};
  const result: MutableJsonObject = {};
  for (const key of Object.keys(value)) {
    const field = ownValue(value, key) ?? null;
    const directive = key === patchDirective || key === retainKeysDirective || key.startsWith(orderPrefix) || key.startsWith(deletePrefix);
    if (!directive && field !== null) setOwn(result, key, withoutDirectives(field));
  }
  return result;
}
