import { isJsonObject, type JsonObject, type JsonValue, ownValue } from './json-value.ts';
import { malformedPatch, unprocessablePatch } from './patch-errors.ts';

/** A list whose strategy is `merge`, and what a strategic patch says of it. */
export interface ListPatch {
  readonly original: readonly JsonValue[];
  readonly patch: readonly JsonValue[];
  /** Tells objects apart; absent for a list of plain values. */
  readonly mergeKey: string | undefined;
  mergeElement(element: JsonObject, patch: JsonObject): JsonObject;
  newElement(element: JsonObject): JsonValue;
}

/**
 * Merges by key (objects) or as a set (plain values). The elements of the patch keep the patch's order, the others the
 * original's, and the two are interleaved as the original had them where that can be.
 */
export function mergeList(list: ListPatch): readonly JsonValue[] {
  const { original, patch, mergeKey } = list;
  if (original.length === 0 && patch.length === 0) return original;
  if ([...original, ...patch].some((item) => Array.isArray(item))) throw unprocessablePatch('lists of lists are not supported');
  if (![...original, ...patch].some((item) => isJsonObject(item))) {
    return interleave([...new Set([...original, ...patch])], patch, original, undefined);
  }
  if (mergeKey === undefined) throw malformedPatch('cannot merge lists without merge key; give the whole list with $patch: replace');
  return mergeObjects(list, mergeKey);
}

/** `merged` with the elements that `order` names in that order, and the others placed as `live` had them. */
export function orderList(
  merged: readonly JsonValue[],
  order: readonly JsonValue[],
  live: readonly JsonValue[],
  mergeKey: string | undefined,
): readonly JsonValue[] {
  return interleave(merged, order, live, mergeKey);
}

function mergeObjects(list: ListPatch, mergeKey: string): readonly JsonValue[] {
  const changes: JsonObject[] = [];
  const deleted = new Set<unknown>();
  let replace = false;
  for (const item of list.patch) {
    if (!isJsonObject(item)) throw malformedPatch(`an element of a list of objects must be an object, not ${JSON.stringify(item)}`);
    const directive = ownValue(item, '$patch');
    if (directive === undefined) {
      changes.push(item);
    } else if (directive === 'replace') {
      replace = true;
    } else if (directive === 'delete') {
      const value = ownValue(item, mergeKey);
      if (value === undefined) throw malformedPatch(`delete patch type with no merge key defined: ${mergeKey} is missing`);
      deleted.add(comparable(value));
    } else {
      throw malformedPatch(`unknown patch type: ${JSON.stringify(directive)} in a list; $patch must be replace or delete`);
    }
  }
  if (replace) return changes.map((change) => list.newElement(change));
  const keyOf = (element: JsonValue): unknown => (isJsonObject(element) ? comparable(ownValue(element, mergeKey)) : undefined);
  const original = deleted.size === 0 ? list.original : list.original.filter((element) => !deleted.has(keyOf(element)));
  const merged = [...original];
  const places = new Map<unknown, number>();
  for (const [index, element] of merged.entries()) {
    const key = keyOf(element);
    if (key !== undefined && !places.has(key)) places.set(key, index);
  }
  for (const change of changes) {
    const value = ownValue(change, mergeKey);
    if (value === undefined) throw malformedPatch(`${JSON.stringify(change)} does not contain declared merge key: ${mergeKey}`);
    const place = places.get(comparable(value));
    const present = place === undefined ? undefined : merged[place];
    if (place !== undefined && isJsonObject(present)) {
      merged[place] = list.mergeElement(present, change);
      continue;
    }
    const element = list.newElement(change);
    const key = keyOf(element);
    if (key !== undefined && !places.has(key)) places.set(key, merged.length);
    merged.push(element);
  }
  return interleave(merged, changes, original, mergeKey);
}

/**
 * Two orders into one list: elements named in `order` keep that order, the others keep `live`'s, and another's place is
 * before the first ordered element that `live` has after it.
 */
function interleave(
  merged: readonly JsonValue[],
  order: readonly JsonValue[],
  live: readonly JsonValue[],
  mergeKey: string | undefined,
): readonly JsonValue[] {
  const identity = (item: JsonValue): unknown => {
    return comparable(mergeKey !== undefined && isJsonObject(item) ? ownValue(item, mergeKey) : item);
  };
  const positions = (items: readonly JsonValue[]): Map<unknown, number> => {
    const map = new Map<unknown, number>();
    for (const [index, item] of items.entries()) {
      const id = identity(item);
      if (!map.has(id)) map.set(id, index);
    }
    return map;
  };
  const inOrder = positions(order);
  const inLive = positions(live);
  const byOrder = (places: Map<unknown, number>) => (left: JsonValue, right: JsonValue) =>
    (places.get(identity(left)) ?? Number.MAX_SAFE_INTEGER) - (places.get(identity(right)) ?? Number.MAX_SAFE_INTEGER);
  const named = merged.filter((item) => inOrder.has(identity(item))).toSorted(byOrder(inOrder));
  const others = merged.filter((item) => !inOrder.has(identity(item))).toSorted(byOrder(inLive));
  const result: JsonValue[] = [];
  let next = 0;
  for (const item of named) {
    const place = inLive.get(identity(item));
    for (; next < others.length; next++) {
      const other = others[next] ?? null;
      const otherPlace = inLive.get(identity(other));
      if (place === undefined || otherPlace === undefined || otherPlace >= place) break;
      result.push(other);
    }
    result.push(item);
  }
  return [...result, ...others.slice(next)];
}

/** Equal values as equal keys of a map; an object by its JSON. */
function comparable(value: JsonValue | undefined): unknown {
  return typeof value === 'object' && value !== null ? `json:${JSON.stringify(value)}` : value;
}
