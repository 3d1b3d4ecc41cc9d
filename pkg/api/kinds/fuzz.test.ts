import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { StatusError } from '#base/errors';
import type { AnyKind } from '../kind.ts';
import type { KubernetesObject } from '../object.ts';
import { validateChange, validateNew } from '../registry.ts';
import { decodeObject } from '../schema/decode.ts';
import { typeTable } from '../schema/type-table.ts';
import { kinds } from './index.ts';
import { long, now } from './testing.ts';

const words = fc.constantFrom(
  '',
  'a',
  'x y',
  '*',
  'Always',
  'Never',
  'OnFailure',
  'Indexed',
  'RollingUpdate',
  'Exists',
  'In',
  '0',
  '5%',
  '1-3',
  'a/b',
  '10.0.0.0/8',
  '-',
);
const numbers = fc.constantFrom(0, 1, -1, 3, 100_001, 2_147_483_647);

/** A value of a type of the table, or of something near it, with any of its fields missing. */
function valueOfType(typeName: string, depth: number): fc.Arbitrary<unknown> {
  const type = typeTable.find(typeName);
  if (type === undefined || type.form !== 'message') return scalarOf(typeName);
  const fields = type.fields.filter(({ name }) => name !== 'metadata' && name !== 'status');
  const model: Record<string, fc.Arbitrary<unknown>> = {};
  for (const { name, type: fieldType, shape } of fields) {
    if (depth === 0 && typeTable.find(fieldType)?.form === 'message') continue;
    const value = fc.constant(undefined).chain(() => valueOfType(fieldType, depth - 1));
    model[name] =
      shape === 'list'
        ? fc.array(value, { maxLength: 2 })
        : shape === 'map'
          ? fc.dictionary(fc.constantFrom('a', 'cpu', 'storage', 'x y'), value, { maxKeys: 2 })
          : value;
  }
  return fc.record(model, { requiredKeys: [] });
}

function scalarOf(typeName: string): fc.Arbitrary<unknown> {
  if (/bool/.test(typeName)) return fc.boolean();
  if (/int|double|float/.test(typeName) && !/IntOrString/.test(typeName)) return numbers;
  if (/Quantity/.test(typeName)) return fc.constantFrom('1', '500m', '1Gi', '0');
  if (/Time/.test(typeName)) return fc.constant(long);
  if (/IntOrString/.test(typeName)) return fc.oneof(numbers, words);
  if (/bytes/.test(typeName)) return fc.constant('AAAA');
  return words;
}

/** The object as the server would take it; undefined where its shape is refused. */
function taken(kind: AnyKind, fields: object): KubernetesObject | undefined {
  const [version] = kind.versions;
  const namespace = kind.scope === 'Namespaced' ? { namespace: 'd' } : {};
  try {
    const { object } = decodeObject(version.typeName, {
      ...fields,
      metadata: { name: 'x', uid: 'u', ...namespace, creationTimestamp: long },
    });
    return object;
  } catch (error) {
    if (error instanceof StatusError) return undefined;
    throw error;
  }
}

function onlyStatusErrors(run: () => void): void {
  try {
    run();
  } catch (error) {
    if (!(error instanceof StatusError)) throw error;
  }
}

describe('whatever a user sends, there is an answer', () => {
  test.each(kinds.map((kind): [string, AnyKind] => [kind.kind, kind]))('%s', (_name, kind) => {
    const [version] = kind.versions;
    const sent = valueOfType(version.typeName, 4) as fc.Arbitrary<object>;
    fc.assert(
      fc.property(sent, sent, (fields, before) => {
        const [object, old] = [taken(kind, fields), taken(kind, before)];
        if (object === undefined || old === undefined) return;
        for (const each of [object, old]) kind.defaults?.(each);
        const again = structuredClone(object);
        kind.defaults?.(again);
        expect(again).toEqual(object);
        kind.beforeCreate?.(old);
        kind.warnings?.(old, undefined);
        onlyStatusErrors(() => {
          validateNew(kind, old);
          // What is right can be shown.
          expect(kind.columns.cells(old, now)).toHaveLength(kind.columns.columns.length);
          for (const read of Object.values(kind.selectableFields)) read(old);
        });
        kind.beforeUpdate?.(object, old);
        kind.changesGeneration?.(object, old);
        kind.warnings?.(object, old);
        onlyStatusErrors(() => validateChange(kind, object, old));
      }),
      { numRuns: 100, seed: 20_260_101 },
    );
  });
});
