/** The EndpointSlices that Endpoints written by hand stand for: pure. One slice per family of addresses and set of ports. */
import { isIP } from 'node:net';
import { deepEqual } from '#api/equality';
import { canonicalJson } from '#api/hash';
import { endpoints as resource } from '#api/shapes/resources';
import type { EndpointPort as CorePort, EndpointAddress, Endpoints, Service } from '#api/shapes/types/core-v1';
import type { Endpoint, EndpointPort, EndpointSlice } from '#api/shapes/types/discovery-v1';
import { byAge, controllerReference } from '../owner.ts';
import { type EndpointSlicePlan, managedByLabel, serviceNameLabel } from './plan.ts';

export const mirroredBy = 'endpointslicemirroring-controller.k8s.io';
const skipLabel = 'endpointslice.kubernetes.io/skip-mirror';
/** Locks of elections were once kept in Endpoints. */
const leaderAnnotation = 'control-plane.alpha.kubernetes.io/leader';
const notCopied: ReadonlySet<string> = new Set([
  'endpoints.kubernetes.io/last-change-trigger-time',
  'kubectl.kubernetes.io/last-applied-configuration',
]);
/** As many of a subset as a slice may have. */
const mostAddresses = 1000;

/** Whether slices follow these Endpoints: those of a Service with a selector have slices from its pods. */
export function isMirrored(object: Endpoints | undefined, service: Service | undefined): boolean {
  if (object === undefined || service === undefined) return false;
  if (object.metadata.deletionTimestamp !== undefined || service.metadata.deletionTimestamp !== undefined) return false;
  if (service.spec.type === 'ExternalName' || Object.keys(service.spec.selector ?? {}).length > 0) return false;
  return object.metadata.labels?.[skipLabel] !== 'true' && object.metadata.annotations?.[leaderAnnotation] === undefined;
}

/** `existing`: the slices that mirror them already. */
export function planMirror(object: Endpoints, existing: readonly EndpointSlice[]): EndpointSlicePlan {
  const create: EndpointSlicePlan['create'][number][] = [];
  const update: EndpointSlice[] = [];
  const left = new Set(existing.filter(({ metadata }) => metadata.deletionTimestamp === undefined));
  const { labels, annotations } = copiedMetadata(object);
  for (const { addressType, ports, endpoints } of groupsOf(object)) {
    const same = [...left].filter((slice) => slice.addressType === addressType && deepEqual(slice.ports ?? [], ports)).toSorted(byAge)[0];
    if (same === undefined) {
      create.push({
        metadata: {
          generateName: `${object.metadata.name}-`,
          namespace: object.metadata.namespace ?? '',
          labels,
          annotations,
          ownerReferences: [controllerReference(object, resource)],
        },
        addressType,
        endpoints,
        ports,
      });
      continue;
    }
    left.delete(same);
    const isSame =
      deepEqual(same.endpoints ?? [], endpoints) &&
      deepEqual(same.metadata.labels ?? {}, labels) &&
      deepEqual(same.metadata.annotations ?? {}, annotations);
    if (!isSame) update.push({ ...same, metadata: { ...same.metadata, labels, annotations }, endpoints });
  }
  return { create, update, remove: [...left] };
}

function copiedMetadata({ metadata }: Endpoints): { labels: Record<string, string>; annotations: Record<string, string> } {
  const annotations = Object.fromEntries(Object.entries(metadata.annotations ?? {}).filter(([key]) => !notCopied.has(key)));
  return { labels: { ...metadata.labels, [serviceNameLabel]: metadata.name ?? '', [managedByLabel]: mirroredBy }, annotations };
}

interface Group {
  readonly addressType: string;
  readonly ports: EndpointPort[];
  readonly endpoints: Endpoint[];
}

/** Subsets with the same ports are one group; an address that is there twice counts once, as ready if it is so anywhere. */
function groupsOf({ subsets = [] }: Endpoints): Group[] {
  const groups = new Map<string, { group: Group; seen: Set<string> }>();
  for (const { addresses = [], notReadyAddresses = [], ports = [] } of subsets) {
    const own = ports.map(portOf);
    const add = (address: EndpointAddress, ready: boolean): void => {
      const addressType = isIP(address.ip) === 6 ? 'IPv6' : 'IPv4';
      const key = canonicalJson([addressType, own]);
      const found = groups.get(key) ?? { group: { addressType, ports: own, endpoints: [] }, seen: new Set<string>() };
      groups.set(key, found);
      if (found.seen.has(address.ip) || found.group.endpoints.length >= mostAddresses) return;
      found.seen.add(address.ip);
      found.group.endpoints.push(endpointOf(address, ready));
    };
    for (const address of addresses) add(address, true);
    for (const address of notReadyAddresses) add(address, false);
  }
  return [...groups.values()].map(({ group }) => group);
}

function portOf({ name = '', port, protocol = 'TCP', appProtocol }: CorePort): EndpointPort {
  return { name, port, protocol, ...(appProtocol === undefined ? {} : { appProtocol }) };
}

function endpointOf({ ip, hostname, nodeName, targetRef }: EndpointAddress, ready: boolean): Endpoint {
  return {
    addresses: [ip],
    conditions: { ready },
    ...(hostname === undefined || hostname === '' ? {} : { hostname }),
    ...(nodeName === undefined ? {} : { nodeName }),
    ...(targetRef === undefined ? {} : { targetRef }),
  };
}
