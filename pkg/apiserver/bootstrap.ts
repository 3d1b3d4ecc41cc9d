/**
 * What a cluster has from its first moment, and must have as long as it lives: its namespaces, its own Service with the address of this server, the
 * system's priority classes, the class of local volumes. Made where missing; the Service's endpoints follow the server, the rest is left as it is.
 */
import { deepEqual } from '#api/equality';
import type { KubernetesObject, ResourceType } from '#api/object';
import { endpointSlices, namespaces, priorityClasses, services, storageClasses } from '#api/shapes/resources';
import type { EndpointSlice } from '#api/shapes/types/discovery-v1';
import { hasReason } from '#base/errors';
import type { Client, Draft } from '#client/client';

export interface BootstrapOptions {
  /** The cluster IP of the Service `default/kubernetes`: the first of the range. */
  readonly serviceAddress: string;
  /** Where pods reach this server: an address of this machine that is not a loopback's. */
  readonly advertiseAddress: string;
  readonly port: number;
}

const own = { component: 'apiserver', provider: 'kubernetes' };

export async function bootstrap(client: Client, options: BootstrapOptions): Promise<void> {
  await Promise.all(
    ['default', 'kube-system', 'kube-public', 'kube-node-lease'].map((name) =>
      ensure(client, namespaces, { metadata: { name }, spec: {} }),
    ),
  );
  await Promise.all([
    ensure(client, priorityClasses, {
      metadata: { name: 'system-node-critical' },
      value: 2_000_001_000,
      description: 'Used for system critical pods that must not be moved from their current node.',
    }),
    ensure(client, priorityClasses, {
      metadata: { name: 'system-cluster-critical' },
      value: 2_000_000_000,
      description: 'Used for system critical pods that must run in the cluster, but can be moved to another node if necessary.',
    }),
    ensure(client, storageClasses, {
      metadata: { name: 'berth-local', annotations: { 'storageclass.kubernetes.io/is-default-class': 'true' } },
      provisioner: 'berth.dev/local',
      reclaimPolicy: 'Delete',
      volumeBindingMode: 'WaitForFirstConsumer',
    }),
    ensure(client, services, {
      metadata: { name: 'kubernetes', namespace: 'default', labels: own },
      spec: {
        type: 'ClusterIP',
        clusterIP: options.serviceAddress,
        ports: [{ name: 'https', port: 443, protocol: 'TCP', targetPort: options.port }],
      },
    }),
    ensureEndpoints(client, options),
  ]);
}

async function ensure<T extends KubernetesObject>(client: Client, resource: ResourceType<T>, object: Draft<T>): Promise<void> {
  const { name = '', namespace } = object.metadata;
  if ((await client.find(resource, namespace === undefined ? { name } : { name, namespace })) !== undefined) return;
  await client.create(resource, object).catch((error: unknown) => {
    // Another server of the same cluster may be starting too.
    if (!hasReason(error, 'AlreadyExists')) throw error;
  });
}

/** The Service has no selector: nobody but the server knows where it is. */
async function ensureEndpoints(client: Client, { advertiseAddress, port }: BootstrapOptions): Promise<void> {
  const wanted: Draft<EndpointSlice> = {
    metadata: { name: 'kubernetes', namespace: 'default', labels: { ...own, 'kubernetes.io/service-name': 'kubernetes' } },
    addressType: 'IPv4',
    endpoints: [{ addresses: [advertiseAddress], conditions: { ready: true } }],
    ports: [{ name: 'https', port, protocol: 'TCP' }],
  };
  await ensure(client, endpointSlices, wanted);
  const found = await client.get(endpointSlices, { name: 'kubernetes', namespace: 'default' });
  const { endpoints, ports = [] } = wanted;
  if (deepEqual(found.endpoints, endpoints) && deepEqual(found.ports, ports)) return;
  await client.patch(endpointSlices, { name: 'kubernetes', namespace: 'default' }, 'merge', { endpoints, ports });
}
