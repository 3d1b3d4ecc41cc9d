/**
 * What the node's DNS server knows, as lookup tables made once from the assigned objects: services and their endpoints by name, the names that
 * Compose networks give them, and which pod asks from which address. Pure.
 */
import { isIPv4 } from 'node:net';
import type { Service } from '#api/shapes/types/core-v1';
import type { Endpoint, EndpointSlice } from '#api/shapes/types/discovery-v1';
import { isReady, keyOf, slicesByService } from '../services/service-ports.ts';
import { type NetworkState, protocolOf } from '../state.ts';

export interface ServiceRecords {
  /** `name.namespace`, lower case. */
  readonly name: string;
  /** The cluster address, or those of the ready endpoints. */
  readonly addresses: readonly string[];
  /** Where the name is another's (`ExternalName`). */
  readonly alias?: string;
  /** Names below the service's own; for headless services. */
  readonly hosts: ReadonlyMap<string, readonly string[]>;
  readonly ports: readonly { readonly name: string; readonly protocol: string; readonly port: number; readonly host: string }[];
}

export interface Zone {
  /** Without a dot at the end, lower case: `cluster.local`. */
  readonly domain: string;
  /** By `name.namespace`. */
  readonly services: ReadonlyMap<string, ServiceRecords>;
  readonly namespaces: ReadonlySet<string>;
  /** By network, then by name: addresses. */
  readonly networks: ReadonlyMap<string, ReadonlyMap<string, readonly string[]>>;
  /** The networks of the pod with this address. */
  readonly networksOfPod: ReadonlyMap<string, readonly string[]>;
  /** Full names by address. */
  readonly reverse: ReadonlyMap<string, readonly string[]>;
}

export const networkNamesAnnotation = 'berth.dev/network-names';

export function zoneOf(state: NetworkState, domain: string): Zone {
  const slices = slicesByService(state.endpointSlices);
  const services = new Map<string, ServiceRecords>();
  const namespaces = new Set<string>();
  const networks = new Map<string, Map<string, string[]>>();
  const reverse = new Map<string, string[]>();
  const suffix = `svc.${domain.toLowerCase()}`;
  for (const service of state.services) {
    const records = recordsOf(service, slices.get(keyOf(service)) ?? []);
    services.set(records.name, records);
    namespaces.add((service.metadata.namespace ?? '').toLowerCase());
    if (isHeadless(service)) {
      for (const [host, addresses] of records.hosts)
        for (const address of addresses) append(reverse, address, `${host}.${records.name}.${suffix}`);
    } else {
      for (const address of records.addresses) append(reverse, address, `${records.name}.${suffix}`);
    }
    for (const [network, names] of networkNamesOf(service)) {
      const known = networks.get(network) ?? new Map<string, string[]>();
      networks.set(network, known);
      for (const name of names) known.set(name.toLowerCase(), [...(known.get(name.toLowerCase()) ?? []), ...records.addresses]);
    }
  }
  const networksOfPod = new Map(state.pods.flatMap((pod) => pod.addresses.map((address) => [address, pod.networks] as const)));
  return { domain: domain.toLowerCase(), services, namespaces, networks, networksOfPod, reverse };
}

function isHeadless({ spec }: Service): boolean {
  return spec.type !== 'ExternalName' && (spec.clusterIP === undefined || spec.clusterIP === '' || spec.clusterIP === 'None');
}

function recordsOf(service: Service, slices: readonly EndpointSlice[]): ServiceRecords {
  const { spec, metadata } = service;
  const name = `${metadata.name ?? ''}.${metadata.namespace ?? ''}`.toLowerCase();
  if (spec.type === 'ExternalName') {
    return { name, addresses: [], alias: (spec.externalName ?? '').replace(/\.$/, ''), hosts: new Map(), ports: [] };
  }
  if (!isHeadless(service)) {
    const ports = (spec.ports ?? []).map((port) => ({
      name: port.name ?? '',
      protocol: protocolOf(port.protocol),
      port: port.port,
      host: '',
    }));
    return { name, addresses: (spec.clusterIPs ?? [spec.clusterIP ?? '']).filter(isIPv4), hosts: new Map(), ports };
  }
  const usable = (endpoint: Endpoint): boolean => spec.publishNotReadyAddresses === true || isReady(endpoint);
  const hosts = new Map<string, string[]>();
  const ports = new Map<string, ServiceRecords['ports'][number]>();
  for (const slice of slices) {
    for (const endpoint of (slice.endpoints ?? []).filter(usable)) {
      for (const address of endpoint.addresses.filter(isIPv4)) {
        const host = (endpoint.hostname ?? address.replaceAll('.', '-')).toLowerCase();
        append(hosts, host, address);
        for (const port of slice.ports ?? []) {
          if (port.port === undefined) continue;
          const record = { name: port.name ?? '', protocol: protocolOf(port.protocol), port: port.port, host };
          ports.set(JSON.stringify(record), record);
        }
      }
    }
  }
  return { name, addresses: [...new Set([...hosts.values()].flat())], hosts, ports: [...ports.values()] };
}

/** The annotation's JSON: a map from a network to names. What cannot be read gives no names. */
function networkNamesOf(service: Service): [string, string[]][] {
  const text = service.metadata.annotations?.[networkNamesAnnotation];
  if (text === undefined) return [];
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return [];
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) return [];
  return Object.entries(parsed).map(([network, names]) => [
    network,
    Array.isArray(names) ? names.filter((name): name is string => typeof name === 'string') : [],
  ]);
}

function append(map: Map<string, string[]>, key: string, value: string): void {
  const known = map.get(key);
  if (known === undefined) map.set(key, [value]);
  else if (!known.includes(value)) known.push(value);
}
