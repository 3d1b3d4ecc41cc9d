/** Ports of Services that a node could not open: it says so in events, since the pods behind them are well. */
import { events } from '#api/shapes/resources';
import type { Connection } from './connection.ts';
import { lastSeen } from './event-order.ts';

/** A line for each, of what was told since then (milliseconds since 1970) of the Services with these uids. */
export async function portProblems(
  connection: Connection,
  namespace: string,
  uids: ReadonlySet<string | undefined>,
  since: number,
): Promise<string[]> {
  const found = (await connection.client.list(events, { namespace, fieldSelector: 'reason=PortUnavailable,involvedObject.kind=Service' }))
    .items;
  const lines = found
    .filter((event) => uids.has(event.involvedObject.uid ?? '') && Date.parse(lastSeen(event)) >= since)
    .map((event) => `${event.message ?? ''}${event.source?.host === undefined ? '' : ` (node ${event.source.host})`}`);
  return [...new Set(lines)];
}
