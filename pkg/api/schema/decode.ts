/**
 * From JSON values to objects of the API. The result is a fresh, canonical copy: what is not in the type's shape is pruned and reported, nulls and
 * zero values that Go would not write are dropped, structs that Go always writes are there, quantities and times have their canonical spelling.
 * It is safe against hostile input: nesting is bounded and `__proto__` is refused. It knows shapes alone; defaults and rules are the kinds'.
 *
 * Plain code over the table rather than ajv: pruning, canonical spelling, the copy and Go's messages fall out of one pass over the value (10 µs for a
 * pod), where a validator would need one more pass for each, and its compilation takes longer than a server's start.
 */
import { StatusError } from '#base/errors';
import type { KubernetesObject } from '../object.ts';
import { canonicalQuantity, QuantityError } from '../quantity.ts';
import { addAlways, type Plan, type PlanField, Plans, type ScalarName, zeroElement } from './plan.ts';
import { canonicalMicroTimeOf, canonicalTimeOf } from './time.ts';
import { typeTable } from './type-table.ts';

export type FieldValidation = 'Ignore' | 'Warn' | 'Strict';

export interface DecodeOptions {
  /** What to do about unknown and duplicate fields: prune in silence, prune and warn, or refuse. `Ignore` unless given. */
  readonly fieldValidation?: FieldValidation;
  /** Paths of fields that stand twice in the text (`duplicateFields` in json.ts): a parsed value no longer shows them. */
  readonly duplicateFields?: readonly string[];
}

export interface Decoded<T = KubernetesObject> {
  readonly object: T;
  /** One `unknown field "spec.bogus"` each; filled for `Warn` alone. */
  readonly warnings: readonly string[];
}

/** Levels of objects and lists within each other; deeper input is refused. */
export const maximumDepth = 512;

const maximumReported = 100;
const plans = new Plans(typeTable);

/**
 * Decodes an object of the named type (`core.v1.Pod`). Throws StatusError BadRequest for wrong types, and for unknown fields where the validation is strict.
 * `apiVersion` and `kind` are taken as they are: whether they are the right ones is for the caller.
 */
export function decodeObject<T = KubernetesObject>(typeName: string, input: unknown, options: DecodeOptions = {}): Decoded<T> {
  const plan = plans.get(typeName);
  const decoder = new Decoder();
  let object: unknown;
  try {
    object = decoder.message(plan, input, true);
  } catch (error) {
    if (!(error instanceof Mismatch)) throw error;
    const kind = plan.type.kind?.kind ?? typeName.slice(typeName.lastIndexOf('.') + 1);
    const version = plan.type.kind?.version ?? 'v1';
    throw new StatusError('BadRequest', `${kind} in version "${version}" cannot be handled as a ${kind}: ${error.message}`);
  }
  return { object: object as T, warnings: judgeFields(decoder.unknown, options) };
}

/** Applies `fieldValidation` to paths of unknown fields, and to the duplicate ones of the options. */
export function judgeFields(unknownFields: readonly string[], options: DecodeOptions): string[] {
  const mode = options.fieldValidation ?? 'Ignore';
  if (mode === 'Ignore') return [];
  const problems = [
    ...(options.duplicateFields ?? []).map((path) => `duplicate field "${path}"`),
    ...unknownFields.map((path) => `unknown field "${path}"`),
  ];
  if (mode === 'Strict' && problems.length > 0) throw new StatusError('BadRequest', `strict decoding error: ${problems.join(', ')}`);
  return problems;
}

/** A value of the wrong type; `decodeObject` makes a StatusError of it. */
class Mismatch extends Error {}

class Decoder {
  readonly unknown: string[] = [];
  readonly #path: (string | number)[] = [];
  #struct = '';

  message(plan: Plan, value: unknown, isRoot = false): unknown {
    if (plan.type.form !== 'message') return this.#special(plan, value);
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw this.#mismatch(value, plan.goName);
    const outer = this.#struct;
    this.#struct = plan.type.name.slice(plan.type.name.lastIndexOf('.') + 1);
    const out: Record<string, unknown> = {};
    const source = value as Record<string, unknown>;
    const withKind = isRoot || plan.type.kind !== undefined;
    for (const key of Object.keys(source)) {
      const item = source[key];
      if (item === undefined || item === null) {
        if (!plan.fields.has(key) && !(withKind && (key === 'kind' || key === 'apiVersion'))) this.#report(key);
        continue;
      }
      const field = plan.fields.get(key);
      if (field === undefined) {
        if (withKind && (key === 'kind' || key === 'apiVersion')) {
          if (typeof item !== 'string') throw this.#inside(key, () => this.#mismatch(item, 'string'));
          if (item !== '') out[key] = item;
        } else {
          this.#report(key);
        }
        continue;
      }
      this.#enter(key);
      const decoded = this.#field(field, item);
      this.#path.pop();
      if (decoded !== undefined) out[key] = decoded;
    }
    addAlways(out, plan);
    this.#struct = outer;
    return out;
  }

  #field(field: PlanField, value: unknown): unknown {
    if (field.shape === 'single') {
      if (field.scalar === undefined) return this.message(field.plan(), value);
      const scalar = this.#scalar(field.scalar, value);
      return field.dropsZero && (scalar === '' || scalar === 0 || scalar === false) ? undefined : scalar;
    }
    if (field.shape === 'list') {
      if (!Array.isArray(value)) throw this.#mismatch(value, goType(field));
      if (value.length === 0 && field.dropsZero) return undefined;
      return this.#list(field, value);
    }
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw this.#mismatch(value, goType(field));
    return this.#map(field, value as Record<string, unknown>);
  }

  #list(field: PlanField, value: readonly unknown[]): unknown[] {
    const out: unknown[] = [];
    for (let index = 0; index < value.length; index++) {
      this.#enter(index);
      out.push(this.#element(field, value[index]));
      this.#path.pop();
    }
    return out;
  }

  #map(field: PlanField, value: Record<string, unknown>): unknown {
    const keys = Object.keys(value);
    if (keys.length === 0 && field.dropsZero) return undefined;
    const out: Record<string, unknown> = {};
    for (const key of keys) {
      this.#guardKey(key);
      this.#enter(key);
      const item = value[key];
      if (field.valueIsList) {
        if (item !== null && !Array.isArray(item)) throw this.#mismatch(item, '[]string');
        out[key] = this.#list(field, (item as unknown[] | null) ?? []);
      } else {
        out[key] = this.#element(field, item);
      }
      this.#path.pop();
    }
    return out;
  }

  /** An element of a list or map, where Go reads null as the zero value. */
  #element(field: PlanField, value: unknown): unknown {
    if (field.scalar !== undefined) {
      if (value === null && field.scalar !== 'any')
        return field.scalar === 'boolean' ? false : field.scalar === 'string' || field.scalar === 'bytes' ? '' : 0;
      return this.#scalar(field.scalar, value);
    }
    return value === null ? zeroElement(field.plan()) : this.message(field.plan(), value);
  }

  #scalar(scalar: ScalarName, value: unknown): unknown {
    switch (scalar) {
      case 'string':
        if (typeof value !== 'string') throw this.#mismatch(value, 'string');
        return value;
      case 'boolean':
        if (typeof value !== 'boolean') throw this.#mismatch(value, 'bool');
        return value;
      case 'int32':
        if (typeof value !== 'number' || (value | 0) !== value) throw this.#mismatch(value, 'int32', true);
        return value === 0 ? 0 : value;
      case 'int64':
        if (typeof value !== 'number' || !Number.isSafeInteger(value)) throw this.#mismatch(value, 'int64', true);
        return value === 0 ? 0 : value;
      case 'double':
        if (typeof value !== 'number' || !Number.isFinite(value)) throw this.#mismatch(value, 'float64');
        return value;
      case 'bytes':
        return this.#bytes(value);
      case 'any':
        return this.#free(value);
    }
  }

  #bytes(value: unknown): string {
    if (typeof value !== 'string') throw this.#mismatch(value, '[]uint8');
    const text = value.includes('\n') || value.includes('\r') ? value.replace(/[\r\n]/g, '') : value;
    const illegal = illegalBase64(text);
    if (illegal >= 0) throw new Mismatch(`${this.#where()}: illegal base64 data at input byte ${illegal}`);
    return text;
  }

  #special(plan: Plan, value: unknown): unknown {
    switch (plan.type.form) {
      case 'quantity': {
        const text = typeof value === 'number' ? spellNumber(value) : value;
        if (typeof text !== 'string') throw this.#mismatch(value, 'resource.Quantity');
        try {
          return canonicalQuantity(text.trim());
        } catch (error) {
          if (error instanceof QuantityError) throw new Mismatch(`${this.#where()}: ${error.message}`);
          throw error;
        }
      }
      case 'time':
      case 'microTime': {
        if (typeof value !== 'string') throw this.#mismatch(value, 'string');
        const time = plan.type.form === 'time' ? canonicalTimeOf(value) : canonicalMicroTimeOf(value);
        if (time === undefined) {
          throw new Mismatch(
            `${this.#where()}: parsing time ${clip(value)} as "2006-01-02T15:04:05Z07:00": not a date and time of RFC 3339`,
          );
        }
        return time;
      }
      case 'intOrString':
        if (typeof value === 'string') return value;
        if (typeof value !== 'number' || (value | 0) !== value) throw this.#mismatch(value, 'int32', true);
        return value;
      case 'object':
        if (typeof value !== 'object' || value === null || Array.isArray(value)) throw this.#mismatch(value, 'object');
        return this.#free(value);
      case 'any':
        return this.#free(value);
      case 'message':
        throw new Error('a message is no special form');
    }
  }

  /** Copies a free value; `undefined` members are left out as JSON does. */
  #free(value: unknown): unknown {
    if (value === null || typeof value === 'string' || typeof value === 'boolean') return value;
    if (typeof value === 'number') {
      if (!Number.isFinite(value)) throw new Mismatch(`${this.#where()}: ${value} is no JSON number`);
      return value;
    }
    if (Array.isArray(value)) {
      const list: unknown[] = [];
      for (let index = 0; index < value.length; index++) {
        this.#enter(index);
        list.push(this.#free(value[index] ?? null));
        this.#path.pop();
      }
      return list;
    }
    if (typeof value !== 'object') throw new Mismatch(`${this.#where()}: a ${typeof value} is no JSON value`);
    const out: Record<string, unknown> = {};
    for (const key of Object.keys(value)) {
      const item = (value as Record<string, unknown>)[key];
      if (item === undefined) continue;
      this.#guardKey(key);
      this.#enter(key);
      out[key] = this.#free(item);
      this.#path.pop();
    }
    return out;
  }

  #enter(part: string | number): void {
    if (this.#path.push(part) > maximumDepth) throw new Mismatch(`nested deeper than ${maximumDepth} levels`);
  }

  #guardKey(key: string): void {
    if (key === '__proto__') throw new Mismatch(`${this.#where()}: the key "__proto__" is not allowed`);
  }

  #inside<T>(part: string, read: () => T): T {
    this.#path.push(part);
    const result = read();
    this.#path.pop();
    return result;
  }

  #report(key: string): void {
    if (this.unknown.length < maximumReported) this.unknown.push(joinPath([...this.#path, clip(key).slice(1, -1)]));
  }

  #where(): string {
    return this.#path.length === 0 ? 'the object' : joinPath(this.#path);
  }

  #mismatch(value: unknown, wanted: string, showNumber = false): Mismatch {
    const given = jsonWord(value) + (showNumber && typeof value === 'number' ? ` ${value}` : '');
    if (this.#path.length === 0) return new Mismatch(`json: cannot unmarshal ${given} into Go value of type ${wanted}`);
    return new Mismatch(`json: cannot unmarshal ${given} into Go struct field ${this.#struct}.${joinPath(this.#path)} of type ${wanted}`);
  }
}

/** `['spec', 'containers', 0, 'image']` → `spec.containers[0].image`. */
export function joinPath(path: readonly (string | number)[]): string {
  let text = '';
  for (const part of path) text += typeof part === 'number' ? `[${part}]` : text === '' ? part : `.${part}`;
  return text;
}

function goType(field: PlanField): string {
  const element = field.scalar === undefined ? field.plan().goName : field.scalar === 'boolean' ? 'bool' : field.scalar;
  return field.shape === 'list' ? `[]${element}` : field.shape === 'map' ? `map[string]${element}` : element;
}

function jsonWord(value: unknown): string {
  if (Array.isArray(value)) return 'array';
  if (value === null) return 'null';
  return typeof value === 'boolean' ? 'bool' : typeof value;
}

function clip(text: string): string {
  return JSON.stringify(text.length > 100 ? `${text.slice(0, 100)}…` : text);
}

/** A JSON number as a quantity: JavaScript writes large ones with an exponent of its own form. */
function spellNumber(value: number): string {
  return String(value).replace('e+', 'e');
}

const base64Pattern = /^[A-Za-z0-9+/]*={0,2}$/;

/** The index of the first character that standard base64 does not allow there; -1 for valid text. */
function illegalBase64(text: string): number {
  if (text.length % 4 === 0 && base64Pattern.test(text)) return -1;
  const bad = /[^A-Za-z0-9+/]/.exec(text.replace(/={1,2}$/, ''));
  return bad?.index ?? text.length - (text.length % 4);
}
