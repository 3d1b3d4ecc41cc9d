import { isJsonObject, type JsonObject, type JsonValue, type MutableJsonObject, ownValue, setOwn } from './json-value.ts';

/**
 * JSON merge patch, RFC 7386: objects merge, null removes, anything else replaces. Neither argument is changed; what the
 * patch does not touch is shared with the result.
 */
export function applyMergePatch(target: JsonValue | undefined, patch: JsonValue): JsonValue {
  if (!isJsonObject(patch)) return patch;
  const base: JsonObject = isJsonObject(target) ? target : {};
  const result: MutableJsonObject = { ...base };
  for (const key of Object.keys(patch)) {
    const value = ownValue(patch, key) ?? null;
    if (value === null) delete result[key];
    else setOwn(result, key, applyMergePatch(ownValue(base, key), value));
  }
  return result;
}
