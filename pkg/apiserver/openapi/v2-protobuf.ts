/**
 * The OpenAPI v2 document in protobuf (package openapi.v2), without which kubectl up to 1.28 cannot create, apply or explain.
 * Only what our document holds is written. Messages are written from their last field to their first.
 */
import { ReverseWriter } from '#api/protobuf/writer';
import type { JsonSchema } from '#api/schema/json-schema';
import type { V2Document, V2Operation, V2Parameter, V2PathItem } from './v2.ts';

export function encodeOpenApiV2(document: V2Document): Uint8Array {
  const writer = new ReverseWriter(4 * 1024 * 1024);
  message(writer, 9, () => {
    for (const [name, schema] of Object.entries(document.definitions).toReversed())
      named(writer, 1, name, () => writeSchema(writer, schema));
  });
  message(writer, 8, () => {
    for (const [path, item] of Object.entries(document.paths).toReversed()) named(writer, 2, path, () => writePathItem(writer, item));
  });
  message(writer, 2, () => {
    text(writer, 2, document.info.version);
    text(writer, 1, document.info.title);
  });
  text(writer, 1, document.swagger);
  return writer.finish();
}

function writePathItem(writer: ReverseWriter, item: V2PathItem): void {
  for (const parameter of item.parameters.toReversed()) writeParameter(writer, 9, parameter);
  for (const [method, number] of [
    ['patch', 8],
    ['delete', 5],
    ['post', 4],
    ['put', 3],
    ['get', 2],
  ] as const) {
    const operation = item[method];
    if (operation !== undefined) message(writer, number, () => writeOperation(writer, operation));
  }
}

function writeOperation(writer: ReverseWriter, operation: V2Operation): void {
  extension(writer, 13, 'x-kubernetes-group-version-kind', operation['x-kubernetes-group-version-kind']);
  extension(writer, 13, 'x-kubernetes-action', operation['x-kubernetes-action']);
  texts(writer, 10, operation.schemes);
  message(writer, 9, () => {
    for (const [code, response] of Object.entries(operation.responses).toReversed()) {
      named(writer, 1, code, () =>
        message(writer, 1, () => {
          const { schema } = response;
          if (schema !== undefined) message(writer, 2, () => message(writer, 1, () => writeSchema(writer, schema)));
          text(writer, 1, response.description);
        }),
      );
    }
  });
  for (const parameter of operation.parameters.toReversed()) writeParameter(writer, 8, parameter);
  texts(writer, 7, operation.consumes);
  texts(writer, 6, operation.produces);
  text(writer, 5, operation.operationId);
}

/** A ParametersItem in field `number`. */
function writeParameter(writer: ReverseWriter, number: number, parameter: V2Parameter): void {
  message(writer, number, () =>
    message(writer, 1, () => {
      const { schema } = parameter;
      if (schema !== undefined) {
        message(writer, 1, () => {
          message(writer, 5, () => writeSchema(writer, schema));
          flag(writer, 4, parameter.required === true);
          text(writer, 3, parameter.in);
          text(writer, 2, parameter.name);
          if (parameter.description !== undefined) text(writer, 1, parameter.description);
        });
        return;
      }
      const inQuery = parameter.in === 'query';
      message(writer, 2, () =>
        message(writer, inQuery ? 3 : 4, () => {
          flag(writer, inQuery ? 19 : 18, parameter.uniqueItems === true);
          text(writer, inQuery ? 6 : 5, parameter.type ?? 'string');
          text(writer, 4, parameter.name);
          if (parameter.description !== undefined) text(writer, 3, parameter.description);
          text(writer, 2, parameter.in);
          flag(writer, 1, parameter.required === true);
        }),
      );
    }),
  );
}

const known = new Set(['$ref', 'format', 'description', 'default', 'required', 'type', 'items', 'properties', 'additionalProperties']);

function writeSchema(writer: ReverseWriter, schema: JsonSchema): void {
  for (const [keyword, value] of Object.entries(schema).toReversed()) {
    if (keyword.startsWith('x-')) extension(writer, 31, keyword, value);
    else if (!known.has(keyword)) throw new Error(`OpenAPI v2 in protobuf: the keyword ${keyword} has no place yet`);
  }
  if (schema.properties !== undefined) {
    message(writer, 25, () => {
      const properties = Object.entries(schema.properties as Record<string, JsonSchema>);
      for (const [name, property] of properties.toReversed()) named(writer, 1, name, () => writeSchema(writer, property));
    });
  }
  if (schema.items !== undefined) message(writer, 23, () => message(writer, 1, () => writeSchema(writer, schema.items as JsonSchema)));
  if (schema.type !== undefined) message(writer, 22, () => text(writer, 1, schema.type as string));
  if (schema.additionalProperties !== undefined) {
    message(writer, 21, () => message(writer, 1, () => writeSchema(writer, schema.additionalProperties as JsonSchema)));
  }
  if (schema.required !== undefined) texts(writer, 19, schema.required as readonly string[]);
  if (schema.default !== undefined) message(writer, 5, () => text(writer, 2, yaml(schema.default)));
  if (schema.description !== undefined) text(writer, 4, schema.description as string);
  if (schema.format !== undefined) text(writer, 2, schema.format as string);
  if (schema.$ref !== undefined) text(writer, 1, schema.$ref as string);
}

/** A NamedAny: its value is YAML, and JSON is YAML. */
function extension(writer: ReverseWriter, number: number, name: string, value: unknown): void {
  named(writer, number, name, () => text(writer, 2, yaml(value)));
}

function yaml(value: unknown): string {
  return `${JSON.stringify(value)}\n`;
}

function named(writer: ReverseWriter, number: number, name: string, value: () => void): void {
  message(writer, number, () => {
    message(writer, 2, value);
    text(writer, 1, name);
  });
}

function message(writer: ReverseWriter, number: number, content: () => void): void {
  const before = writer.length;
  content();
  writer.varint(writer.length - before);
  writer.tag(number, 2);
}

function text(writer: ReverseWriter, number: number, value: string): void {
  writer.string(value);
  writer.tag(number, 2);
}

function texts(writer: ReverseWriter, number: number, values: readonly string[]): void {
  for (const value of values.toReversed()) text(writer, number, value);
}

function flag(writer: ReverseWriter, number: number, value: boolean): void {
  if (!value) return;
  writer.varint(1);
  writer.tag(number, 0);
}
