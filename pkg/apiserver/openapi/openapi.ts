/**
 * The OpenAPI documents, each made when first asked for and then kept: v3 by group and version, v2 as JSON and as protobuf.
 */
import { createHash } from 'node:crypto';
import { fieldDescriptions } from '#api/descriptions';
import type { TypeTable } from '#api/schema/type-table';
import { table as typeSource } from '#api/shapes/table';
import type { DiscoveredResource } from '../discovery/discovery.ts';
import { openApiV2, type V2Document } from './v2.ts';
import { encodeOpenApiV2 } from './v2-protobuf.ts';
import { openApiV3 } from './v3.ts';

export interface OpenApiDocument {
  readonly bytes: Uint8Array;
  readonly etag: string;
}

export class OpenApi {
  readonly #resources: readonly DiscoveredResource[];
  readonly #table: TypeTable;
  readonly #version: string;
  readonly #documents = new Map<string, OpenApiDocument>();
  #v2: V2Document | undefined;

  /** `version` is the server's, as in `/version`. */
  constructor(resources: readonly DiscoveredResource[], table: TypeTable, version: string) {
    this.#resources = resources;
    this.#table = table;
    this.#version = version;
  }

  /** `/openapi/v3`: where the documents are, with a hash of each, so that clients may keep them. */
  index(): object {
    const paths = new Set(this.#resources.map(groupVersionPath));
    // Of what the documents are made of, so that they need not be made for it.
    const hash = createHash('sha256')
      .update(JSON.stringify([this.#version, this.#resources, typeSource, fieldDescriptions]))
      .digest('hex')
      .toUpperCase();
    return {
      paths: Object.fromEntries([...paths].map((path) => [path, { serverRelativeURL: `/openapi/v3/${path}?hash=${hash}` }])),
    };
  }

  /** `path` is `api/v1` or `apis/GROUP/VERSION`; undefined when nothing is served there. */
  v3(path: string): OpenApiDocument | undefined {
    const resources = this.#resources.filter((resource) => groupVersionPath(resource) === path);
    if (resources.length === 0) return undefined;
    return this.#keep(path, () => Buffer.from(JSON.stringify(openApiV3(resources, this.#table, this.#version))));
  }

  v2Json(): OpenApiDocument {
    return this.#keep('v2 json', () => Buffer.from(JSON.stringify(this.#v2Document())));
  }

  v2Protobuf(): OpenApiDocument {
    return this.#keep('v2 protobuf', () => encodeOpenApiV2(this.#v2Document()));
  }

  #v2Document(): V2Document {
    this.#v2 ??= openApiV2(this.#resources, this.#table, this.#version);
    return this.#v2;
  }

  #keep(key: string, make: () => Uint8Array): OpenApiDocument {
    let document = this.#documents.get(key);
    if (document === undefined) {
      const bytes = make();
      document = { bytes, etag: `"${createHash('sha256').update(bytes).digest('hex').toUpperCase()}"` };
      this.#documents.set(key, document);
    }
    return document;
  }
}

function groupVersionPath(resource: DiscoveredResource): string {
  return resource.group === '' ? `api/${resource.version}` : `apis/${resource.group}/${resource.version}`;
}
