/**
 * What a cluster has from its first moment, and must have as long as it lives: its namespaces, its own Service with the addresses of its servers, the
 * system's priority classes, the class of local volumes. Made where missing; the Service's endpoints follow the servers, the rest is left as it is.
 */
import { deepEqual } from '#api/equality';
import type { KubernetesObject, ResourceType } from '#api/object';
import { endpointSlices, namespaces, priorityClasses, services, storageClasses } from '#api/shapes/resources';
import type { EndpointSlice } from '#api/shapes/types/discovery-v1';
import { hasReason } from '#base/errors';
import type { Client, Draft } from '#client/client';

/** Where pods reach a server: an address of its machine that is not a loopback's. */
export interface ServerAddress {
  readonly address: string;
  readonly port: number;
}

export interface BootstrapOptions {
  /** The cluster IP of the Service `default/kubernetes`: the first of the range. */
  readonly serviceAddress: string;
  /** This server's. */
  readonly server: ServerAddress;
}

const serviceLabel = 'kubernetes.io/service-name';
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
        ports: [{ name: 'https', port: 443, protocol: 'TCP', targetPort: options.server.port }],
      },
    }),
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

/**
 * Says where the servers are: the endpoints of the Service, which has no selector, for nobody but the servers know. One EndpointSlice for each port that
 * they listen on, which is mostly one. A server on a machine without a network has no address for pods. A server that listens on the loopback address alone is no endpoint: no pod could reach it.
 */
export async function publishServers(client: Client, all: readonly ServerAddress[]): Promise<void> {
  const servers = all.filter(({ address }) => !address.startsWith('127.'));
  const reachable = servers.filter(({ address }) => !address.startsWith('127.'));
  const ports = [...new Set(servers.map(({ port }) => port))].toSorted((a, b) => a - b);
  const wanted = ports.map((port, index): Draft<EndpointSlice> & { metadata: { name: string; namespace: string } } => {
    const addresses = [...new Set(reachable.filter((server) => server.port === port).map(({ address }) => address))].toSorted();
    return {
      metadata: {
        name: index === 0 ? 'kubernetes' : `kubernetes-${port}`,
        namespace: 'default',
        labels: { ...own, [serviceLabel]: 'kubernetes' },
      },
      addressType: 'IPv4',
      endpoints: addresses.map((address) => ({ addresses: [address], conditions: { ready: true } })),
      ports: [{ name: 'https', port, protocol: 'TCP' }],
    };
  });
  for (const slice of wanted) {
    const { name, namespace } = slice.metadata;
    await ensure(client, endpointSlices, slice);
    const found = await client.get(endpointSlices, { name, namespace });
    const { endpoints, ports: listed = [] } = slice;
    if (deepEqual(found.endpoints, endpoints) && deepEqual(found.ports, listed)) continue;
    await client.patch(endpointSlices, { name, namespace }, 'merge', { endpoints, ports: listed });
  }
  const { items } = await client.list(endpointSlices, {
    namespace: 'default',
    labelSelector: `${serviceLabel}=kubernetes,component=apiserver`,
  });
  for (const { metadata } of items) {
    if (wanted.some(({ metadata: { name } }) => name === metadata.name)) continue;
    await client.delete(endpointSlices, { name: metadata.name ?? '', namespace: 'default' }).catch((error: unknown) => {
      if (!hasReason(error, 'NotFound')) throw error;
    });
  }
}
