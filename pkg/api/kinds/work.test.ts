/** What the rules of a kind cost grows with its object as the object itself does: a list twice as long takes twice the work, never four times. */
import { expect, test } from '@jest/globals';
import { StatusError } from '#base/errors';
import type { AnyKind } from '../kind.ts';
import type { KubernetesObject } from '../object.ts';
import { validateChange, validateNew } from '../registry.ts';
import { decodeObject } from '../schema/decode.ts';
import { typeTable } from '../schema/type-table.ts';
import { kinds } from './index.ts';
import { now } from './testing.ts';

interface Field {
  readonly path: readonly { readonly name: string; readonly shape: string }[];
  readonly type: string;
  readonly shape: 'list' | 'map';
  readonly valueIsList: boolean;
}

/** The lists and maps of a type, down to some depth; those of a type that is there several times, once. */
function fieldsOf(typeName: string, depth: number, path: Field['path'] = [], seen = new Set<string>()): Field[] {
  const type = typeTable.find(typeName);
  // A template's rules are a pod's.
  if (typeName === 'core.v1.PodSpec' && path.length > 1) return [];
  if (type === undefined || type.form !== 'message' || depth === 0 || seen.has(typeName)) return [];
  seen.add(typeName);
  return type.fields.flatMap(({ name, type: fieldType, shape, valueIsList }) => {
    if (name === 'managedFields' || name === 'status') return [];
    const at = [...path, { name, shape }];
    const below = fieldsOf(fieldType, depth - 1, at, seen);
    return shape === 'single' ? below : [{ path: at, type: fieldType, shape, valueIsList }, ...below];
  });
}

/** A value of the type, with all of its fields down to some depth; different for each `number`. */
function sampleOf(typeName: string, number: number, depth: number): unknown {
  const type = typeTable.find(typeName);
  if (type === undefined || type.form !== 'message') return scalarOf(typeName, number);
  const value: Record<string, unknown> = {};
  for (const { name, type: fieldType, shape, valueIsList } of type.fields) {
    if (depth === 0 && typeTable.find(fieldType)?.form === 'message') continue;
    const sample = sampleOf(fieldType, number, depth - 1);
    const one = valueIsList ? [sample] : sample;
    value[name] = shape === 'list' ? [one] : shape === 'map' ? { [`k${number}`]: one } : one;
  }
  return value;
}

function scalarOf(typeName: string, number: number): unknown {
  if (/bool/.test(typeName)) return true;
  if (/Quantity/.test(typeName)) return `${number + 1}`;
  if (/IntOrString|int|double|float/.test(typeName)) return number + 1;
  if (/Time/.test(typeName)) return '2020-01-01T00:00:00Z';
  if (/bytes/.test(typeName)) return 'AAAA';
  return `a${number}`;
}

/** An object of the kind with `length` elements in this field, all alike or all different. */
function objectWith(kind: AnyKind, field: Field, length: number, elements: 'different' | 'empty'): KubernetesObject {
  const element = (index: number): unknown => {
    if (elements === 'empty' && typeTable.find(field.type)?.form === 'message') return {};
    const one = sampleOf(field.type, index, 1);
    return field.valueIsList ? [one] : one;
  };
  const many =
    field.shape === 'list'
      ? Array.from({ length }, (_, index) => element(index))
      : Object.fromEntries(Array.from({ length }, (_, index) => [`k${index}`, element(index)]));
  const object = { apiVersion: 'v1', kind: kind.kind, metadata: { name: 'a', namespace: kind.scope === 'Namespaced' ? 'b' : '' } };
  const hasSpec = typeTable.get(kind.versions[0].typeName).fields.some(({ name }) => name === 'spec');
  let at: Record<string, unknown> = hasSpec ? Object.assign(object, { spec: {} }) : object;
  for (const [index, { name, shape }] of field.path.entries()) {
    if (index === field.path.length - 1) {
      at[name] = many;
      break;
    }
    const inner: Record<string, unknown> = (shape === 'single' ? (at[name] as Record<string, unknown> | undefined) : undefined) ?? {};
    at[name] = shape === 'list' ? [inner] : shape === 'map' ? { a: inner } : inner;
    at = inner;
  }
  return decodeObject(kind.versions[0].typeName, object).object;
}

/** Counts what is read of a tree. */
class Counter {
  reads = 0;
  readonly #known = new WeakMap<object, object>();

  watch<T>(value: T): T {
    if (typeof value !== 'object' || value === null) return value;
    let watched = this.#known.get(value);
    if (watched === undefined) {
      watched = new Proxy<object>(value, {
        get: (target, key) => {
          this.reads++;
          const read: unknown = Reflect.get(target, key);
          return typeof read === 'function' ? read : this.watch(read);
        },
        has: (target, key) => {
          this.reads++;
          return Reflect.has(target, key);
        },
        ownKeys: (target) => {
          const keys = Reflect.ownKeys(target);
          this.reads += keys.length;
          return keys;
        },
      });
      this.#known.set(value, watched);
    }
    return watched as T;
  }
}

/** What is read of an object in all that is done with it when it is created, changed and shown. */
function workOf(kind: AnyKind, make: () => KubernetesObject): number {
  const counter = new Counter();
  const refused = (run: () => unknown): void => {
    try {
      run();
    } catch (error) {
      // What copies a part as a whole reads it once.
      const isClone = typeof error === 'object' && error !== null && 'name' in error && error.name === 'DataCloneError';
      if (!(error instanceof StatusError) && !isClone) throw error;
    }
  };
  const draft = counter.watch(make());
  const old = counter.watch(make());
  kind.defaults?.(draft);
  kind.defaults?.(old);
  kind.beforeCreate?.(draft);
  refused(() => kind.warnings?.(draft, undefined));
  refused(() => validateNew(kind, draft));
  refused(() => kind.beforeUpdate?.(draft, old));
  kind.changesGeneration?.(draft, old);
  refused(() => kind.warnings?.(draft, old));
  refused(() => validateChange(kind, draft, old));
  refused(() => kind.columns.cells(draft, now));
  for (const read of Object.values(kind.selectableFields)) refused(() => read(draft));
  return counter.reads;
}

/** Where each of a list's faults tells the whole list; how many faults are told is bounded. */
const told = new Set(['ResourceQuota spec.scopes']);

test.each(kinds.map((kind) => [`${kind.kind} of ${kind.group === '' ? 'core' : kind.group}`, kind] as const))('%s', (_name, kind) => {
  const bad: string[] = [];
  for (const field of fieldsOf(kind.versions[0].typeName, 7)) {
    const path = field.path.map(({ name }) => name).join('.');
    if (told.has(`${kind.kind} ${path}`)) continue;
    // The rules for metadata are the same for all kinds.
    if (path.startsWith('metadata.') && kind !== kinds[0]) continue;
    const isMessage = typeTable.find(field.type)?.form === 'message';
    for (const elements of isMessage ? (['different', 'empty'] as const) : (['different'] as const)) {
      const [few, more, most] = [32, 64, 128].map((length) => workOf(kind, () => objectWith(kind, field, length, elements)));
      // A square would be 4.
      const growth = (most! - more!) / Math.max(1, more! - few!);
      if (growth > 3) bad.push(`${path}, ${elements}: ${few}, ${more}, ${most} reads`);
    }
  }
  expect(bad).toEqual([]);
});
