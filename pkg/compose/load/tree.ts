/** The plain values that a Compose file is made of between parsing and the canonical form, and paths into them. */

/** A plain scalar that YAML reads as a date; Compose has no use for one, so it is refused wherever a value is checked. */
export class YamlTimestamp {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

export type Scalar = string | number | bigint | boolean | null | YamlTimestamp;
export type Value = Scalar | Value[] | Mapping;
export interface Mapping {
  [key: string]: Value;
}

/** Keys and list indexes from the top. Names may hold dots, so paths are lists and never strings inside. */
export type Path = readonly (string | number)[];

export function isMapping(value: Value | undefined): value is Mapping {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof YamlTimestamp);
}

/** `services.web.ports[0]`. */
export function displayPath(path: Path): string {
  return path.map((step, index) => (typeof step === 'number' ? `[${step}]` : index === 0 ? step : `.${step}`)).join('');
}

/** Whether the path is one of the pattern's: equal step by step, where `*` stands for any one step. */
export function matches(path: Path, pattern: readonly string[]): boolean {
  return path.length === pattern.length && pattern.every((step, index) => step === '*' || step === path[index]);
}

/** Finds the entry of a table keyed by patterns (`services.*.ports`). Made once for a table. */
export function patternTable<T>(entries: Readonly<Record<string, T>>): (path: Path) => T | undefined {
  const byLength = new Map<number, { pattern: string[]; entry: T }[]>();
  for (const [text, entry] of Object.entries(entries)) {
    const pattern = text.split('.');
    const same = byLength.get(pattern.length) ?? [];
    same.push({ pattern, entry });
    byLength.set(pattern.length, same);
  }
  return (path) => byLength.get(path.length)?.find(({ pattern }) => matches(path, pattern))?.entry;
}

/** What a table says of patterns is done to every value that they match, children first; `undefined` removes the value. */
export function transformTree(
  value: Value,
  rule: (path: Path) => ((value: Value, path: Path) => Value | undefined) | undefined,
  path: Path = [],
): Value {
  if (Array.isArray(value)) {
    return value.flatMap((item, index) => {
      const result = transformNode(item, rule, [...path, index]);
      return result === undefined ? [] : [result];
    });
  }
  if (!isMapping(value)) return value;
  const result: Mapping = {};
  for (const [key, item] of Object.entries(value)) {
    const changed = transformNode(item, rule, [...path, key]);
    if (changed !== undefined) setKey(result, key, changed);
  }
  return result;
}

function transformNode(
  value: Value,
  rule: (path: Path) => ((value: Value, path: Path) => Value | undefined) | undefined,
  path: Path,
): Value | undefined {
  const children = transformTree(value, rule, path);
  const change = rule(path);
  return change === undefined ? children : change(children, path);
}

/** Sets an own property, whatever its name (`__proto__` included). */
export function setKey(target: Mapping, key: string, value: Value): void {
  Object.defineProperty(target, key, { value, enumerable: true, configurable: true, writable: true });
}

/** The own property, never one of the prototype's. */
export function getKey(mapping: Mapping, key: string): Value | undefined {
  return Object.hasOwn(mapping, key) ? mapping[key] : undefined;
}

/** The mapping at this key; an empty one where it is missing or null. Shape errors are the schema's to report. */
export function mappingAt(mapping: Mapping, key: string): Mapping {
  const value = getKey(mapping, key);
  return isMapping(value) ? value : {};
}

export function listAt(mapping: Mapping, key: string): Value[] {
  const value = getKey(mapping, key);
  return Array.isArray(value) ? value : [];
}

/** The text of a scalar as Compose prints it where a string is wanted: `1e3` is `1000`, `1.50` is `1.5`. */
export function scalarText(value: Scalar): string {
  if (value === null) return '';
  if (value instanceof YamlTimestamp) return value.text;
  if (typeof value !== 'number') return String(value);
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return value > 0 ? '+Inf' : '-Inf';
  const size = Math.abs(value);
  if (size !== 0 && size < 1e-4) return value.toExponential().replace(/e([-+])(\d)$/, 'e$10$2');
  return String(value);
}

/** What kind of value this is, in words for messages. */
export function describeValue(value: Value | undefined): string {
  if (value === undefined) return 'nothing';
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'a list';
  if (value instanceof YamlTimestamp) return `the date ${value.text}`;
  if (isMapping(value)) return 'a mapping';
  if (typeof value === 'string') return `the string ${JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value)}`;
  return `the ${typeof value === 'boolean' ? 'boolean' : 'number'} ${String(value)}`;
}
