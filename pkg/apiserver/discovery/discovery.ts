/**
 * What the server serves, as clients ask for it: the aggregated documents (apidiscovery.k8s.io v2, and v2beta1 for older clients)
 * and the legacy ones, all made from the one list of served resources.
 */
import { createHash } from 'node:crypto';

export interface ServedSubresource {
  readonly name: string;
  /** The kind that it takes and gives, with its own group and version where they differ from the resource's. */
  readonly kind: { readonly group: string; readonly version: string; readonly kind: string };
  readonly verbs: readonly string[];
}

export interface DiscoveredResource {
  readonly group: string;
  readonly version: string;
  readonly plural: string;
  readonly singular: string;
  readonly kind: string;
  readonly namespaced: boolean;
  readonly verbs: readonly string[];
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
  readonly subresources: readonly ServedSubresource[];
  /** What it is, in one sentence. */
  readonly description?: string;
}

interface GroupVersion {
  readonly version: string;
  readonly resources: readonly DiscoveredResource[];
}

interface Group {
  readonly name: string;
  /** The preferred one first. */
  readonly versions: readonly GroupVersion[];
}

export interface DiscoveryDocument {
  readonly body: object;
  readonly etag: string;
}

export class Discovery {
  readonly #groups: readonly Group[];
  readonly #documents = new Map<string, DiscoveryDocument>();

  constructor(resources: readonly DiscoveredResource[]) {
    this.#groups = groupResources(resources);
  }

  /** `/api` (the core group) or `/apis` (all others) as one document. */
  aggregated(root: 'api' | 'apis', version: 'v2' | 'v2beta1'): DiscoveryDocument {
    return this.#document(`${root} ${version}`, () => ({
      kind: 'APIGroupDiscoveryList',
      apiVersion: `apidiscovery.k8s.io/${version}`,
      metadata: {},
      items: this.#groups.filter((group) => (group.name === '') === (root === 'api')).map(aggregatedGroup),
    }));
  }

  /** `/api`: the versions of the core group. `serverAddress` is where the client reached the server. */
  versions(serverAddress: string): DiscoveryDocument {
    return this.#document(`versions ${serverAddress}`, () => ({
      kind: 'APIVersions',
      versions: (this.#groups.find((group) => group.name === '')?.versions ?? []).map((entry) => entry.version),
      serverAddressByClientCIDRs: [{ clientCIDR: '0.0.0.0/0', serverAddress }],
    }));
  }

  /** `/apis`. */
  groups(): DiscoveryDocument {
    return this.#document('groups', () => ({
      kind: 'APIGroupList',
      apiVersion: 'v1',
      groups: this.#groups.filter((group) => group.name !== '').map(legacyGroup),
    }));
  }

  /** `/apis/GROUP`; undefined when there is none. */
  group(name: string): DiscoveryDocument | undefined {
    const group = this.#groups.find((candidate) => candidate.name === name && name !== '');
    return group && this.#document(`group ${name}`, () => ({ kind: 'APIGroup', apiVersion: 'v1', ...legacyGroup(group) }));
  }

  /** `/api/v1`, `/apis/GROUP/VERSION`; undefined when there is none. */
  resources(group: string, version: string): DiscoveryDocument | undefined {
    const found = this.#groups.find((candidate) => candidate.name === group)?.versions.find((entry) => entry.version === version);
    return (
      found &&
      this.#document(`resources ${group}/${version}`, () => ({
        kind: 'APIResourceList',
        ...(group === '' ? {} : { apiVersion: 'v1' }),
        groupVersion: group === '' ? version : `${group}/${version}`,
        resources: found.resources.flatMap(legacyResources),
      }))
    );
  }

  /** Group and version of everything served: `['', 'v1']`, `['apps', 'v1']`, … */
  groupVersions(): readonly (readonly [group: string, version: string])[] {
    return this.#groups.flatMap((group) => group.versions.map((entry) => [group.name, entry.version] as const));
  }

  #document(key: string, make: () => object): DiscoveryDocument {
    let document = this.#documents.get(key);
    if (document === undefined) {
      const body = make();
      document = { body, etag: `"${createHash('sha512').update(JSON.stringify(body)).digest('hex').toUpperCase()}"` };
      if (this.#documents.size < 1000) this.#documents.set(key, document);
    }
    return document;
  }
}

function groupResources(resources: readonly DiscoveredResource[]): readonly Group[] {
  const groups = new Map<string, Map<string, DiscoveredResource[]>>();
  for (const resource of resources) {
    const versions = groups.get(resource.group) ?? new Map<string, DiscoveredResource[]>();
    groups.set(resource.group, versions);
    const list = versions.get(resource.version) ?? [];
    versions.set(resource.version, list);
    list.push(resource);
  }
  return [...groups].map(([name, versions]) => ({
    name,
    versions: [...versions]
      .map(([version, list]) => ({ version, resources: list.toSorted((a, b) => (a.plural < b.plural ? -1 : 1)) }))
      .toSorted((a, b) => compareVersions(a.version, b.version)),
  }));
}

/** Kubernetes' order of versions, the most stable and newest first: v2, v1, v1beta2, v1beta1, v1alpha1, then any other by name. */
export function compareVersions(a: string, b: string): number {
  const [left, right] = [rank(a), rank(b)];
  for (let at = 0; at < left.length; at++) {
    const difference = right[at]! - left[at]!;
    if (difference !== 0) return difference;
  }
  return a < b ? -1 : a > b ? 1 : 0;
}

function rank(version: string): readonly [number, number, number] {
  const match = /^v([1-9]\d*)(?:(alpha|beta)([1-9]\d*))?$/.exec(version);
  if (match === null) return [0, 0, 0];
  const stability = match[2] === undefined ? 3 : match[2] === 'beta' ? 2 : 1;
  return [stability, Number(match[1]), Number(match[3] ?? 0)];
}

function aggregatedGroup(group: Group): object {
  return {
    metadata: group.name === '' ? {} : { name: group.name },
    versions: group.versions.map((entry) => ({
      version: entry.version,
      freshness: 'Current',
      resources: entry.resources.map((resource) => ({
        resource: resource.plural,
        responseKind: { group: resource.group, version: resource.version, kind: resource.kind },
        scope: resource.namespaced ? 'Namespaced' : 'Cluster',
        singularResource: resource.singular,
        verbs: resource.verbs,
        ...(resource.shortNames.length === 0 ? {} : { shortNames: resource.shortNames }),
        ...(resource.categories.length === 0 ? {} : { categories: resource.categories }),
        ...(resource.subresources.length === 0
          ? {}
          : {
              subresources: resource.subresources.map((subresource) => ({
                subresource: subresource.name,
                responseKind: subresource.kind,
                verbs: subresource.verbs,
              })),
            }),
      })),
    })),
  };
}

function legacyGroup(group: Group): object {
  const versions = group.versions.map((entry) => ({ groupVersion: `${group.name}/${entry.version}`, version: entry.version }));
  return { name: group.name, versions, preferredVersion: versions[0] };
}

function legacyResources(resource: DiscoveredResource): object[] {
  return [
    {
      name: resource.plural,
      singularName: resource.singular,
      namespaced: resource.namespaced,
      kind: resource.kind,
      verbs: resource.verbs,
      ...(resource.shortNames.length === 0 ? {} : { shortNames: resource.shortNames }),
      ...(resource.categories.length === 0 ? {} : { categories: resource.categories }),
      ...(resource.verbs.includes('list') ? { storageVersionHash: versionHash(resource) } : {}),
    },
    ...resource.subresources.map((subresource) => ({
      name: `${resource.plural}/${subresource.name}`,
      singularName: '',
      namespaced: resource.namespaced,
      kind: subresource.kind.kind,
      verbs: subresource.verbs,
      ...(subresource.kind.group === resource.group && subresource.kind.version === resource.version
        ? {}
        : { group: subresource.kind.group, version: subresource.kind.version }),
    })),
  ];
}

function versionHash(resource: DiscoveredResource): string {
  return createHash('sha256').update(`${resource.group}/${resource.version}/${resource.kind}`).digest().subarray(0, 8).toString('base64');
}
