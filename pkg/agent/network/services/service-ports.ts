/**
 * From Services, EndpointSlices and host ports to what must be forwarded: one entry a port, with its addresses and where each kind of traffic goes.
 * Pure. How that is said to the kernel: rules.ts.
 */

import { isIPv4 } from 'node:net';
import type { Service, ServicePort as ServicePortSpec } from '#api/shapes/types/core-v1';
import type { Endpoint, EndpointSlice } from '#api/shapes/types/discovery-v1';
import { type NetworkState, type Protocol, protocolOf } from '../state.ts';

export interface Target {
  readonly address: string;
  readonly port: number;
}

/** A port of this node; without an address, on all of the node's. */
export interface NodePort {
  readonly address?: string;
  readonly port: number;
}

export interface ForwardedPort {
  readonly owner: { readonly kind: 'Service' | 'Pod'; readonly namespace: string; readonly name: string };
  /** Unique among all: `Service/namespace/name/port/protocol`. */
  readonly id: string;
  readonly protocol: Protocol;
  /** Addresses that exist for this service alone: cluster addresses, external ones. */
  readonly virtual: readonly Target[];
  readonly node: readonly NodePort[];
  /** For traffic to the cluster addresses. */
  readonly internal: readonly Target[];
  /** For traffic from outside: node ports and external addresses. */
  readonly external: readonly Target[];
  readonly affinity: boolean;
  /** Who may use the node's ports; empty: everyone. */
  readonly sourceRanges: readonly string[];
  /** Virtual addresses that count as outside. */
  readonly externalAddresses: readonly string[];
}

export const hostAddressesAnnotation = 'berth.dev/host-addresses';
const serviceNameLabel = 'kubernetes.io/service-name';

/** What came of a service before: right as long as the service and its slices are the same objects, which are never changed in place. */
export type PortsCache = WeakMap<Service, { readonly slices: readonly EndpointSlice[]; readonly ports: readonly ForwardedPort[] }>;

export function forwardedPorts(state: NetworkState, nodeName: string, cache: PortsCache = new WeakMap()): ForwardedPort[] {
  const byService = slicesByService(state.endpointSlices);
  const ofService = (service: Service): readonly ForwardedPort[] => {
    const slices = byService.get(keyOf(service)) ?? [];
    const known = cache.get(service);
    if (known !== undefined && known.slices.length === slices.length && known.slices.every((slice, index) => slice === slices[index]))
      return known.ports;
    const ports = portsOfService(service, slices, nodeName);
    cache.set(service, { slices, ports });
    return ports;
  };
  return [...state.services.flatMap(ofService), ...state.pods.flatMap(portsOfPod)];
}

export function keyOf(object: { readonly metadata: { readonly namespace?: string; readonly name?: string } }): string {
  return `${object.metadata.namespace ?? ''}/${object.metadata.name ?? ''}`;
}

export function slicesByService(slices: readonly EndpointSlice[]): Map<string, EndpointSlice[]> {
  const byService = new Map<string, EndpointSlice[]>();
  for (const slice of slices) {
    const name = slice.metadata.labels?.[serviceNameLabel];
    if (name === undefined || slice.addressType !== 'IPv4') continue;
    const key = `${slice.metadata.namespace ?? ''}/${name}`;
    const known = byService.get(key);
    if (known === undefined) byService.set(key, [slice]);
    else known.push(slice);
  }
  return byService;
}

function portsOfService(service: Service, slices: readonly EndpointSlice[], nodeName: string): ForwardedPort[] {
  const { spec, metadata } = service;
  const clusterAddresses = (spec.clusterIPs ?? [spec.clusterIP ?? '']).filter(isIPv4);
  if (spec.type === 'ExternalName' || clusterAddresses.length === 0) return [];
  const externalAddresses = [
    ...(spec.externalIPs ?? []),
    // Those in the mode Proxy are another's, the nodes' own for instance.
    ...(service.status?.loadBalancer?.ingress ?? []).flatMap(({ ip, ipMode }) => (ipMode === 'Proxy' ? [] : (ip ?? []))),
  ].filter(isIPv4);
  const hostAddresses = parseHostAddresses(metadata.annotations?.[hostAddressesAnnotation]);
  return (spec.ports ?? []).map((port) => {
    const protocol = protocolOf(port.protocol);
    const all = endpointsOf(slices, port, protocol);
    const internal = spec.internalTrafficPolicy === 'Local' ? all.filter((endpoint) => endpoint.nodeName === nodeName) : all;
    const external = spec.externalTrafficPolicy === 'Local' ? all.filter((endpoint) => endpoint.nodeName === nodeName) : all;
    return {
      owner: { kind: 'Service' as const, namespace: metadata.namespace ?? '', name: metadata.name ?? '' },
      id: `Service/${keyOf(service)}/${port.port}/${protocol}`,
      protocol,
      virtual: [...new Set([...clusterAddresses, ...externalAddresses])].map((address) => ({ address, port: port.port })),
      externalAddresses,
      node: nodePortsOf(service, port, hostAddresses(`${port.port}/${protocol}`)),
      internal: internal.map(({ target }) => target),
      external: external.map(({ target }) => target),
      affinity: spec.sessionAffinity === 'ClientIP',
      sourceRanges: (spec.loadBalancerSourceRanges ?? []).filter((range) => isIPv4(range.split('/')[0] ?? '')),
    };
  });
}

/** A LoadBalancer's own port is opened on the node too: every node is the balancer (docs/decisions/0002). */
function nodePortsOf(service: Service, port: ServicePortSpec, restricted: readonly string[] | undefined): NodePort[] {
  const { type } = service.spec;
  const nodePort =
    port.nodePort !== undefined && port.nodePort > 0 && (type === 'NodePort' || type === 'LoadBalancer') ? [{ port: port.nodePort }] : [];
  if (type !== 'LoadBalancer' || service.spec.loadBalancerClass !== undefined) return nodePort;
  const anywhere = restricted === undefined || restricted.includes('0.0.0.0');
  const published = anywhere ? [{ port: port.port }] : restricted.filter(isIPv4).map((address) => ({ address, port: port.port }));
  return [...nodePort, ...published];
}

/** The annotation's JSON: `port/protocol` to addresses. What cannot be read opens the port nowhere rather than everywhere. */
function parseHostAddresses(text: string | undefined): (key: string) => readonly string[] | undefined {
  if (text === undefined) return () => undefined;
  const closed = (): readonly string[] => [];
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return closed;
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) return closed;
  const entries = Object.entries(parsed).map(([key, addresses]): [string, readonly string[]] => [
    key.toLowerCase(),
    Array.isArray(addresses) ? addresses.filter((address) => typeof address === 'string') : [],
  ]);
  const known = new Map(entries);
  return (key) => known.get(key);
}

interface FoundEndpoint {
  readonly target: Target;
  readonly nodeName: string | undefined;
}

/** The ready ones; when there is none, those that are being ended but still serve. Sorted, so that equal states give equal rules. */
function endpointsOf(slices: readonly EndpointSlice[], port: ServicePortSpec, protocol: Protocol): FoundEndpoint[] {
  const found = (usable: (endpoint: Endpoint) => boolean): FoundEndpoint[] => {
    const byAddress = new Map<string, FoundEndpoint>();
    for (const slice of slices) {
      const slicePort = (slice.ports ?? []).find(
        (candidate) => (candidate.name ?? '') === (port.name ?? '') && protocolOf(candidate.protocol) === protocol,
      );
      if (slicePort?.port === undefined) continue;
      for (const endpoint of slice.endpoints ?? []) {
        const address = endpoint.addresses[0];
        if (address === undefined || !isIPv4(address) || !usable(endpoint)) continue;
        byAddress.set(`${address}:${slicePort.port}`, { target: { address, port: slicePort.port }, nodeName: endpoint.nodeName });
      }
    }
    return [...byAddress].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, endpoint]) => endpoint);
  };
  const ready = found(isReady);
  return ready.length > 0 ? ready : found(({ conditions }) => conditions?.serving === true && conditions.terminating === true);
}

/** An endpoint that says nothing counts as ready. */
export function isReady(endpoint: Endpoint): boolean {
  return endpoint.conditions?.ready !== false;
}

function portsOfPod(pod: NetworkState['pods'][number]): ForwardedPort[] {
  const address = pod.addresses.find(isIPv4);
  if (address === undefined) return [];
  return pod.hostPorts.map(({ protocol, containerPort, hostPort, hostAddress }) => ({
    owner: { kind: 'Pod', namespace: pod.namespace, name: pod.name },
    id: `Pod/${pod.namespace}/${pod.name}/${hostPort}/${protocol}/${hostAddress}`,
    protocol,
    virtual: [],
    externalAddresses: [],
    node: [hostAddress === '' || hostAddress === '0.0.0.0' ? { port: hostPort } : { address: hostAddress, port: hostPort }],
    internal: [],
    external: [{ address, port: containerPort }],
    affinity: false,
    sourceRanges: [],
  }));
}
