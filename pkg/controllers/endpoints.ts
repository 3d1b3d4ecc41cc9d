/** Endpoints: the older form of EndpointSlices, for what still reads it (`kubectl describe service` up to 1.30). Follows the same pods. */
import { deepEqual } from '#api/equality';
import { canonicalJson } from '#api/hash';
import { isTerminal } from '#api/pod-phase';
import { endpoints, pods, services } from '#api/shapes/resources';
import type { EndpointAddress, EndpointSubset, Endpoints, Pod, Service } from '#api/shapes/types/core-v1';
import { hasReason } from '#base/errors';
import { splitKey } from '#client/informer';
import { defineController, mapped, own } from './controller.ts';
import { answering, podsOf, servicesSelecting } from './endpointslice/endpointslice.ts';
import { hasEndpoints, isHeadless, portsFor } from './endpointslice/plan.ts';
import { controllerReference } from './owner.ts';
import { isReady } from './pod-state.ts';

/** As many as Kubernetes writes; EndpointSlices have them all. */
const mostAddresses = 1000;

export const endpointsController = defineController({
  name: 'endpoint',
  watches: () => [own(services), own(endpoints), mapped(pods, servicesSelecting, answering)],
  reconcile: async (key, { client, store }) => {
    const service = store(services).get(key);
    if (service === undefined || service.metadata.deletionTimestamp !== undefined || !hasEndpoints(service)) return undefined;
    const { name, namespace = '' } = splitKey(key);
    const subsets = subsetsOf(service, podsOf(service, store(pods)));
    const labels = { ...service.metadata.labels, ...(isHeadless(service) ? { 'service.kubernetes.io/headless': '' } : {}) };
    const present = store(endpoints).get(key);
    if (present === undefined) {
      const ownerReferences = [controllerReference(service, services)];
      try {
        await client.create(endpoints, { metadata: { name, namespace, labels, ownerReferences }, subsets });
      } catch (error) {
        if (!hasReason(error, 'AlreadyExists')) throw error;
      }
    } else if (!deepEqual(present.subsets ?? [], subsets) || !deepEqual(present.metadata.labels ?? {}, labels)) {
      await client.update(endpoints, { ...present, metadata: { ...present.metadata, labels }, subsets });
    }
    return undefined;
  },
});

/** Pure: addresses grouped by the ports that they answer on. */
export function subsetsOf(service: Service, selected: readonly Pod[]): NonNullable<Endpoints['subsets']> {
  const groups = new Map<string, { ports: ReturnType<typeof portsFor>; ready: EndpointAddress[]; notReady: EndpointAddress[] }>();
  for (const pod of selected.slice(0, mostAddresses)) {
    const { podIP = '' } = pod.status ?? {};
    if (podIP === '' || isTerminal(pod) || pod.metadata.deletionTimestamp !== undefined) continue;
    const ports = portsFor(service, pod);
    if (ports.length === 0 && (service.spec.ports ?? []).length > 0) continue;
    const key = canonicalJson(ports);
    const group = groups.get(key) ?? { ports, ready: [], notReady: [] };
    const isServed = isReady(pod) || service.spec.publishNotReadyAddresses === true;
    (isServed ? group.ready : group.notReady).push(addressOf(service, pod, podIP));
    groups.set(key, group);
  }
  return [...groups.values()].map(
    ({ ports, ready, notReady }): EndpointSubset => ({
      ...(ready.length === 0 ? {} : { addresses: ready.toSorted(byAddress) }),
      ...(notReady.length === 0 ? {} : { notReadyAddresses: notReady.toSorted(byAddress) }),
      ...(ports.length === 0
        ? {}
        : { ports: ports.map(({ name, ...port }) => ({ ...(name === '' ? {} : { name }), ...port, port: port.port ?? 0 })) }),
    }),
  );
}

function addressOf(service: Service, pod: Pod, ip: string): EndpointAddress {
  const { namespace = '', name = '', uid = '' } = pod.metadata;
  const { hostname, subdomain, nodeName } = pod.spec;
  return {
    ip,
    ...(hostname !== undefined && subdomain === service.metadata.name ? { hostname } : {}),
    ...(nodeName === undefined ? {} : { nodeName }),
    targetRef: { kind: 'Pod', namespace, name, uid },
  };
}

function byAddress(a: EndpointAddress, b: EndpointAddress): number {
  return a.ip < b.ip ? -1 : 1;
}
