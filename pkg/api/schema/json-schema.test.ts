import { expect, test } from '@jest/globals';
import { jsonSchemaOf, jsonSchemasOf, schemaNameOf } from './json-schema.ts';
import { typeTable } from './type-table.ts';

test('a type has its fields, what is required, and the keywords that patches and apply read', () => {
  const spec = jsonSchemaOf(typeTable, 'core.v1.PodSpec', 'v2') as { properties: Record<string, unknown>; required: string[] };
  expect(spec.required).toEqual(['containers']);
  expect(spec.properties.containers).toEqual({
    description: 'The containers that run side by side; at least one.',
    type: 'array',
    items: { $ref: '#/definitions/io.k8s.api.core.v1.Container' },
    'x-kubernetes-list-type': 'map',
    'x-kubernetes-list-map-keys': ['name'],
    'x-kubernetes-patch-strategy': 'merge',
    'x-kubernetes-patch-merge-key': 'name',
  });
  expect(spec.properties.nodeSelector).toEqual({
    description: 'Labels that its node must have.',
    type: 'object',
    additionalProperties: { type: 'string' },
    'x-kubernetes-map-type': 'atomic',
  });
});

test('v3 wraps references, v2 does not', () => {
  const description = 'The pods that it makes.';
  const v3 = jsonSchemaOf(typeTable, 'apps.v1.DeploymentSpec', 'v3') as { properties: Record<string, unknown> };
  expect(v3.properties.template).toEqual({
    description,
    allOf: [{ $ref: '#/components/schemas/io.k8s.api.core.v1.PodTemplateSpec' }],
    default: {},
  });
  const v2 = jsonSchemaOf(typeTable, 'apps.v1.DeploymentSpec', 'v2') as { properties: Record<string, unknown> };
  expect(v2.properties.template).toEqual({ description, $ref: '#/definitions/io.k8s.api.core.v1.PodTemplateSpec' });
});

test('a kind is described by what is said of it, and by what every kind has', () => {
  const kinds = new Map([['core.v1.ConfigMap', 'Settings.']]);
  expect(jsonSchemasOf(typeTable, ['core.v1.ConfigMap'], 'v2', kinds)[schemaNameOf('core.v1.ConfigMap')]).toMatchObject({
    description: 'Settings.',
    properties: { kind: { description: 'What the object is.', type: 'string' }, data: { description: 'Entries, by name.' } },
  });
});

test('every type of the table has a schema, and no reference is left open', () => {
  for (const dialect of ['v2', 'v3'] as const) {
    const schemas = jsonSchemasOf(typeTable, typeTable.names(), dialect);
    expect(Object.keys(schemas)).toHaveLength(new Set(typeTable.names().map(schemaNameOf)).size);
    const open = [...JSON.stringify(schemas).matchAll(/"\$ref":"#\/(?:definitions|components\/schemas)\/([^"]+)"/g)]
      .map((match) => match[1] ?? '')
      .filter((name) => !Object.hasOwn(schemas, name));
    expect(open).toEqual([]);
  }
});
