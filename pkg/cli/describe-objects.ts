/** `berth describe`: an object, what belongs to it, and its events. */

import { apiVersionOf, type KubernetesList, type KubernetesObject } from '#api/object';
import { events } from '#api/shapes/resources';
import type { Event } from '#api/shapes/types/core-v1';
import { formatAge } from './ages.ts';
import { type Connection, pathOf } from './connection.ts';
import { describeFields } from './describe/generic.ts';
import { describers } from './describe/index.ts';
import { indentTable, type Line, renderMap, renderSections } from './describe/sections.ts';
import { lastSeen, sortEvents } from './event-order.ts';
import { type Selection, selectInFiles, selectObjects } from './selection.ts';
import { printable, renderTable } from './text-table.ts';
import { exitCodes, UsageError, type VerbContext } from './verb.ts';

export interface DescribeFlags {
  readonly allNamespaces?: boolean;
  readonly selector?: string;
  readonly filename?: readonly string[];
  readonly showEvents: boolean;
}

export async function describeObjects(
  context: VerbContext,
  connection: Connection,
  words: readonly string[],
  flags: DescribeFlags,
): Promise<number> {
  const selections =
    flags.filename === undefined ? await selectObjects(connection, words) : await selectInFiles(context, connection, flags.filename, words);
  const objects = (await Promise.all(selections.map((selection) => fetch(connection, selection, flags)))).flat();
  if (objects.length === 0) throw new UsageError('there is nothing to describe', 'berth get shows what there is.');
  for (const [index, object] of objects.entries()) {
    if (index > 0) context.stdout.write('\n\n');
    const lines = await describeObject(context, connection, object, flags.showEvents);
    context.stdout.write(lines.map((line) => `${printable(line)}\n`).join(''));
  }
  return exitCodes.ok;
}

async function fetch(connection: Connection, selection: Selection, flags: DescribeFlags): Promise<readonly KubernetesObject[]> {
  const { resource, name } = selection;
  const namespace = flags.allNamespaces ? undefined : (selection.namespace ?? connection.namespace);
  if (name !== undefined) return [await connection.json<KubernetesObject>({ path: pathOf(resource, namespace, name) })];
  const query = flags.selector === undefined ? '' : `?labelSelector=${encodeURIComponent(flags.selector)}`;
  const list = await connection.json<KubernetesList<KubernetesObject>>({ path: `${pathOf(resource, namespace)}${query}` });
  return list.items.map((item) => ({ ...item, apiVersion: apiVersionOf(resource), kind: resource.kind }));
}

async function describeObject(
  context: VerbContext,
  connection: Connection,
  object: KubernetesObject,
  showEvents: boolean,
): Promise<string[]> {
  const group = object.apiVersion.includes('/') ? object.apiVersion.split('/')[0] : '';
  const describer = describers.find((candidate) => candidate.group === group && candidate.kind === object.kind);
  const { metadata } = object;
  const head: Line[] = [
    ['Name', metadata.name],
    ['Namespace', metadata.namespace],
    ['Labels', renderMap(metadata.labels)],
    [
      'Annotations',
      renderMap(
        Object.fromEntries(Object.entries(metadata.annotations ?? {}).filter(([key]) => !key.endsWith('last-applied-configuration'))),
        ': ',
      ),
    ],
    ['Created', metadata.creationTimestamp ?? undefined],
  ];
  const body =
    describer === undefined
      ? describeFields(object)
      : await describer.describe(object, { client: connection.client, clock: context.clock });
  return [...renderSections([...head, ...body]), ...(showEvents ? await describeEvents(context, connection, object) : [])];
}

async function describeEvents(context: VerbContext, connection: Connection, object: KubernetesObject): Promise<string[]> {
  const { name = '', namespace, uid = '' } = object.metadata;
  const selector = `involvedObject.kind=${object.kind},involvedObject.name=${name}${namespace === undefined ? '' : `,involvedObject.uid=${uid}`}`;
  const found = (await connection.client.list(events, { ...(namespace === undefined ? {} : { namespace }), fieldSelector: selector }))
    .items;
  if (found.length === 0) return ['Events:  <none>'];
  return [
    'Events:',
    ...indentTable(
      renderTable({
        headers: ['Type', 'Reason', 'Age', 'From', 'Message'],
        rows: sortEvents(found).map((event) => eventRow(event, context)),
      }),
    ),
  ];
}

function eventRow(event: Event, context: VerbContext): string[] {
  const count = event.series?.count ?? event.count ?? 1;
  const age = formatAge(lastSeen(event), context.clock);
  const since = count > 1 ? `${age} (x${count} over ${formatAge(event.firstTimestamp ?? event.eventTime, context.clock)})` : age;
  return [event.type ?? '', event.reason ?? '', since, event.source?.component ?? event.reportingComponent ?? '', event.message ?? ''];
}
