import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { decodeObject } from '../schema/decode.ts';
import { formatInstant, formatInstantMicro } from '../schema/time.ts';
import { type FieldDescription, typeTable } from '../schema/type-table.ts';
import { resourceTable } from '../shapes/resource-table.ts';
import { decodeMessage } from './decode.ts';
import { encodeMessage } from './encode.ts';

const keys = fc.constantFrom('a', 'b.c', 'ü', '漢字');
const seconds = fc.integer({ min: -62_000_000_000, max: 253_000_000_000 });

/** Any value of a type, with few fields set so that depth stays small. */
function anyValue(type: string, depth: number): fc.Arbitrary<unknown> {
  switch (type) {
    case 'string':
      return fc.string();
    case 'boolean':
      return fc.boolean();
    case 'int32':
      return fc.integer();
    case 'int64':
      return fc.maxSafeInteger();
    case 'double':
      return fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => value + 0);
    case 'bytes':
      return fc.uint8Array().map((bytes) => Buffer.from(bytes).toString('base64'));
    default:
  }
  const described = typeTable.get(type);
  switch (described.form) {
    case 'quantity':
      return fc.tuple(fc.integer(), fc.constantFrom('', 'm', 'Gi', 'k', 'e3')).map(([number, suffix]) => `${number}${suffix}`);
    case 'time':
      return seconds.map((value) => formatInstant({ seconds: value, nanos: 0 }));
    case 'microTime':
      return fc.tuple(seconds, fc.nat(999_999)).map(([value, micros]) => formatInstantMicro({ seconds: value, nanos: micros * 1000 }));
    case 'intOrString':
      return fc.oneof(fc.integer(), fc.string());
    case 'any':
    case 'object':
      return described.name.startsWith('apiextensions.v1.JSONSchemaPropsOr')
        ? fc.constant({ type: 'string' })
        : fc.dictionary(keys, fc.jsonValue({ maxDepth: 1 }));
    case 'message':
      return messageOf(described.fields, depth);
  }
}

function messageOf(fields: readonly FieldDescription[], depth: number): fc.Arbitrary<unknown> {
  const usable = fields.filter((field) => field.path.length > 0 && !field.protobufOnly);
  if (depth > 3 || usable.length === 0) return fc.constant({});
  return fc
    .subarray([...usable], { maxLength: Math.min(usable.length, depth === 0 ? 6 : 3) })
    .chain((chosen) => fc.record(Object.fromEntries(chosen.map((field) => [field.name, fieldOf(field, depth + 1)]))));
}

function fieldOf(field: FieldDescription, depth: number): fc.Arbitrary<unknown> {
  const element = anyValue(field.type, depth);
  if (field.shape === 'list') return fc.array(element, { maxLength: 3 });
  if (field.shape === 'map') return fc.dictionary(keys, field.valueIsList ? fc.array(element, { maxLength: 2 }) : element, { maxKeys: 3 });
  return element;
}

const types = resourceTable.filter((resource) => resource.stored).map((resource) => resource.type);

test.each(types)('any %s comes back from protobuf as it was', (type) => {
  fc.assert(
    fc.property(anyValue(type, 0), (value) => {
      // -0 has no JSON spelling.
      const { object } = decodeObject<object>(type, JSON.parse(JSON.stringify(value)), { fieldValidation: 'Strict' });
      expect(withoutEmpty(decodeMessage(type, encodeMessage(type, object)))).toEqual(withoutEmpty(object));
      expect(decodeObject(type, object, { fieldValidation: 'Strict' }).object).toEqual(object);
    }),
    { numRuns: 40 },
  );
});

/** Protobuf has no empty lists and maps: one that JSON must write, or that is told apart from none, comes back absent. */
function withoutEmpty(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutEmpty);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .map(([key, item]) => [key, withoutEmpty(item)] as const)
      .filter(([, item]) => typeof item !== 'object' || item === null || Object.keys(item).length > 0),
  );
}
