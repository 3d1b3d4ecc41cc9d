/** `berth events`: what happened, oldest first. */
import { events } from '#api/shapes/resources';
import type { Event } from '#api/shapes/types/core-v1';
import { formatAge } from './ages.ts';
import type { Connection } from './connection.ts';
import { lastSeen, sortEvents } from './event-order.ts';
import { selectObjects } from './selection.ts';
import { renderTable } from './text-table.ts';
import { exitCodes, type VerbContext } from './verb.ts';

export interface EventFlags {
  readonly allNamespaces?: boolean;
  readonly for?: string;
  readonly watch?: boolean;
  readonly types?: string;
}

export async function printEvents(context: VerbContext, connection: Connection, flags: EventFlags): Promise<number> {
  const scope = flags.allNamespaces ? {} : { namespace: connection.namespace };
  let fieldSelector: string | undefined;
  if (flags.for !== undefined) {
    const [selection] = await selectObjects(connection, [flags.for]);
    fieldSelector = `involvedObject.kind=${selection!.resource.kind},involvedObject.name=${selection!.name ?? ''}`;
  }
  const options = { ...scope, ...(fieldSelector === undefined ? {} : { fieldSelector }) };
  const wanted = flags.types?.split(',').map((type) => type.trim().toLowerCase());
  const shown = (event: Event): boolean => wanted === undefined || wanted.includes((event.type ?? '').toLowerCase());
  const list = await connection.client.list(events, options);
  const found = sortEvents(list.items.filter(shown));
  const headers = [...(flags.allNamespaces ? ['Namespace'] : []), 'Last Seen', 'Type', 'Reason', 'Object', 'Message'];
  const row = (event: Event): string[] => [...(flags.allNamespaces ? [event.metadata.namespace ?? ''] : []), ...eventCells(event, context)];
  if (found.length === 0 && !flags.watch)
    context.stderr.write(flags.allNamespaces ? 'No events found.\n' : `No events found in ${connection.namespace} namespace.\n`);
  else for (const line of renderTable({ headers, rows: found.map(row) })) context.stdout.write(`${line}\n`);
  if (flags.watch) {
    for await (const change of connection.client.watch(
      events,
      { ...options, resourceVersion: list.metadata.resourceVersion ?? '' },
      context.signal,
    )) {
      if ((change.type === 'ADDED' || change.type === 'MODIFIED') && shown(change.object)) {
        for (const line of renderTable({ headers, rows: [row(change.object)] }, { headers: false })) context.stdout.write(`${line}\n`);
      }
    }
  }
  return exitCodes.ok;
}

function eventCells(event: Event, context: VerbContext): string[] {
  const count = event.series?.count ?? event.count ?? 1;
  const age = formatAge(lastSeen(event), context.clock);
  return [
    count > 1 ? `${age} (x${count} over ${formatAge(event.firstTimestamp ?? event.eventTime, context.clock)})` : age,
    event.type ?? '',
    event.reason ?? '',
    `${event.involvedObject.kind ?? ''}/${event.involvedObject.name ?? ''}`,
    event.message ?? '',
  ];
}
