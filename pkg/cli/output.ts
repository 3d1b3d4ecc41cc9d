/** `-o`: how objects are written out, as kubectl does: keys in order, YAML that YAML 1.1 readers take as it was meant. Tables come from the server. */
import { stringify } from 'yaml';
import type { KubernetesObject } from '#api/object';
import { findByPath, renderJsonPath } from './json-path.ts';
import { renderTable } from './text-table.ts';
import { UsageError } from './verb.ts';

export type OutputFormat =
  | { readonly type: 'table'; readonly wide: boolean }
  | { readonly type: 'name' | 'json' | 'yaml' }
  | { readonly type: 'jsonpath'; readonly template: string }
  | { readonly type: 'columns'; readonly columns: readonly { readonly header: string; readonly path: string }[] };

/** Reads the value of `-o`. Throws `UsageError` that lists what there is. */
export function parseOutputFormat(text: string | undefined): OutputFormat {
  if (text === undefined || text === '' || text === 'wide') return { type: 'table', wide: text === 'wide' };
  if (text === 'name' || text === 'json' || text === 'yaml') return { type: text };
  const [type = '', value = ''] = splitOnce(text);
  if (type === 'jsonpath' && value !== '') return { type: 'jsonpath', template: value };
  if (type === 'custom-columns' && value !== '') {
    const columns = value.split(',').map((column) => {
      const [header = '', path = ''] = splitOnce(column, ':');
      if (path === '') throw new UsageError(`custom-columns: "${column}" is not HEADER:.path`);
      return { header, path };
    });
    return { type: 'columns', columns };
  }
  throw new UsageError(
    `unknown output format "${text}"`,
    'One of: wide, name, json, yaml, jsonpath=TEMPLATE, custom-columns=HEADER:.path,…',
  );
}

/** The text for objects in any format but a table. `single`: the user named one object, which is written bare instead of in a List. */
export function renderObjects(
  format: Exclude<OutputFormat, { type: 'table' }>,
  objects: readonly KubernetesObject[],
  single: boolean,
): string {
  const whole =
    single && objects.length === 1 ? objects[0] : { apiVersion: 'v1', kind: 'List', metadata: { resourceVersion: '' }, items: objects };
  switch (format.type) {
    case 'name':
      return objects.map((object) => `${nameOf(object)}\n`).join('');
    case 'json':
      return `${JSON.stringify(sortKeys(whole), undefined, 4)}\n`;
    case 'yaml':
      return renderYaml(whole);
    case 'jsonpath':
      return renderJsonPath(format.template, whole);
    case 'columns': {
      const rows = objects.map((object) =>
        format.columns.map(
          ({ path }) =>
            findByPath(path, object)
              .map((value) => (typeof value === 'string' ? value : JSON.stringify(value)))
              .join(',') || '<none>',
        ),
      );
      return renderTable({ headers: format.columns.map(({ header }) => header), rows })
        .map((line) => `${line}\n`)
        .join('');
    }
  }
}

/** One document, which `apply` and kubectl read back as it was: what YAML 1.1 takes for a boolean, a number or a time is quoted. */
export function renderYaml(value: unknown): string {
  return stringify(sortKeys(value), { version: '1.1', lineWidth: 0, aliasDuplicateObjects: false, indentSeq: false });
}

/** The same value, its keys in order. */
export function sortKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sortKeys);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, item]) => [key, sortKeys(item)]),
  );
}

/** `pod/x`, `deployment.apps/x`. */
export function nameOf(object: KubernetesObject): string {
  const group = object.apiVersion.includes('/') ? `.${object.apiVersion.split('/')[0]}` : '';
  return `${object.kind.toLowerCase()}${group}/${object.metadata.name ?? ''}`;
}

function splitOnce(text: string, separator = '='): [string, string] {
  const index = text.indexOf(separator);
  return index < 0 ? [text, ''] : [text.slice(0, index), text.slice(index + 1)];
}
