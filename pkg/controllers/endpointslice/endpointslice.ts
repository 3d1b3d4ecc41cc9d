/** EndpointSlice: which pods answer for a Service, and whether they are ready to. Services without a selector are left alone. */
import type { KubernetesObject } from '#api/object';
import { matchesSelector, selectorOfLabels } from '#api/selector';
import { endpointSlices, nodes, pods, services } from '#api/shapes/resources';
import type { Pod, Service } from '#api/shapes/types/core-v1';
import { hasReason, messageOf } from '#base/errors';
import { type Informer, keyOf } from '#client/informer';
import type { InformerSet } from '#client/informer-set';
import { defineController, mapped, own } from '../controller.ts';
import { isReady } from '../pod-state.ts';
import { hasEndpoints, managedBy, managedByLabel, planEndpointSlices, serviceNameLabel } from './plan.ts';

export const endpointslice = defineController({
  name: 'endpointslice',
  watches: () => [own(services), mapped(pods, servicesSelecting, answering), mapped(endpointSlices, serviceOf)],
  reads: [nodes],
  indexes: (informers) => informers.for(endpointSlices).addIndex('service', serviceOf),
  reconcile: async (key, context) => {
    const { client, events, store } = context;
    const service = store(services).get(key);
    if (service === undefined || service.metadata.deletionTimestamp !== undefined || !hasEndpoints(service)) return undefined;
    const existing = store(endpointSlices)
      .byIndex('service', key)
      .filter(({ metadata }) => metadata.labels?.[managedByLabel] === managedBy);
    const plan = planEndpointSlices(service, podsOf(service, store(pods)), existing, (nodeName) => {
      return store(nodes).get(nodeName)?.metadata.labels?.['topology.kubernetes.io/zone'];
    });
    try {
      for (const slice of plan.create) await client.create(endpointSlices, slice);
      for (const slice of plan.update) await client.update(endpointSlices, slice);
      for (const slice of plan.remove) {
        const { name = '', namespace = '' } = slice.metadata;
        await client.delete(endpointSlices, { name, namespace });
      }
    } catch (error) {
      const isUsual = hasReason(error, 'Conflict') || hasReason(error, 'NotFound') || hasReason(error, 'Forbidden');
      if (!isUsual) {
        events.event(
          service,
          'Warning',
          'FailedToUpdateEndpointSlices',
          `Error updating Endpoint Slices for Service ${key}: ${messageOf(error)}`,
        );
      }
      throw error;
    }
    return undefined;
  },
});

/** The pods of the Service's namespace that its selector selects. */
export function podsOf(service: Service, store: Informer<Pod>): Pod[] {
  const selector = selectorOfLabels(service.spec.selector ?? {});
  return store.byIndex('namespace', service.metadata.namespace ?? '').filter(({ metadata }) => matchesSelector(selector, metadata.labels));
}

/** The keys of the Services that select this pod. */
export function servicesSelecting(pod: Pod, informers: InformerSet): string[] {
  if (pod.metadata.labels === undefined) return [];
  return informers
    .for(services)
    .byIndex('namespace', pod.metadata.namespace ?? '')
    .filter((service) => hasEndpoints(service) && matchesSelector(selectorOfLabels(service.spec.selector ?? {}), pod.metadata.labels))
    .map(keyOf);
}

/** What of a pod a Service's endpoints depend on. */
export function answering(pod: Pod): unknown {
  const { labels, deletionTimestamp, uid } = pod.metadata;
  const { podIP, podIPs, phase } = pod.status ?? {};
  return [uid, labels, deletionTimestamp !== undefined, pod.spec.nodeName, podIP, podIPs, phase, isReady(pod)];
}

function serviceOf(slice: KubernetesObject): string[] {
  const name = slice.metadata.labels?.[serviceNameLabel];
  return name === undefined ? [] : [`${slice.metadata.namespace}/${name}`];
}
