/**
 * The patch that `apply` sends: what the manifest says and the stored object does not, and what the last applied manifest said and
 * this one no longer does. Fields that neither names are left to others. Pure. The strategic form follows `strategic-merge-patch.md`
 * of kubernetes/community; kinds that have no merge keys get a JSON merge patch (RFC 7386).
 */
import { deepEqual } from '#api/equality';
import { type FieldDescription, typeTable } from '#api/schema/type-table';

type Json = unknown;
type JsonObject = Record<string, Json>;

export const lastAppliedAnnotation = 'kubectl.kubernetes.io/last-applied-configuration';

/** Undefined: nothing to change. `typeName` (`core.v1.Pod`) is undefined for kinds without a table, which gives a JSON merge patch. */
export function computeApplyPatch(
  typeName: string | undefined,
  original: JsonObject | undefined,
  modified: JsonObject,
  current: JsonObject,
): JsonObject | undefined {
  const patch = diffObjects(typeName, original ?? {}, modified, current);
  return Object.keys(patch).length === 0 ? undefined : patch;
}

function fieldOf(typeName: string | undefined, name: string): FieldDescription | undefined {
  return typeName === undefined ? undefined : typeTable.find(typeName)?.fields.find((field) => field.name === name);
}

function diffObjects(typeName: string | undefined, original: JsonObject, modified: JsonObject, current: JsonObject): JsonObject {
  const patch: JsonObject = {};
  for (const [name, wanted] of Object.entries(modified)) {
    const field = fieldOf(typeName, name);
    if (wanted === null) {
      if (current[name] !== undefined && current[name] !== null) patch[name] = null;
    } else diffField(patch, name, field, original[name], wanted, current[name]);
  }
  for (const name of Object.keys(original)) {
    if (!(name in modified) && current[name] !== undefined) dropField(patch, name, fieldOf(typeName, name), original[name], current[name]);
  }
  return patch;
}

/** A field that is not in the manifest any more: gone, but for the entries of a map or of a merged list that others have put there. */
function dropField(patch: JsonObject, name: string, field: FieldDescription | undefined, original: Json, current: Json): void {
  if (field?.shape === 'map' && isObject(original) && isObject(current) && Object.keys(current).some((key) => !(key in original))) {
    diffField(patch, name, field, original, {}, current);
  } else if (field?.patchStrategy.includes('merge') && Array.isArray(original) && Array.isArray(current)) {
    const key = field.patchMergeKey;
    const keyOf = (item: Json): Json => (key === undefined ? item : isObject(item) ? item[key] : undefined);
    const isOurs = (item: Json): boolean => original.some((one) => deepEqual(keyOf(one), keyOf(item)));
    if (current.every(isOurs)) patch[name] = null;
    else diffList(patch, name, field, original, [], current);
  } else patch[name] = null;
}

function diffField(
  patch: JsonObject,
  name: string,
  field: FieldDescription | undefined,
  original: Json,
  wanted: Json,
  current: Json,
): void {
  if (isObject(wanted) && isObject(current)) {
    const inner = field !== undefined && field.shape === 'single' ? field.type : undefined;
    const nested = diffObjects(inner, isObject(original) ? original : {}, wanted, current);
    if (field?.patchStrategy.includes('retainKeys') && Object.keys(current).some((key) => !(key in wanted)))
      nested.$retainKeys = Object.keys(wanted);
    if (Object.keys(nested).length > 0) patch[name] = nested;
  } else if (Array.isArray(wanted) && Array.isArray(current) && field?.patchStrategy.includes('merge')) {
    diffList(patch, name, field, Array.isArray(original) ? original : [], wanted, current);
  } else if (!deepEqual(wanted, current)) patch[name] = wanted;
}

function diffList(patch: JsonObject, name: string, field: FieldDescription, original: Json[], wanted: Json[], current: Json[]): void {
  const key = field.patchMergeKey;
  if (key === undefined) {
    const added = wanted.filter((item) => !current.includes(item));
    const removed = original.filter((item) => !wanted.includes(item) && current.includes(item));
    if (added.length > 0) patch[name] = added;
    if (removed.length > 0) patch[`$deleteFromPrimitiveList/${name}`] = removed;
    return;
  }
  const keyOf = (item: Json): Json => (isObject(item) ? item[key] : undefined);
  const byKey = (items: Json[], value: Json): JsonObject | undefined => items.filter(isObject).find((item) => deepEqual(item[key], value));
  if (hasTwice(wanted.map(keyOf)) || hasTwice(current.map(keyOf))) {
    replaceList(patch, name, wanted, current);
    return;
  }
  const items: Json[] = [];
  for (const item of wanted) {
    const existing = byKey(current, keyOf(item));
    if (!isObject(item) || existing === undefined) items.push(item);
    else {
      const nested = diffObjects(field.type, byKey(original, keyOf(item)) ?? {}, item, existing);
      if (field.patchStrategy.includes('retainKeys') && Object.keys(existing).some((other) => !(other in item)))
        nested.$retainKeys = Object.keys(item);
      if (Object.keys(nested).length > 0) items.push({ ...nested, [key]: keyOf(item) });
    }
  }
  for (const item of original) {
    const value = keyOf(item);
    if (byKey(wanted, value) === undefined && byKey(current, value) !== undefined) items.push({ $patch: 'delete', [key]: value });
  }
  if (items.length > 0) patch[name] = items;
  const order = wanted.map(keyOf);
  const present = current.map(keyOf).filter((value) => order.some((one) => deepEqual(one, value)));
  const isMoved = !deepEqual(
    present,
    order.filter((value) => present.some((one) => deepEqual(one, value))),
  );
  if (items.length > 0 || isMoved) patch[`$setElementOrder/${name}`] = order.map((value) => ({ [key]: value }));
}

/**
 * The key does not tell the elements apart (port 53 by TCP and by UDP): the list is replaced as a whole, where it is not yet as wanted. Elements that are
 * keep what the server has given them.
 */
function replaceList(patch: JsonObject, name: string, wanted: Json[], current: Json[]): void {
  const left = [...current];
  let isNew = false;
  const items = wanted.map((item) => {
    const at = left.findIndex((one) => covers(one, item));
    if (at < 0) isNew = true;
    return at < 0 ? item : left.splice(at, 1)[0];
  });
  if (isNew || left.length > 0) patch[name] = [...items, { $patch: 'replace' }];
}

/** Whether all that `part` says holds of `whole`. */
function covers(whole: Json, part: Json): boolean {
  if (!isObject(whole) || !isObject(part)) return deepEqual(whole, part);
  return Object.entries(part).every(([key, value]) => covers(whole[key], value));
}

function hasTwice(values: Json[]): boolean {
  return values.some((value, index) => values.findIndex((other) => deepEqual(other, value)) !== index);
}

function isObject(value: Json): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
