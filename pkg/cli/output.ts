/** `-o`: how objects are written out. Tables come from the server and are printed by print-table.ts. */
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
      return `${JSON.stringify(whole, undefined, 4)}\n`;
    case 'yaml':
      return stringify(whole, { lineWidth: 0, aliasDuplicateObjects: false });
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

/** `pod/x`, `deployment.apps/x`. */
export function nameOf(object: KubernetesObject): string {
  const group = object.apiVersion.includes('/') ? `.${object.apiVersion.split('/')[0]}` : '';
  return `${object.kind.toLowerCase()}${group}/${object.metadata.name ?? ''}`;
}

function splitOnce(text: string, separator = '='): [string, string] {
  const index = text.indexOf(separator);
  return index < 0 ? [text, ''] : [text.slice(0, index), text.slice(index + 1)];
}
