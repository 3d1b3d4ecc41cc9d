import { jsonSchemasOf, schemaNameOf } from '#api/schema/json-schema';
import type { TypeTable } from '#api/schema/type-table';
import type { DiscoveredResource } from '../discovery/discovery.ts';
import { type ApiOperation, kindDescriptions, type OperationParameter, pathsOf } from './operations.ts';

const replyMediaTypes = ['application/json', 'application/yaml', 'application/vnd.kubernetes.protobuf'];

/** The OpenAPI v3 document of the resources of one group and version. */
export function openApiV3(resources: readonly DiscoveredResource[], table: TypeTable, version: string): object {
  const types = new Set<string>();
  const paths: Record<string, object> = {};
  for (const entry of resources.flatMap((resource) => pathsOf(resource, table))) {
    const item: Record<string, unknown> = { parameters: entry.parameters.map(parameter) };
    for (const operation of entry.operations) {
      for (const type of [operation.bodyType, operation.replyType]) if (type !== undefined) types.add(type);
      item[operation.method] = describe(operation);
    }
    paths[entry.path] = item;
  }
  return {
    openapi: '3.0.0',
    info: { title: 'Kubernetes', version },
    paths,
    components: {
      schemas: jsonSchemasOf(table, types, 'v3', kindDescriptions(resources, table)),
      securitySchemes: { BearerToken: { type: 'apiKey', in: 'header', name: 'authorization', description: 'Bearer Token authentication' } },
    },
  };
}

function describe(operation: ApiOperation): object {
  return {
    operationId: operation.id,
    ...(operation.parameters.length === 0 ? {} : { parameters: operation.parameters.map(parameter) }),
    ...(operation.bodyType === undefined ? {} : { requestBody: { content: content(operation.bodyMediaTypes, operation.bodyType) } }),
    responses: {
      200: {
        description: 'OK',
        ...(operation.replyType === undefined ? {} : { content: content(replyMediaTypes, operation.replyType) }),
      },
      401: { description: 'Unauthorized' },
    },
    'x-kubernetes-action': operation.action,
    'x-kubernetes-group-version-kind': operation.kind,
  };
}

function content(mediaTypes: readonly string[], type: string): object {
  const schema = { $ref: `#/components/schemas/${schemaNameOf(type)}` };
  return Object.fromEntries(mediaTypes.map((mediaType) => [mediaType, { schema }]));
}

function parameter(from: OperationParameter): object {
  return {
    name: from.name,
    in: from.in,
    description: from.description,
    ...(from.required ? { required: true } : {}),
    schema: { type: from.type, uniqueItems: true },
  };
}
