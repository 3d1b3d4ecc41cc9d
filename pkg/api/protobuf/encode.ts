/**
 * Objects as protobuf messages, byte for byte as Go writes them: fields by ascending number, maps by sorted key, zero values of fields that are no pointers.
 */
import { type Plan, type PlanField, Plans, type ScalarName } from '../schema/plan.ts';
import { parseInstant } from '../schema/time.ts';
import { typeTable } from '../schema/type-table.ts';
import { type WirePlan, wirePlanOf } from './wire-plan.ts';
import { ReverseWriter } from './writer.ts';

const plans = new Plans(typeTable);
type Members = Readonly<Record<string, unknown>>;
const nothing: Members = {};

/** The bare message, with no envelope. `object` must have the type's shape, as `decodeObject` gives it. */
export function encodeMessage(typeName: string, object: object): Uint8Array {
  const writer = new ReverseWriter();
  writeMessage(writer, plans.get(typeName), object);
  return writer.finish();
}

function writeMessage(writer: ReverseWriter, plan: Plan, value: unknown): void {
  if (plan.type.form === 'message') writeNodes(writer, wirePlanOf(plan), (value ?? nothing) as Members);
  else writeSpecial(writer, plan, value);
}

function writeNodes(writer: ReverseWriter, wire: WirePlan, value: Members): void {
  for (const node of wire.nodes) {
    if (node.field !== undefined) writeField(writer, node.number, node.field, value[node.field.name]);
    else if (node.inline !== undefined) {
      const before = writer.length;
      writeNodes(writer, node.inline, value);
      writer.varint(writer.length - before);
      writer.tag(node.number, 2);
    }
  }
}

function writeField(writer: ReverseWriter, number: number, field: PlanField, value: unknown): void {
  if (field.shape === 'single') {
    if (value === undefined || value === null) {
      if (field.description.pointer || field.scalar === 'bytes') return;
      if (field.scalar === undefined && field.plan().type.form !== 'message' && isFreeForm(field.plan())) {
        writer.varint(0);
        writer.tag(number, 2);
        return;
      }
    }
    writeElement(writer, number, field, value);
    return;
  }
  if (value === undefined || value === null) return;
  if (field.shape === 'list') {
    const list = value as readonly unknown[];
    for (let index = list.length - 1; index >= 0; index--) writeElement(writer, number, field, list[index]);
    return;
  }
  const map = value as Members;
  for (const key of Object.keys(map).toSorted((a, b) => compareBytes(b, a))) {
    const before = writer.length;
    if (field.valueIsList) writeWrappedList(writer, field, map[key]);
    else writeElement(writer, 2, field, map[key]);
    writer.string(key);
    writer.tag(1, 2);
    writer.varint(writer.length - before);
    writer.tag(number, 2);
  }
}

/** A named slice: a message whose field 1 is the list. */
function writeWrappedList(writer: ReverseWriter, field: PlanField, value: unknown): void {
  const before = writer.length;
  const list = (value ?? []) as readonly unknown[];
  for (let index = list.length - 1; index >= 0; index--) writeElement(writer, 1, field, list[index]);
  writer.varint(writer.length - before);
  writer.tag(2, 2);
}

function writeElement(writer: ReverseWriter, number: number, field: PlanField, value: unknown): void {
  if (field.scalar !== undefined) {
    writeScalar(writer, number, field.scalar, value);
    return;
  }
  const before = writer.length;
  writeMessage(writer, field.plan(), value);
  writer.varint(writer.length - before);
  writer.tag(number, 2);
}

function writeScalar(writer: ReverseWriter, number: number, scalar: ScalarName, value: unknown): void {
  switch (scalar) {
    case 'string':
      writer.string(typeof value === 'string' ? value : '');
      writer.tag(number, 2);
      return;
    case 'bytes':
      writer.base64(typeof value === 'string' ? value : '');
      writer.tag(number, 2);
      return;
    case 'boolean':
      writer.varint(value === true ? 1 : 0);
      writer.tag(number, 0);
      return;
    case 'int32':
    case 'int64':
      writer.varint(typeof value === 'number' ? value : 0);
      writer.tag(number, 0);
      return;
    case 'double':
      writer.double(typeof value === 'number' ? value : 0);
      writer.tag(number, 1);
      return;
    case 'any':
      throw new Error('a value of any type has no protobuf form');
  }
}

function isFreeForm(plan: Plan): boolean {
  return plan.type.form === 'any' || plan.type.form === 'object';
}

/** The bodies of types that JSON spells as one value. */
function writeSpecial(writer: ReverseWriter, plan: Plan, value: unknown): void {
  switch (plan.type.form) {
    case 'quantity':
      writeScalar(writer, 1, 'string', typeof value === 'string' ? value : '0');
      return;
    case 'time':
    case 'microTime': {
      const instant = typeof value === 'string' ? parseInstant(value) : undefined;
      if (instant === undefined) return;
      writer.varint(plan.type.form === 'time' ? 0 : Math.floor(instant.nanos / 1000) * 1000);
      writer.tag(2, 0);
      writer.varint(instant.seconds);
      writer.tag(1, 0);
      return;
    }
    case 'intOrString': {
      const isText = typeof value === 'string';
      writer.string(isText ? value : '');
      writer.tag(3, 2);
      writer.varint(typeof value === 'number' ? value : 0);
      writer.tag(2, 0);
      writer.varint(isText ? 1 : 0);
      writer.tag(1, 0);
      return;
    }
    case 'any':
    case 'object':
      writeFree(writer, plan, value);
      return;
    case 'message':
      throw new Error('a message is no special form');
  }
}

function writeFree(writer: ReverseWriter, plan: Plan, value: unknown): void {
  switch (plan.type.name) {
    case 'apiextensions.v1.JSONSchemaPropsOrBool':
      if (typeof value === 'object' && value !== null) writeNested(writer, 2, 'apiextensions.v1.JSONSchemaProps', value);
      writeScalar(writer, 1, 'boolean', value === true || (typeof value === 'object' && value !== null));
      return;
    case 'apiextensions.v1.JSONSchemaPropsOrArray':
      if (Array.isArray(value)) for (const schema of value.toReversed()) writeNested(writer, 2, 'apiextensions.v1.JSONSchemaProps', schema);
      else writeNested(writer, 1, 'apiextensions.v1.JSONSchemaProps', value);
      return;
    case 'apiextensions.v1.JSONSchemaPropsOrStringArray':
      if (Array.isArray(value)) for (const property of value.toReversed()) writeScalar(writer, 2, 'string', property);
      else writeNested(writer, 1, 'apiextensions.v1.JSONSchemaProps', value);
      return;
    default:
      writer.string(JSON.stringify(value ?? null));
      writer.tag(1, 2);
  }
}

function writeNested(writer: ReverseWriter, number: number, typeName: string, value: unknown): void {
  const before = writer.length;
  writeMessage(writer, plans.get(typeName), value);
  writer.varint(writer.length - before);
  writer.tag(number, 2);
}

/** Go sorts keys by their UTF-8 bytes; that differs from JavaScript's order only beyond the basic plane. */
function compareBytes(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
