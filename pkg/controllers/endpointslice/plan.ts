/** The EndpointSlices that a Service needs, from its pods: pure. Endpoints stay in the slice where they are, so that a change touches one slice. */
import { deepEqual } from '#api/equality';
import { canonicalJson } from '#api/hash';
import { isTerminal } from '#api/pod-phase';
import { services } from '#api/shapes/resources';
import type { Pod, Service, ServicePort } from '#api/shapes/types/core-v1';
import type { Endpoint, EndpointPort, EndpointSlice } from '#api/shapes/types/discovery-v1';
import type { Draft } from '#client/client';
import { byAge, controllerReference } from '../owner.ts';
import { isReady } from '../pod-state.ts';

export const serviceNameLabel = 'kubernetes.io/service-name';
export const managedByLabel = 'endpointslice.kubernetes.io/managed-by';
export const managedBy = 'endpointslice-controller.k8s.io';
const headlessLabel = 'service.kubernetes.io/headless';
const endpointsPerSlice = 100;

export interface EndpointSlicePlan {
  readonly create: readonly Draft<EndpointSlice>[];
  readonly update: readonly EndpointSlice[];
  readonly remove: readonly EndpointSlice[];
}

/** What of a node endpoints tell: its zone. */
export type ZoneOf = (nodeName: string) => string | undefined;

export function isHeadless(service: Service): boolean {
  return service.spec.clusterIP === 'None';
}

/** Whether endpoints of this Service are ours to make: not without a selector, and not for a mere name. */
export function hasEndpoints(service: Service): boolean {
  return service.spec.type !== 'ExternalName' && Object.keys(service.spec.selector ?? {}).length > 0;
}

/** `pods`: those that the Service's selector selects. `existing`: the slices that we made for it. */
export function planEndpointSlices(
  service: Service,
  pods: readonly Pod[],
  existing: readonly EndpointSlice[],
  zoneOf: ZoneOf,
): EndpointSlicePlan {
  const create: Draft<EndpointSlice>[] = [];
  const update: EndpointSlice[] = [];
  const remove: EndpointSlice[] = [];
  const left = new Set(existing.filter(({ metadata }) => metadata.deletionTimestamp === undefined));
  for (const family of service.spec.ipFamilies ?? ['IPv4']) {
    const groups = groupByPorts(service, pods, family, zoneOf);
    // A Service without endpoints has one empty slice: what watches slices learns that the Service exists.
    if (groups.size === 0) groups.set('', { ports: [], endpoints: [] });
    for (const { ports, endpoints } of groups.values()) {
      const same = [...left].filter((slice) => slice.addressType === family && deepEqual(slice.ports ?? [], ports)).toSorted(byAge);
      for (const slice of same) left.delete(slice);
      const contents = distribute(same, endpoints);
      for (const [slice, content] of contents.kept) {
        const wanted = { ...slice, metadata: { ...slice.metadata, labels: labelsOf(service) }, endpoints: content };
        if (!deepEqual({ ...slice, endpoints: slice.endpoints ?? [] }, wanted)) update.push(wanted);
      }
      remove.push(...contents.emptied);
      for (const content of contents.added) create.push(newSlice(service, family, ports, content));
    }
  }
  remove.push(...left);
  return { create, update, remove };
}

interface Group {
  readonly ports: readonly EndpointPort[];
  readonly endpoints: Endpoint[];
}

/** Pods may resolve a named port to different numbers: each set of numbers has slices of its own. */
function groupByPorts(service: Service, pods: readonly Pod[], family: string, zoneOf: ZoneOf): Map<string, Group> {
  const groups = new Map<string, Group>();
  for (const pod of pods) {
    const address = addressOf(pod, family);
    if (address === undefined || isTerminal(pod)) continue;
    const ports = portsFor(service, pod);
    if (ports.length === 0 && (service.spec.ports ?? []).length > 0) continue;
    const key = canonicalJson(ports);
    const group = groups.get(key) ?? { ports, endpoints: [] };
    group.endpoints.push(endpointOf(service, pod, address, zoneOf));
    groups.set(key, group);
  }
  return groups;
}

function addressOf(pod: Pod, family: string): string | undefined {
  const addresses = [...(pod.status?.podIPs ?? []).map(({ ip }) => ip), pod.status?.podIP];
  return addresses.find((address) => address !== undefined && address !== '' && address.includes(':') === (family === 'IPv6'));
}

export function portsFor(service: Service, pod: Pod): EndpointPort[] {
  return (service.spec.ports ?? []).flatMap((port) => {
    const number = targetOf(port, pod);
    if (number === undefined) return [];
    return [
      {
        name: port.name ?? '',
        port: number,
        protocol: port.protocol ?? 'TCP',
        ...(port.appProtocol === undefined ? {} : { appProtocol: port.appProtocol }),
      },
    ];
  });
}

function targetOf({ targetPort, port, protocol = 'TCP' }: ServicePort, pod: Pod): number | undefined {
  if (targetPort === undefined || targetPort === 0 || targetPort === '') return port;
  if (typeof targetPort === 'number') return targetPort;
  const sidecars = (pod.spec.initContainers ?? []).filter(({ restartPolicy }) => restartPolicy === 'Always');
  for (const container of [...pod.spec.containers, ...sidecars]) {
    const found = container.ports?.find((each) => each.name === targetPort && (each.protocol ?? 'TCP') === protocol);
    if (found !== undefined) return found.containerPort;
  }
  return undefined;
}

function endpointOf(service: Service, pod: Pod, address: string, zoneOf: ZoneOf): Endpoint {
  const { namespace = '', name = '', uid = '', deletionTimestamp } = pod.metadata;
  const serving = isReady(pod);
  const terminating = deletionTimestamp !== undefined;
  const { hostname, subdomain, nodeName } = pod.spec;
  const zone = nodeName === undefined ? undefined : zoneOf(nodeName);
  return {
    addresses: [address],
    conditions: { ready: service.spec.publishNotReadyAddresses === true || (serving && !terminating), serving, terminating },
    ...(hostname !== undefined && hostname !== '' && subdomain === service.metadata.name ? { hostname } : {}),
    ...(nodeName === undefined ? {} : { nodeName }),
    ...(zone === undefined ? {} : { zone }),
    targetRef: { kind: 'Pod', namespace, name, uid },
  };
}

/** Leaves each endpoint where it is, fills what room there is, then new slices; a slice that would be empty goes, but for the only one. */
function distribute(
  slices: readonly EndpointSlice[],
  endpoints: readonly Endpoint[],
): { kept: [EndpointSlice, Endpoint[]][]; emptied: EndpointSlice[]; added: Endpoint[][] } {
  const wanted = new Map(endpoints.map((endpoint) => [endpoint.targetRef?.uid ?? endpoint.addresses[0] ?? '', endpoint]));
  const kept = slices.map((slice): [EndpointSlice, Endpoint[]] => {
    const content: Endpoint[] = [];
    for (const present of slice.endpoints ?? []) {
      const key = present.targetRef?.uid ?? present.addresses[0] ?? '';
      const now = wanted.get(key);
      if (now !== undefined) content.push(now);
      wanted.delete(key);
    }
    return [slice, content];
  });
  const rest = [...wanted.values()];
  for (const [, content] of kept) content.push(...rest.splice(0, Math.max(0, endpointsPerSlice - content.length)));
  const added: Endpoint[][] = [];
  while (rest.length > 0) added.push(rest.splice(0, endpointsPerSlice));
  const filled = kept.filter(([, content]) => content.length > 0);
  if (filled.length > 0 || added.length > 0)
    return { kept: filled, emptied: kept.filter(([, content]) => content.length === 0).map(([slice]) => slice), added };
  const [first, ...others] = kept;
  if (first === undefined) return { kept: [], emptied: [], added: [[]] };
  return { kept: [first], emptied: others.map(([slice]) => slice), added };
}

function labelsOf(service: Service): Record<string, string> {
  return {
    ...service.metadata.labels,
    [serviceNameLabel]: service.metadata.name ?? '',
    [managedByLabel]: managedBy,
    ...(isHeadless(service) ? { [headlessLabel]: '' } : {}),
  };
}

function newSlice(service: Service, addressType: string, ports: readonly EndpointPort[], endpoints: Endpoint[]): Draft<EndpointSlice> {
  return {
    metadata: {
      generateName: `${service.metadata.name}-`,
      namespace: service.metadata.namespace ?? '',
      labels: labelsOf(service),
      ownerReferences: [controllerReference(service, services)],
    },
    addressType,
    endpoints,
    ports: [...ports],
  };
}
