/**
 * JSON Schema of the types, with the `x-kubernetes-*` keywords, as OpenAPI v2 and v3 publish it.
 */
import { descriptionOf } from '../descriptions.ts';
import type { FieldDescription, TypeDescription, TypeTable } from './type-table.ts';

export type JsonSchema = { readonly [keyword: string]: unknown };

/** v2 refers by `#/definitions/…`; v3 by `#/components/schemas/…`, wrapped in `allOf` where something stands beside it. */
export type SchemaDialect = 'v2' | 'v3';

const prefixes: readonly (readonly [RegExp, string])[] = [
  [/^meta\./, 'io.k8s.apimachinery.pkg.apis.'],
  [/^runtime\./, 'io.k8s.apimachinery.pkg.'],
  [/^version\./, 'io.k8s.apimachinery.pkg.'],
  [/^Quantity$/, 'io.k8s.apimachinery.pkg.api.resource.'],
  [/^IntOrString$/, 'io.k8s.apimachinery.pkg.util.intstr.'],
  [/^apiextensions\./, 'io.k8s.apiextensions-apiserver.pkg.apis.'],
  [/^apiregistration\./, 'io.k8s.kube-aggregator.pkg.apis.'],
  [/^compose\./, 'dev.berth.'],
  [/^berth\./, 'dev.'],
];

/** The published name of a type: `core.v1.Pod` → `io.k8s.api.core.v1.Pod`. */
export function schemaNameOf(typeName: string): string {
  const prefix = prefixes.find(([pattern]) => pattern.test(typeName))?.[1] ?? 'io.k8s.api.';
  return prefix + typeName;
}

/** The schemas of these types and of all that they refer to, by published name, sorted. `kinds` has a sentence on each kind, by its type's name. */
export function jsonSchemasOf(
  table: TypeTable,
  typeNames: Iterable<string>,
  dialect: SchemaDialect,
  kinds: ReadonlyMap<string, string> = new Map(),
): Record<string, JsonSchema> {
  const found = new Map<string, JsonSchema>();
  const waiting = [...typeNames];
  for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
    const published = schemaNameOf(name);
    const type = table.find(name);
    if (type === undefined || found.has(published)) continue;
    found.set(published, { ...described(kinds.get(name)), ...jsonSchemaOf(table, name, dialect) });
    if (type.form === 'message') waiting.push(...type.fields.filter((field) => !field.protobufOnly).map((field) => field.type));
  }
  return Object.fromEntries([...found].toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

/** The schema of one type; what it refers to stands as references. Throws on a name that the table does not have. */
export function jsonSchemaOf(table: TypeTable, typeName: string, dialect: SchemaDialect): JsonSchema {
  const type = table.get(typeName);
  if (type.form !== 'message') return formSchema(type, dialect);
  const properties: Record<string, JsonSchema> = {};
  if (type.kind !== undefined) {
    for (const name of ['apiVersion', 'kind']) properties[name] = { ...described(descriptionOf(typeName, name, true)), type: 'string' };
  }
  for (const field of type.fields) {
    if (field.protobufOnly) continue;
    const description = descriptionOf(typeName, field.name, type.kind !== undefined);
    properties[field.name] = { ...described(description), ...fieldSchema(table, field, dialect) };
  }
  const required = type.fields.filter((field) => field.required).map((field) => field.name);
  return {
    ...described(descriptionOf(typeName)),
    type: 'object',
    ...(Object.keys(properties).length === 0 ? {} : { properties }),
    ...(required.length === 0 ? {} : { required }),
    ...(type.kind === undefined ? {} : { 'x-kubernetes-group-version-kind': [type.kind] }),
    ...(type.mapType === undefined ? {} : { 'x-kubernetes-map-type': type.mapType }),
    ...(type.unions.length === 0 ? {} : { 'x-kubernetes-unions': type.unions }),
  };
}

function described(description: string | undefined): JsonSchema {
  return description === undefined ? {} : { description };
}

function formSchema(type: TypeDescription, dialect: SchemaDialect): JsonSchema {
  switch (type.form) {
    case 'time':
    case 'microTime':
      return { type: 'string', format: 'date-time' };
    case 'quantity':
      return dialect === 'v2' ? { type: 'string' } : { oneOf: [{ type: 'string' }, { type: 'number' }] };
    case 'intOrString':
      return dialect === 'v2'
        ? { type: 'string', format: 'int-or-string' }
        : { format: 'int-or-string', oneOf: [{ type: 'integer' }, { type: 'string' }] };
    case 'object':
      return { type: 'object', 'x-kubernetes-preserve-unknown-fields': true };
    case 'any':
    case 'message':
      return type.name === 'runtime.RawExtension' || type.name === 'meta.v1.FieldsV1' ? { type: 'object' } : {};
  }
}

function fieldSchema(table: TypeTable, field: FieldDescription, dialect: SchemaDialect): JsonSchema {
  const element = elementSchema(field, dialect);
  const facts: Record<string, unknown> = {};
  if (field.listType !== undefined) facts['x-kubernetes-list-type'] = field.listType;
  if (field.listMapKeys.length > 0) facts['x-kubernetes-list-map-keys'] = field.listMapKeys;
  if (field.patchStrategy.length > 0) facts['x-kubernetes-patch-strategy'] = field.patchStrategy.join(',');
  if (field.patchMergeKey !== undefined) facts['x-kubernetes-patch-merge-key'] = field.patchMergeKey;
  if (field.mapType !== undefined) facts['x-kubernetes-map-type'] = field.mapType;
  if (field.default !== undefined) facts.default = field.default;
  if (field.shape === 'list') return { type: 'array', items: element, ...facts };
  if (field.shape === 'map') {
    return { type: 'object', additionalProperties: field.valueIsList ? { type: 'array', items: element } : element, ...facts };
  }
  if (element.$ref === undefined || dialect === 'v2') return { ...element, ...(element.$ref === undefined ? facts : {}) };
  const isStruct = !field.pointer && table.find(field.type)?.form === 'message';
  return { allOf: [element], ...(isStruct ? { default: {} } : {}), ...facts };
}

function elementSchema(field: FieldDescription, dialect: SchemaDialect): JsonSchema {
  switch (field.type) {
    case 'string':
    case 'boolean':
      return { type: field.type };
    case 'int32':
    case 'int64':
      return { type: 'integer', format: field.type };
    case 'double':
      return { type: 'number', format: 'double' };
    case 'bytes':
      return { type: 'string', format: 'byte' };
    case 'any':
      return {};
    default:
      return { $ref: `${dialect === 'v2' ? '#/definitions/' : '#/components/schemas/'}${schemaNameOf(field.type)}` };
  }
}
