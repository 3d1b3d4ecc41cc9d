/** The end of an `apply` that went well: what runs, where, and how to reach it. */
import { nodes } from '#api/shapes/resources';
import type { Pod } from '#api/shapes/types/core-v1';
import type { Connection } from './connection.ts';
import { renderTable } from './text-table.ts';
import type { VerbContext } from './verb.ts';

export interface PodLine {
  /** The service or workload that it is of. */
  readonly of: string;
  readonly pod: Pod;
}

export interface OpenPort {
  readonly of: string;
  readonly port: number;
  readonly target: number | string;
  /** `TCP` and so on. */
  readonly protocol: string;
  /** The one address of each node on which it is open; all of them unless given. */
  readonly address?: string;
}

export function printPods(context: VerbContext, heading: string, lines: readonly PodLine[]): void {
  const rows = lines
    .map(({ of, pod }) => [of, pod.metadata.name ?? '', pod.status?.phase ?? '', pod.spec.nodeName ?? '', pod.status?.podIP ?? ''])
    .toSorted((a, b) => (a.join('\0') < b.join('\0') ? -1 : 1));
  for (const line of renderTable({ headers: [heading, 'Pod', 'Status', 'Node', 'Address'], rows })) context.stdout.write(`${line}\n`);
}

export async function printPorts(context: VerbContext, connection: Connection, ports: readonly OpenPort[]): Promise<void> {
  if (ports.length === 0) return;
  const host = await nodeAddress(connection);
  const rows = ports.map((open) => [
    `  ${open.of}`,
    `${open.address === undefined ? '' : `${open.address}:`}${open.port}->${open.target}/${open.protocol.toLowerCase()}`,
    locationOf(open, host),
  ]);
  context.stdout.write('\nOpen on every node:\n');
  for (const line of renderTable({ headers: [], rows }, { headers: false })) context.stdout.write(`${line}\n`);
}

/** Where a client would find it: a URL for what is likely to speak HTTP, host:port otherwise. */
function locationOf({ port, target, protocol, address }: OpenPort, host: string): string {
  const given = address ?? host;
  const place = `${given.includes(':') ? `[${given}]` : given}:${port}`;
  if (protocol !== 'TCP') return place;
  const number = typeof target === 'number' ? target : port;
  if (number === 443 || number === 8443) return `https://${place}`;
  return webPorts.has(number) || webPorts.has(port) ? `http://${place}` : place;
}

const webPorts: ReadonlySet<number> = new Set([80, 3000, 5000, 8000, 8080, 8081, 8888, 9000, 9090]);

/** This machine where the server is on it, as after `berth up`; a node of the cluster otherwise. */
async function nodeAddress(connection: Connection): Promise<string> {
  const { hostname } = new URL(connection.options.server);
  if (hostname === '127.0.0.1' || hostname === 'localhost' || hostname === '[::1]') return '127.0.0.1';
  const [node] = (await connection.client.list(nodes)).items;
  const addresses = node?.status?.addresses ?? [];
  return (addresses.find(({ type }) => type === 'ExternalIP') ?? addresses.find(({ type }) => type === 'InternalIP'))?.address ?? hostname;
}
