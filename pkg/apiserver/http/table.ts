/** Tables (meta.k8s.io): what `kubectl get` prints. The columns and cells are the kind's own. */
import type { Column } from '#api/kind';
import type { KubernetesObject, ListMeta } from '#api/object';
import { StatusError } from '#base/errors';
import type { PublishedResource } from './published-resources.ts';

export type IncludeObject = 'None' | 'Metadata' | 'Object';

/** Throws `BadRequest` for what it cannot be. */
export function parseIncludeObject(query: URLSearchParams): IncludeObject {
  const value = query.get('includeObject') ?? '';
  if (value === '') return 'Metadata';
  if (value === 'None' || value === 'Object' || value === 'Metadata') return value;
  throw new StatusError(
    'BadRequest',
    `Unable to convert to Table as requested: includeObject: Invalid value: ${JSON.stringify(value)}: must be 'Metadata', 'Object', 'None', or empty`,
  );
}

export interface TableRow {
  readonly cells: readonly unknown[];
  readonly object?: object;
}

/** `now` is in milliseconds since 1970. */
export function makeRow(
  resource: Pick<PublishedResource, 'columns' | 'columnForm'>,
  object: KubernetesObject,
  include: IncludeObject,
  version: string,
  now: number,
): TableRow {
  const cells = resource.columns.cells(resource.columnForm(object), now);
  if (include === 'None') return { cells };
  return { cells, object: include === 'Object' ? object : partialMetadata(object, version) };
}

/** The rows stand last, so that they can be written one by one. `columns` is left out where the client has them (all but a watch's first event). */
export function makeTable(version: string, metadata: ListMeta, columns: readonly Column[] | undefined, rows: readonly object[]): object {
  return {
    kind: 'Table',
    apiVersion: `meta.k8s.io/${version}`,
    metadata,
    columnDefinitions: (columns ?? []).map(({ name, type, format, description, priority }) => ({
      name,
      type,
      format: format ?? '',
      description: description ?? '',
      priority: priority ?? 0,
    })),
    rows,
  };
}

export function partialMetadata(object: KubernetesObject, version: string): object {
  return { kind: 'PartialObjectMetadata', apiVersion: `meta.k8s.io/${version}`, metadata: object.metadata };
}
