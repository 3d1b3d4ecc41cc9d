/** Everything that this server serves, as its HTTP face needs it: for discovery, OpenAPI, routes and tables. */

import type { TableColumns } from '#api/kind';
import type { KubernetesObject, ResourceType } from '#api/object';
import type { ServedKind } from '#api/registry';
import { typeTable } from '#api/schema/type-table';
import { nameAndAge } from '#api/table-columns';
import type { DiscoveredResource } from '../discovery/discovery.ts';

export interface PublishedResource extends DiscoveredResource {
  readonly type: ResourceType;
  readonly columns: TableColumns<KubernetesObject>;
  /** The object as `columns` read it. */
  columnForm(object: KubernetesObject): KubernetesObject;
}

/** Subresources that are answered by taking over the connection: any method opens them. */
const streams = new Set(['exec', 'attach', 'portforward']);

export class PublishedResources {
  readonly all: readonly PublishedResource[];
  readonly #byPath = new Map<string, PublishedResource>();

  /** `more` are the resources that no kind stands behind: reviews and actions. */
  constructor(kinds: readonly ServedKind[], more: readonly DiscoveredResource[]) {
    this.all = [...kinds.map(fromKind), ...more.map(withoutKind)];
    for (const resource of this.all) this.#byPath.set(`${resource.group}/${resource.version}/${resource.plural}`, resource);
  }

  find(group: string, version: string, plural: string): PublishedResource | undefined {
    return this.#byPath.get(`${group}/${version}/${plural}`);
  }
}

function fromKind({ kind, version, resource }: ServedKind): PublishedResource {
  const { group } = resource;
  return {
    group,
    version: resource.version,
    plural: resource.plural,
    singular: kind.names.singular,
    kind: kind.kind,
    namespaced: resource.namespaced,
    verbs: kind.verbs,
    shortNames: kind.names.shortNames,
    categories: kind.names.categories,
    subresources: kind.subresources.map((subresource) => ({
      name: subresource.name,
      // A kind says its subresources for its stored version; through another version they have that one's kind.
      kind: subresource.kind.kind === kind.kind ? { group, version: resource.version, kind: kind.kind } : subresource.kind,
      verbs: streams.has(subresource.name) ? ['create', 'get'] : subresource.verbs,
    })),
    ...(kind.description === undefined ? {} : { description: kind.description }),
    type: resource,
    columns: kind.columns,
    columnForm: (object) => version.toStored?.(object) ?? object,
  };
}

function withoutKind(resource: DiscoveredResource): PublishedResource {
  const { group, version, plural, kind, namespaced } = resource;
  return { ...resource, type: { group, version, plural, kind, namespaced }, columns: nameAndAge, columnForm: (object) => object };
}

/** The type of a kind in the type table, where it can be written in protobuf. */
export function protobufTypeOf(group: string, version: string, kind: string): string | undefined {
  if (kind === 'PartialObjectMetadata' || kind === 'PartialObjectMetadataList') return `meta.v1.${kind}`;
  if (kind === 'DeleteOptions') return 'meta.v1.DeleteOptions';
  return typeTable.nameOfKind(group, version, kind);
}
