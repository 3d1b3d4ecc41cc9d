/** `berth get`: tables as the server draws them, or objects in another form; with `-w` also what changes after. */

import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { StringDecoder } from 'node:string_decoder';
import type { KubernetesList, KubernetesObject } from '#api/object';
import { compareQuantities, parseQuantity, type Quantity } from '#api/quantity';
import { hasReason, StatusError } from '#base/errors';
import { type Connection, pathOf, type RawRequest } from './connection.ts';
import { findByPath } from './json-path.ts';
import { type OutputFormat, parseOutputFormat, renderObjects } from './output.ts';
import type { MappedResource } from './resource-mapper.ts';
import { type Selection, selectInFiles, selectObjects } from './selection.ts';
import { renderTable } from './text-table.ts';
import { exitCodes, UsageError, type VerbContext } from './verb.ts';

export interface GetFlags {
  readonly output?: string;
  readonly allNamespaces?: boolean;
  readonly selector?: string;
  readonly fieldSelector?: string;
  readonly watch?: boolean;
  readonly watchOnly?: boolean;
  readonly headers: boolean;
  readonly showLabels?: boolean;
  readonly showKind?: boolean;
  readonly labelColumns?: readonly string[];
  readonly sortBy?: string;
  readonly filename?: readonly string[];
  readonly raw?: string;
  readonly ignoreNotFound?: boolean;
}

/** `meta.k8s.io/v1 Table`. */
interface Table {
  readonly metadata: { readonly resourceVersion?: string };
  readonly columnDefinitions: readonly { readonly name: string; readonly priority: number }[];
  readonly rows: readonly { readonly cells: readonly unknown[]; readonly object: KubernetesObject }[];
}

const tableAccept = 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json';

export async function getObjects(context: VerbContext, connection: Connection, words: readonly string[], flags: GetFlags): Promise<number> {
  if (flags.raw !== undefined) {
    await pipeline(await connection.stream({ path: flags.raw, accept: '*/*' }), context.stdout, { end: false, signal: context.signal });
    return exitCodes.ok;
  }
  const format = parseOutputFormat(flags.output);
  const selections =
    flags.filename === undefined ? await selectObjects(connection, words) : await selectInFiles(context, connection, flags.filename, words);
  if ((flags.watch || flags.watchOnly) && selections.length > 1) throw new UsageError('-w watches one type of resource, or one object');
  if (format.type === 'table') return await getTables(context, connection, selections, format, flags);
  const found: KubernetesObject[] = [];
  let exitCode: number = exitCodes.ok;
  for (const selection of selections) {
    try {
      found.push(...(await fetchObjects(connection, selection, flags)));
    } catch (error) {
      if (!hasReason(error, 'NotFound')) throw error;
      if (flags.ignoreNotFound) continue;
      context.stderr.write(`Error from server (NotFound): ${error.message}\n`);
      exitCode = exitCodes.error;
    }
  }
  const single = selections.length === 1 && selections[0]?.name !== undefined;
  const sorted = sortedBy(flags.sortBy, found, (object) => object);
  if (found.length > 0 || !single) context.stdout.write(renderObjects(format, sorted, single));
  if (flags.watch || flags.watchOnly) await watchObjects(context, connection, selections[0]!, format, flags);
  return exitCode;
}

async function fetchObjects(connection: Connection, selection: Selection, flags: GetFlags): Promise<readonly KubernetesObject[]> {
  const { resource, name } = selection;
  const namespace = selection.namespace ?? namespaceFor(connection, flags);
  if (name !== undefined) return [await connection.json<KubernetesObject>({ path: pathOf(resource, namespace, name) })];
  const items: KubernetesObject[] = [];
  let next = '';
  do {
    const list: KubernetesList<KubernetesObject> = await connection.json({
      path: `${pathOf(resource, namespace)}${queryOf(flags, { limit: '500', ...(next === '' ? {} : { continue: next }) })}`,
    });
    items.push(...list.items.map((item) => ({ ...item, apiVersion: list.apiVersion, kind: resource.kind })));
    next = list.metadata.continue ?? '';
  } while (next !== '');
  return items;
}

async function getTables(
  context: VerbContext,
  connection: Connection,
  selections: readonly Selection[],
  format: { readonly wide: boolean },
  flags: GetFlags,
): Promise<number> {
  let exitCode: number = exitCodes.ok;
  let printed = 0;
  const byResource = new Map<MappedResource, Selection[]>();
  for (const selection of selections) byResource.set(selection.resource, [...(byResource.get(selection.resource) ?? []), selection]);
  for (const [resource, group] of byResource) {
    const tables: Table[] = [];
    for (const selection of group) {
      try {
        tables.push(await fetchTable(connection, selection, flags));
      } catch (error) {
        const missing = hasReason(error, 'NotFound') || (byResource.size > 1 && hasReason(error, 'MethodNotAllowed'));
        if (!missing) throw error;
        if (flags.ignoreNotFound || hasReason(error, 'MethodNotAllowed')) continue;
        context.stderr.write(`Error from server (NotFound): ${(error as StatusError).message}\n`);
        exitCode = exitCodes.error;
      }
    }
    const rows = sortedBy(
      flags.sortBy,
      tables.flatMap((table) => table.rows),
      (row) => row.object,
    );
    if (rows.length > 0 && !flags.watchOnly) {
      if (printed > 0) context.stdout.write('\n');
      const prefix =
        byResource.size > 1 || flags.showKind
          ? `${resource.singular === '' ? resource.plural : resource.singular}${resource.group === '' ? '' : `.${resource.group}`}/`
          : '';
      printTable(context, { ...tables[0]!, rows }, format, flags, prefix, flags.headers);
      printed += rows.length;
    }
    if (flags.watch || flags.watchOnly) {
      await watchTable(
        context,
        connection,
        group[0]!,
        tables[0]?.metadata.resourceVersion,
        format,
        flags,
        rows.length === 0 || flags.watchOnly === true,
      );
      return exitCode;
    }
  }
  if (printed === 0 && exitCode === exitCodes.ok && !flags.ignoreNotFound) {
    const namespaced = selections.some((selection) => selection.resource.namespaced) && flags.allNamespaces !== true;
    context.stderr.write(namespaced ? `No resources found in ${connection.namespace} namespace.\n` : 'No resources found\n');
  }
  return exitCode;
}

async function fetchTable(
  connection: Connection,
  { resource, name, namespace: selectionNamespace }: Selection,
  flags: GetFlags,
): Promise<Table> {
  const namespace = namespaceFor(connection, flags);
  if (name !== undefined) {
    const query = flags.sortBy === undefined ? '' : '?includeObject=Object';
    const table = await connection.json<Table>({
      path: `${pathOf(resource, selectionNamespace ?? namespace, name)}${query}`,
      accept: tableAccept,
    });
    return { ...table, metadata: { resourceVersion: table.rows[0]?.object.metadata.resourceVersion ?? '' } };
  }
  let next = '';
  let first: Table | undefined;
  const rows: Table['rows'][number][] = [];
  do {
    const page: Table & { readonly metadata: { readonly continue?: string } } = await connection.json({
      path: `${pathOf(resource, namespace)}${queryOf(flags, {
        limit: '500',
        ...(flags.sortBy === undefined ? {} : { includeObject: 'Object' }),
        ...(next === '' ? {} : { continue: next }),
      })}`,
      accept: tableAccept,
    });
    first ??= page;
    rows.push(...page.rows);
    next = page.metadata.continue ?? '';
  } while (next !== '');
  return { ...first, rows };
}

function printTable(
  context: VerbContext,
  table: Table,
  format: { readonly wide: boolean },
  flags: GetFlags,
  prefix: string,
  headers: boolean,
): void {
  const shown = table.columnDefinitions
    .map((column, index) => ({ column, index }))
    .filter(({ column }) => format.wide || column.priority === 0);
  const withNamespace = flags.allNamespaces === true && table.rows.some((row) => row.object.metadata.namespace !== undefined);
  const rows = table.rows.map((row) => [
    ...(withNamespace ? [row.object.metadata.namespace ?? ''] : []),
    ...shown.map(({ index }, position) => `${position === 0 ? prefix : ''}${cellText(row.cells[index])}`),
    ...(flags.labelColumns ?? []).map((label) => row.object.metadata.labels?.[label] ?? ''),
    ...(flags.showLabels
      ? [
          Object.entries(row.object.metadata.labels ?? {})
            .toSorted(([a], [b]) => (a < b ? -1 : 1))
            .map(([key, value]) => `${key}=${value}`)
            .join(',') || '<none>',
        ]
      : []),
  ]);
  const names = [
    ...(withNamespace ? ['Namespace'] : []),
    ...shown.map(({ column }) => column.name),
    ...(flags.labelColumns ?? []).map((label) => label.split('/').at(-1) ?? label),
    ...(flags.showLabels ? ['Labels'] : []),
  ];
  for (const line of renderTable({ headers: names, rows }, { headers })) context.stdout.write(`${line}\n`);
}

/** By the values at a path: numbers and amounts by size, anything else as text; what has none comes first. */
function sortedBy<T>(path: string | undefined, list: readonly T[], objectOf: (item: T) => KubernetesObject): readonly T[] {
  if (path === undefined) return list;
  const keyed = list.map((item) => ({ item, key: findByPath(path, objectOf(item))[0] }));
  return keyed.toSorted((a, b) => compareValues(a.key, b.key)).map(({ item }) => item);
}

/** For --sort-by. */
export function compareValues(a: unknown, b: unknown): number {
  if (a === undefined || b === undefined) return Number(a !== undefined) - Number(b !== undefined);
  const [left, right] = [amountOf(a), amountOf(b)];
  if (left !== undefined && right !== undefined) return compareQuantities(left, right);
  const [before, after] = [textOf(a), textOf(b)];
  return before < after ? -1 : before > after ? 1 : 0;
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function amountOf(value: unknown): Quantity | undefined {
  if (typeof value !== 'number' && typeof value !== 'string') return undefined;
  try {
    return parseQuantity(String(value));
  } catch {
    return undefined;
  }
}

function cellText(cell: unknown): string {
  return cell === null || cell === undefined ? '<none>' : typeof cell === 'string' ? cell : JSON.stringify(cell);
}

async function watchTable(
  context: VerbContext,
  connection: Connection,
  selection: Selection,
  since: string | undefined,
  format: { readonly wide: boolean },
  flags: GetFlags,
  headersDue: boolean,
): Promise<void> {
  const path = watchPath(connection, selection, since, flags);
  let headers = headersDue && flags.headers;
  let definitions: Table['columnDefinitions'] = [];
  for await (const event of readEvents<Table>(connection, { path, accept: tableAccept })) {
    if (event.type === 'BOOKMARK') continue;
    if (event.object.columnDefinitions?.length > 0) definitions = event.object.columnDefinitions;
    printTable(context, { ...event.object, columnDefinitions: definitions }, format, flags, '', headers);
    headers = false;
  }
}

async function watchObjects(
  context: VerbContext,
  connection: Connection,
  selection: Selection,
  format: Exclude<OutputFormat, { type: 'table' }>,
  flags: GetFlags,
): Promise<void> {
  const path = watchPath(connection, selection, undefined, flags);
  for await (const event of readEvents<KubernetesObject>(connection, { path })) {
    if (event.type !== 'BOOKMARK')
      context.stdout.write(`${format.type === 'yaml' ? '---\n' : ''}${renderObjects(format, [event.object], true)}`);
  }
}

function watchPath(connection: Connection, { resource, name }: Selection, since: string | undefined, flags: GetFlags): string {
  const byName = name === undefined ? [] : [`metadata.name=${name}`];
  const fields = [...(flags.fieldSelector === undefined ? [] : [flags.fieldSelector]), ...byName].join(',');
  const query = queryOf(
    { ...flags, ...(fields === '' ? {} : { fieldSelector: fields }) },
    { watch: 'true', ...(since === undefined ? {} : { resourceVersion: since }) },
  );
  return `${pathOf(resource, namespaceFor(connection, flags))}${query}`;
}

/** The events of a watch, until it ends or --request-timeout ends it. Throws the `StatusError` of an ERROR event. */
async function* readEvents<T>(connection: Connection, request: RawRequest): AsyncGenerator<{ readonly type: string; readonly object: T }> {
  const stream = await connection.stream(request);
  try {
    yield* readLines<T>(stream);
  } catch (error) {
    if (!connection.hasExpired(stream)) throw error;
  }
}

async function* readLines<T>(stream: Readable): AsyncGenerator<{ readonly type: string; readonly object: T }> {
  const decoder = new StringDecoder('utf8');
  let rest = '';
  for await (const chunk of stream) {
    const lines = (rest + decoder.write(chunk as Buffer)).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      if (line === '') continue;
      const event = JSON.parse(line) as { type: string; object: T };
      if (event.type === 'ERROR') throw StatusError.fromStatus(event.object as object);
      yield event;
    }
  }
}

function namespaceFor(connection: Connection, flags: GetFlags): string | undefined {
  return flags.allNamespaces ? undefined : connection.namespace;
}

function queryOf(flags: Pick<GetFlags, 'selector' | 'fieldSelector'>, more: Record<string, string>): string {
  const query = new URLSearchParams(more);
  if (flags.selector !== undefined) query.set('labelSelector', flags.selector);
  if (flags.fieldSelector !== undefined) query.set('fieldSelector', flags.fieldSelector);
  return `?${query.toString()}`;
}
