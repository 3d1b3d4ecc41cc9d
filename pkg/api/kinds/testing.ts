/** What tests of kinds work with: an object as the server would have it, what is wrong with it, and its row in a table. */
import { StatusError } from '#base/errors';
import type { KubernetesObject } from '../object.ts';
import { toStored, validateChange, validateNew } from '../registry.ts';
import { decodeObject } from '../schema/decode.ts';
import { kindRegistry } from './index.ts';

/** The time at which rows are made. */
export const now = Date.UTC(2026, 0, 1, 12);
/** When objects were made: an hour before. */
export const long = '2026-01-01T11:00:00Z';

export interface Loose extends KubernetesObject {
  spec: Record<string, never>;
  [field: string]: unknown;
}

/** By any of its names. Throws where there is none. */
export function served(name: string): NonNullable<ReturnType<typeof kindRegistry.findName>> {
  const found = kindRegistry.findName(name);
  if (found === undefined) throw new Error(`no kind ${name}`);
  return found;
}

/** Decoded, in its stored form, with its defaults. */
export function make(name: string, fields: object, metadata: object = {}): Loose {
  const { kind, version, resource } = served(name);
  const meta = { name: 'x', creationTimestamp: long, ...(resource.namespaced ? { namespace: 'd' } : {}), ...metadata };
  const { object } = decodeObject(version.typeName, { metadata: meta, ...fields });
  const stored = toStored(served(name), object);
  kind.defaults?.(stored);
  return stored as Loose;
}

/** `field: message`, of each cause of the StatusError that it throws. */
export function causes(run: () => void): string[] {
  try {
    run();
    return [];
  } catch (error) {
    if (!(error instanceof StatusError)) throw error;
    return (error.details?.causes ?? []).map(({ field, message }) => `${field}: ${message}`);
  }
}

/** What is wrong with a new object. */
export function faults(name: string, fields: object, metadata: object = {}): string[] {
  const { kind } = served(name);
  const object = make(name, fields, { uid: 'u-1', ...metadata });
  kind.beforeCreate?.(object);
  return causes(() => validateNew(kind, object));
}

/** What is wrong with a change. */
export function changes(name: string, fields: object, old: object): string[] {
  const { kind } = served(name);
  const [draft, before] = [make(name, fields, { uid: 'u-1' }), make(name, old, { uid: 'u-1' })];
  kind.beforeUpdate?.(draft, before);
  return causes(() => validateChange(kind, draft, before));
}

export function row(name: string, fields: object, metadata: object = {}): unknown[] {
  return [...served(name).kind.columns.cells(make(name, fields, metadata), now)];
}

/** What is found, cut to the length of what is wanted: the words after that do not matter. */
export function startsOf(found: readonly string[], wanted: readonly string[]): string[] {
  return found.map((fault, index) => fault.slice(0, wanted[index]?.length ?? fault.length));
}
