/** Tables (meta.k8s.io/v1): what `kubectl get` prints. The columns are the kind's own; without any, name and age. */
import type { KubernetesObject, ListMeta } from '#api/object';

export interface Column {
  readonly name: string;
  /** As in OpenAPI: `string`, `integer`, `number`, `boolean`, `date`. */
  readonly type: string;
  readonly format?: string;
  readonly description?: string;
  /** 0 is always shown, above it only with `-o wide`. */
  readonly priority?: number;
}

/** Columns, and the cells of one object in their order. */
export interface Columns<T = KubernetesObject> {
  readonly columns: readonly Column[];
  cells(object: T, now: number): readonly unknown[];
}

export type IncludeObject = 'None' | 'Metadata' | 'Object';

export function parseIncludeObject(query: URLSearchParams): IncludeObject {
  const value = query.get('includeObject');
  return value === 'None' || value === 'Object' ? value : 'Metadata';
}

export interface TableRow {
  readonly cells: readonly unknown[];
  readonly object?: object;
}

export function makeRow(columns: Columns, object: KubernetesObject, include: IncludeObject, version: string, now: number): TableRow {
  const cells = columns.cells(object, now);
  if (include === 'None') return { cells };
  return { cells, object: include === 'Object' ? object : partialMetadata(object, version) };
}

/** `definitions` is left out where the client has them already (all but the first event of a watch). */
export function makeTable(
  version: string,
  metadata: ListMeta,
  definitions: readonly Column[] | undefined,
  rows: readonly TableRow[],
): object {
  return {
    kind: 'Table',
    apiVersion: `meta.k8s.io/${version}`,
    metadata,
    columnDefinitions: (definitions ?? []).map((column) => ({
      name: column.name,
      type: column.type,
      format: column.format ?? (column.name === 'Name' ? 'name' : ''),
      description: column.description ?? '',
      priority: column.priority ?? 0,
    })),
    rows,
  };
}

export function partialMetadata(object: KubernetesObject, version: string): object {
  return { kind: 'PartialObjectMetadata', apiVersion: `meta.k8s.io/${version}`, metadata: object.metadata };
}
