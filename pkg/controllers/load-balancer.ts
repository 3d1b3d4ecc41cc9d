/**
 * Says in a LoadBalancer Service's status where it is reached from outside: at the nodes, each of which opens its ports. Tools wait for that. The mode
 * `Proxy` tells that the addresses are not the Service's own.
 */
import { deepEqual } from '#api/equality';
import { nodes, services } from '#api/shapes/resources';
import type { LoadBalancerIngress, Node, Service } from '#api/shapes/types/core-v1';
import { keyOf } from '#client/informer';
import { hostAddressesAnnotation } from '#compose/convert/names';
import { defineController, mapped, own } from './controller.ts';
import { readinessOf } from './node-lifecycle/plan.ts';

/** A few addresses are as good as all, and do not make each Service grow with the cluster. */
const mostNodes = 8;
const excludeLabel = 'node.kubernetes.io/exclude-from-external-load-balancers';

export const loadBalancer = defineController({
  name: 'service-lb',
  watches: () => [
    own(services),
    mapped(
      nodes,
      (_node, informers) => informers.for(services).list().filter(isBalanced).map(keyOf),
      (node) => [addressOf(node), readinessOf(node), node.metadata.labels?.[excludeLabel]],
    ),
  ],
  reconcile: async (key, { client, store }) => {
    const service = store(services).get(key);
    if (service === undefined || service.metadata.deletionTimestamp !== undefined) return undefined;
    const { ingress: present = [] } = service.status?.loadBalancer ?? {};
    const ours = present.every(({ ipMode }) => ipMode === 'Proxy');
    // Another's balancer says where it is itself.
    if (!isBalanced(service) && (service.spec.type === 'LoadBalancer' || !ours)) return undefined;
    const ingress = isBalanced(service) ? ingressOf(service, store(nodes).list()) : [];
    if (deepEqual(ingress, present)) return undefined;
    const loadBalancer = ingress.length === 0 ? {} : { ingress };
    await client.updateStatus(services, { ...service, status: { ...service.status, loadBalancer } });
    return undefined;
  },
});

function isBalanced({ spec }: Service): boolean {
  return spec.type === 'LoadBalancer' && spec.loadBalancerClass === undefined;
}

/** Pure. The nodes that are ready, or the only addresses that the Service may be opened on. */
export function ingressOf(service: Service, all: readonly Node[]): LoadBalancerIngress[] {
  const ofNodes = all
    .filter((node) => readinessOf(node) === 'True' && node.metadata.labels?.[excludeLabel] === undefined)
    .toSorted((a, b) => ((a.metadata.name ?? '') < (b.metadata.name ?? '') ? -1 : 1))
    .flatMap((node) => addressOf(node) ?? [])
    .slice(0, mostNodes);
  const restricted = restrictionOf(service);
  const addresses = restricted === undefined || restricted.includes('0.0.0.0') ? ofNodes : restricted;
  return [...new Set(addresses)].map((ip) => ({ ip, ipMode: 'Proxy' }));
}

function addressOf({ status }: Node): string | undefined {
  const of = (type: string): string | undefined => status?.addresses?.find((address) => address.type === type)?.address;
  return of('ExternalIP') ?? of('InternalIP');
}

/** All addresses that the annotation names, for whichever port; what cannot be read opens nothing, and so names none. */
function restrictionOf({ metadata }: Service): readonly string[] | undefined {
  const text = metadata.annotations?.[hostAddressesAnnotation];
  if (text === undefined) return undefined;
  try {
    return Object.values(JSON.parse(text) as object)
      .flat()
      .filter((address) => typeof address === 'string');
  } catch {
    return [];
  }
}
