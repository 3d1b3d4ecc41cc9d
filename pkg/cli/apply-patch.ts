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
    if (!(name in modified) && current[name] !== undefined) patch[name] = null;
  }
  return patch;
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
  if (items.length > 0) {
    patch[name] = items;
    patch[`$setElementOrder/${name}`] = wanted.map((item) => ({ [key]: keyOf(item) }));
  }
}

function isObject(value: Json): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
