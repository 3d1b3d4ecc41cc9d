/** Columns of tables, each with the function that fills it. */
import { humanDuration } from './human-duration.ts';
import type { Column, TableColumns } from './kind.ts';
import type { KubernetesObject } from './object.ts';
import { millisecondsOf } from './schema/time.ts';

export interface FilledColumn<T extends KubernetesObject> extends Column {
  cell(object: T, now: number): unknown;
}

export function tableColumns<T extends KubernetesObject>(filled: readonly FilledColumn<T>[]): TableColumns<T> {
  return {
    columns: filled.map((column) => definitionOf(column)),
    cells: (object, now) => filled.map((column) => column.cell(object, now)),
  };
}

/** The column without the function that fills it. */
export function definitionOf(filled: Column): Column {
  const { name, type, format, description, priority } = filled;
  return {
    name,
    type,
    ...(format === undefined ? {} : { format }),
    ...(description === undefined ? {} : { description }),
    ...(priority === undefined ? {} : { priority }),
  };
}

export const nameColumn: FilledColumn<KubernetesObject> = {
  name: 'Name',
  type: 'string',
  format: 'name',
  description: 'Name must be unique within a namespace.',
  cell: (object) => object.metadata.name ?? '',
};

export const ageColumn: FilledColumn<KubernetesObject> = {
  name: 'Age',
  type: 'string',
  description: 'How long ago the object was created.',
  cell: (object, now) => ageOf(object.metadata.creationTimestamp, now),
};

/** How long ago a time was, as kubectl spells it. */
export function ageOf(time: string | null | undefined, now: number): string {
  const then = millisecondsOf(time);
  return then === undefined ? '<unknown>' : humanDuration(now - then);
}

/** A column that only `-o wide` shows. */
export function wide<T extends KubernetesObject>(column: FilledColumn<T>): FilledColumn<T> {
  return { ...column, priority: 1 };
}

export const nameAndAge: TableColumns<KubernetesObject> = tableColumns([nameColumn, ageColumn]);

/** Of kinds for which Kubernetes has no table of its own: the time itself, not an age. */
export const createdAtColumns: TableColumns<KubernetesObject> = tableColumns([
  nameColumn,
  {
    name: 'Created At',
    type: 'date',
    description: 'When the object was created.',
    cell: (object) => object.metadata.creationTimestamp ?? null,
  },
]);
