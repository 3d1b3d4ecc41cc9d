import { describe, expect, test } from '@jest/globals';
import { typeTable } from '#api/schema/type-table';
import { resourceTable } from '#api/shapes/resource-table';
import type { DiscoveredResource } from '../discovery/discovery.ts';
import { OpenApi } from './openapi.ts';

const resources: DiscoveredResource[] = resourceTable.map((entry) => ({
  ...entry,
  singular: entry.kind.toLowerCase(),
  subresources: entry.subresources.map((subresource) => ({
    ...subresource,
    kind: { group: entry.group, version: entry.version, kind: subresource.kind },
  })),
}));
const openApi = new OpenApi(resources, typeTable, 'v1.33.0');

function references(value: unknown, found = new Set<string>()): Set<string> {
  if (typeof value === 'object' && value !== null) {
    for (const [key, member] of Object.entries(value)) {
      if (key === '$ref' && typeof member === 'string') found.add(member);
      else references(member, found);
    }
  }
  return found;
}

interface Document {
  paths: Record<string, Record<string, { operationId: string; parameters: { name: string }[]; 'x-kubernetes-group-version-kind': object }>>;
  definitions: Record<string, object>;
  components: { schemas: Record<string, object> };
}

const parse = (bytes: Uint8Array | undefined): Document => JSON.parse(Buffer.from(bytes ?? []).toString()) as Document;

describe('OpenAPI', () => {
  test('v2 defines all that it refers to', () => {
    const document = parse(openApi.v2Json().bytes);
    for (const reference of references(document))
      expect(Object.keys(document.definitions)).toContain(reference.replace('#/definitions/', ''));
  });

  test('v3 has a document for each path of its index, and each defines all that it refers to', () => {
    const index = openApi.index() as { paths: Record<string, { serverRelativeURL: string }> };
    expect(Object.keys(index.paths)).toContain('apis/apps/v1');
    for (const [path, { serverRelativeURL }] of Object.entries(index.paths)) {
      expect(serverRelativeURL).toMatch(new RegExp(`^/openapi/v3/${path}\\?hash=[0-9A-F]{64}$`));
      const document = parse(openApi.v3(path)?.bytes);
      for (const reference of references(document)) {
        expect(Object.keys(document.components.schemas)).toContain(reference.replace('#/components/schemas/', ''));
      }
    }
    expect(openApi.v3('apis/none/v1')).toBeUndefined();
  });

  test('tells which parameters a patch takes, for which kind, which is how kubectl learns that it may validate', () => {
    for (const document of [parse(openApi.v2Json().bytes), parse(openApi.v3('apis/apps/v1')?.bytes)]) {
      const patch = document.paths['/apis/apps/v1/namespaces/{namespace}/deployments/{name}']?.patch;
      expect(patch?.parameters.map((parameter) => parameter.name)).toEqual(
        expect.arrayContaining(['fieldValidation', 'dryRun', 'fieldManager']),
      );
      expect(patch?.['x-kubernetes-group-version-kind']).toEqual({ group: 'apps', version: 'v1', kind: 'Deployment' });
    }
  });

  test('names each operation once', () => {
    const ids = Object.values(parse(openApi.v2Json().bytes).paths).flatMap((item) =>
      Object.values(item).flatMap((operation) => operation.operationId ?? []),
    );
    expect(ids.length).toBe(new Set(ids).size);
    expect(ids).toEqual(
      expect.arrayContaining([
        'listCoreV1NamespacedPod',
        'listCoreV1PodForAllNamespaces',
        'readCoreV1Node',
        'patchAppsV1NamespacedDeploymentStatus',
      ]),
    );
  });

  test('v2 in protobuf is well-formed', () => {
    const bytes = openApi.v2Protobuf().bytes;
    expect(topLevelFields(bytes)).toEqual([1, 2, 8, 9]);
  });
});

function topLevelFields(bytes: Uint8Array): number[] {
  const fields: number[] = [];
  for (let at = 0; at < bytes.length; ) {
    const tag = bytes[at++]!;
    expect(tag & 7).toBe(2);
    fields.push(tag >> 3);
    let length = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[at++]!;
      length += (byte & 127) * 2 ** shift;
      if (byte < 128) break;
    }
    at += length;
  }
  return fields;
}
