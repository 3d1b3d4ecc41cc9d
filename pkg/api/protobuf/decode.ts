/**
 * Protobuf messages as objects, in the same canonical form as `decodeObject` gives. Unknown fields are skipped, as protobuf's rules say.
 */
import { StatusError } from '#base/errors';
import { canonicalQuantity, QuantityError } from '../quantity.ts';
import { decodeObject, maximumDepth } from '../schema/decode.ts';
import { JsonScan, maximumValues, parseJson, tooManyValues } from '../schema/json.ts';
import { addAlways, type Plan, type PlanField, Plans, type ScalarName, zeroElement } from '../schema/plan.ts';
import { formatInstant, formatInstantMicro } from '../schema/time.ts';
import { typeTable } from '../schema/type-table.ts';
import { ProtobufError, Reader, TooManyValuesError } from './reader.ts';
import { type WirePlan, wirePlanOf } from './wire-plan.ts';

const plans = new Plans(typeTable);
type Members = Record<string, unknown>;

/** Seconds of Go's zero time, which stands for none. */
const zeroTime = -62_135_596_800;

/** The object of a bare message. Throws StatusError BadRequest for bytes that are no such message, RequestEntityTooLarge for one of too many values. */
export function decodeMessage(typeName: string, bytes: Uint8Array): object {
  try {
    return readMessage(new Reader(bytes, maximumValues), plans.get(typeName), undefined, 0) as object;
  } catch (error) {
    if (error instanceof TooManyValuesError) throw tooManyValues();
    if (error instanceof ProtobufError || error instanceof QuantityError) {
      throw new StatusError('BadRequest', `the body cannot be read as a protobuf message of type ${typeName}: ${error.message}`);
    }
    throw error;
  }
}

/** Reads up to the reader's end. `known` is what an earlier occurrence of the same field gave: the two are merged. */
function readMessage(reader: Reader, plan: Plan, known: unknown, depth: number): unknown {
  if (depth > maximumDepth / 4) throw new ProtobufError('nested too deeply');
  if (plan.type.form !== 'message') return readSpecial(reader, plan, depth);
  const out: Members = typeof known === 'object' && known !== null ? (known as Members) : {};
  readNodes(reader, wirePlanOf(plan), out, depth);
  addAlways(out, plan);
  return out;
}

function readNodes(reader: Reader, wire: WirePlan, out: Members, depth: number): void {
  while (!reader.done) {
    const tag = reader.tag();
    const wireType = tag % 8;
    const node = wire.byNumber.get((tag - wireType) / 8);
    if (node?.field !== undefined) readField(reader, node.field, wireType, out, depth);
    else if (node?.inline !== undefined) {
      expect(wireType, 2);
      const outer = reader.enter();
      readNodes(reader, node.inline, out, depth + 1);
      reader.leave(outer);
    } else {
      if (tag < 8) throw new ProtobufError('illegal tag 0');
      reader.skip(wireType);
    }
  }
}

function readField(reader: Reader, field: PlanField, wireType: number, out: Members, depth: number): void {
  const { name } = field;
  if (field.shape === 'single') {
    const value = readElement(reader, field, wireType, out[name], depth);
    const isDropped = field.dropsZero && field.scalar !== undefined && (value === '' || value === 0 || value === false);
    if (value === undefined || isDropped) delete out[name];
    else out[name] = value;
    return;
  }
  if (field.shape === 'list') {
    let list = out[name] as unknown[] | undefined;
    if (list === undefined) {
      list = [];
      out[name] = list;
    }
    if (wireType === 2 && isNumeric(field.scalar)) {
      const outer = reader.enter();
      while (!reader.done) {
        reader.count(1);
        list.push(readScalar(reader, field.scalar));
      }
      reader.leave(outer);
    } else {
      list.push(readElement(reader, field, wireType, undefined, depth) ?? emptyElement(field));
    }
    return;
  }
  expect(wireType, 2);
  const map = (out[name] as Members | undefined) ?? {};
  out[name] = map;
  readEntry(reader, field, map, depth);
}

function readEntry(reader: Reader, field: PlanField, map: Members, depth: number): void {
  let key = '';
  let value: unknown;
  const outer = reader.enter();
  while (!reader.done) {
    const tag = reader.tag();
    const wireType = tag % 8;
    if (tag === 10) key = reader.string();
    else if ((tag - wireType) / 8 !== 2) reader.skip(wireType);
    else if (field.valueIsList) value = readWrappedList(reader, field, wireType, depth);
    else value = readElement(reader, field, wireType, undefined, depth);
  }
  reader.leave(outer);
  if (key === '__proto__') throw new ProtobufError('the key "__proto__" is not allowed');
  map[key] = value ?? emptyElement(field);
}

function readWrappedList(reader: Reader, field: PlanField, wireType: number, depth: number): unknown[] {
  expect(wireType, 2);
  const list: unknown[] = [];
  const outer = reader.enter();
  while (!reader.done) {
    const tag = reader.tag();
    if ((tag - (tag % 8)) / 8 === 1) list.push(readElement(reader, field, tag % 8, undefined, depth));
    else reader.skip(tag % 8);
  }
  reader.leave(outer);
  return list;
}

function emptyElement(field: PlanField): unknown {
  if (field.valueIsList) return [];
  if (field.scalar !== undefined)
    return field.scalar === 'boolean' ? false : field.scalar === 'string' || field.scalar === 'bytes' ? '' : 0;
  return zeroElement(field.plan());
}

function readElement(reader: Reader, field: PlanField, wireType: number, known: unknown, depth: number): unknown {
  if (field.scalar !== undefined) {
    expect(wireType, wireTypeOf(field.scalar));
    return readScalar(reader, field.scalar);
  }
  expect(wireType, 2);
  const outer = reader.enter();
  const value = readMessage(reader, field.plan(), known, depth + 1);
  reader.leave(outer);
  return value;
}

function readScalar(reader: Reader, scalar: ScalarName | undefined): unknown {
  switch (scalar) {
    case 'string':
      return reader.string();
    case 'bytes':
      return reader.base64();
    case 'boolean':
      return reader.varint() !== 0;
    case 'int32':
      return reader.int32();
    case 'int64':
      return reader.int64();
    case 'double': {
      const value = reader.double();
      if (!Number.isFinite(value)) throw new ProtobufError(`${value} is no JSON number`);
      return value;
    }
    case 'any':
    case undefined:
      throw new ProtobufError('a value of any type has no protobuf form');
  }
}

function readSpecial(reader: Reader, plan: Plan, depth: number): unknown {
  switch (plan.type.form) {
    case 'quantity': {
      let text = '0';
      forEach(reader, { 1: () => (text = reader.string()) });
      return canonicalQuantity(text);
    }
    case 'time':
    case 'microTime': {
      let seconds: number | undefined;
      let nanos = 0;
      forEach(reader, { 1: () => (seconds = reader.int64()), 2: () => (nanos = reader.int32()) });
      if (seconds === undefined && nanos === 0) return undefined;
      if (seconds === zeroTime) return undefined;
      const instant = { seconds: seconds ?? 0, nanos };
      const text = plan.type.form === 'time' ? formatInstant(instant) : formatInstantMicro(instant);
      if (text === undefined || nanos < 0 || nanos > 999_999_999) throw new ProtobufError('a time is out of range');
      return text;
    }
    case 'intOrString': {
      let type = 0;
      let number = 0;
      let text = '';
      forEach(reader, { 1: () => (type = reader.int64()), 2: () => (number = reader.int32()), 3: () => (text = reader.string()) });
      return type === 1 ? text : number;
    }
    case 'any':
    case 'object':
      return readFree(reader, plan, depth);
    case 'message':
      throw new Error('a message is no special form');
  }
}

function readFree(reader: Reader, plan: Plan, depth: number): unknown {
  const schema = (): unknown => {
    const outer = reader.enter();
    const value = readMessage(reader, plans.get('apiextensions.v1.JSONSchemaProps'), undefined, depth + 1);
    reader.leave(outer);
    return value;
  };
  let value: unknown;
  switch (plan.type.name) {
    case 'apiextensions.v1.JSONSchemaPropsOrBool': {
      let allows = false;
      forEach(reader, { 1: () => (allows = reader.varint() !== 0), 2: () => (value = schema()) });
      return value ?? allows;
    }
    case 'apiextensions.v1.JSONSchemaPropsOrArray':
    case 'apiextensions.v1.JSONSchemaPropsOrStringArray': {
      const list: unknown[] = [];
      const isSchemas = plan.type.name.endsWith('OrArray');
      forEach(reader, { 1: () => (value = schema()), 2: () => list.push(isSchemas ? schema() : reader.string()) });
      return value ?? list;
    }
    default: {
      let raw: Uint8Array | undefined;
      forEach(reader, { 1: () => (raw = reader.bytes()) });
      if (raw === undefined || raw.length === 0) return undefined;
      // The one place that copies free values safely is the decoder of JSON.
      const text = Buffer.from(raw).toString('utf8');
      const scan = new JsonScan(text);
      const value = parseJson(text, scan);
      reader.count(scan.values);
      const holder = decodeObject<{ object?: unknown }>('meta.v1.WatchEvent', { object: value });
      return holder.object.object;
    }
  }
}

/** Reads a message of which only the numbers in `fields` matter; these must have the wire type that their reader expects. */
function forEach(reader: Reader, fields: Readonly<Record<number, () => unknown>>): void {
  while (!reader.done) {
    const tag = reader.tag();
    const read = fields[(tag - (tag % 8)) / 8];
    if (read === undefined || tag % 8 === 1 || tag % 8 > 2) reader.skip(tag % 8);
    else read();
  }
}

function isNumeric(scalar: ScalarName | undefined): boolean {
  return scalar === 'int32' || scalar === 'int64' || scalar === 'boolean' || scalar === 'double';
}

function wireTypeOf(scalar: ScalarName): number {
  if (scalar === 'string' || scalar === 'bytes') return 2;
  return scalar === 'double' ? 1 : 0;
}

function expect(given: number, wanted: number): void {
  if (given !== wanted) throw new ProtobufError(`wire type ${given} where ${wanted} belongs`);
}
