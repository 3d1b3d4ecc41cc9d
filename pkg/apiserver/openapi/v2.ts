import { type JsonSchema, jsonSchemasOf, schemaNameOf } from '#api/schema/json-schema';
import type { TypeTable } from '#api/schema/type-table';
import type { DiscoveredResource } from '../discovery/discovery.ts';
import { type ApiOperation, type GroupVersionKind, kindDescriptions, type OperationParameter, pathsOf } from './operations.ts';

export interface V2Parameter {
  readonly name: string;
  readonly in: 'path' | 'query' | 'body';
  readonly description?: string;
  readonly required?: boolean;
  readonly type?: string;
  readonly uniqueItems?: boolean;
  readonly schema?: JsonSchema;
}

export interface V2Operation {
  readonly operationId: string;
  readonly consumes: readonly string[];
  readonly produces: readonly string[];
  readonly schemes: readonly string[];
  readonly parameters: readonly V2Parameter[];
  readonly responses: Readonly<Record<string, { readonly description: string; readonly schema?: JsonSchema }>>;
  readonly 'x-kubernetes-action': string;
  readonly 'x-kubernetes-group-version-kind': GroupVersionKind;
}

export type V2PathItem = { readonly [method in 'get' | 'put' | 'post' | 'delete' | 'patch']?: V2Operation } & {
  readonly parameters: readonly V2Parameter[];
};

export interface V2Document {
  readonly swagger: '2.0';
  readonly info: { readonly title: string; readonly version: string };
  readonly paths: Readonly<Record<string, V2PathItem>>;
  readonly definitions: Readonly<Record<string, JsonSchema>>;
}

const produces = ['application/json', 'application/yaml', 'application/vnd.kubernetes.protobuf'];

/** The OpenAPI v2 document of everything served. Every reference in it is defined in it: old clients end themselves on one that is not. */
export function openApiV2(resources: readonly DiscoveredResource[], table: TypeTable, version: string): V2Document {
  const types = new Set<string>();
  const paths: Record<string, V2PathItem> = {};
  for (const entry of resources.flatMap((resource) => pathsOf(resource, table))) {
    const operations: [string, V2Operation][] = [];
    for (const operation of entry.operations) {
      for (const type of [operation.bodyType, operation.replyType]) if (type !== undefined) types.add(type);
      operations.push([operation.method, describe(operation)]);
    }
    paths[entry.path] = { parameters: entry.parameters.map(parameter), ...Object.fromEntries(operations) };
  }
  return {
    swagger: '2.0',
    info: { title: 'Kubernetes', version },
    paths,
    definitions: jsonSchemasOf(table, types, 'v2', kindDescriptions(resources, table)),
  };
}

function describe(operation: ApiOperation): V2Operation {
  const body: V2Parameter[] =
    operation.bodyType === undefined
      ? []
      : [{ name: 'body', in: 'body', required: operation.method !== 'delete', schema: reference(operation.bodyType) }];
  return {
    operationId: operation.id,
    consumes: operation.bodyMediaTypes,
    produces,
    schemes: ['https'],
    parameters: [...body, ...operation.parameters.map(parameter)],
    responses: {
      200: { description: 'OK', ...(operation.replyType === undefined ? {} : { schema: reference(operation.replyType) }) },
      401: { description: 'Unauthorized' },
    },
    'x-kubernetes-action': operation.action,
    'x-kubernetes-group-version-kind': operation.kind,
  };
}

function reference(type: string): JsonSchema {
  return { $ref: `#/definitions/${schemaNameOf(type)}` };
}

function parameter(from: OperationParameter): V2Parameter {
  return {
    name: from.name,
    in: from.in,
    description: from.description,
    ...(from.required ? { required: true } : {}),
    type: from.type,
    uniqueItems: true,
  };
}
