/** What a cluster has from its first moment: its namespaces, its own Service, the classes of priority. Made where missing, otherwise left as it is. */
import type { KubernetesObject, ResourceType } from '#api/object';
import { namespaces, priorityClasses, services } from '#api/shapes/resources';
import { hasReason } from '#base/errors';
import type { Client, Draft } from '#client/client';

export interface BootstrapOptions {
  /** The cluster IP of the Service `default/kubernetes`. */
  readonly serviceAddress: string;
  /** The API server's port, to which that Service leads. */
  readonly port: number;
}

export async function bootstrap(client: Client, options: BootstrapOptions): Promise<void> {
  const ensure = async <T extends KubernetesObject>(resource: ResourceType<T>, object: Draft<T>): Promise<void> => {
    const { name = '', namespace } = object.metadata;
    if ((await client.find(resource, namespace === undefined ? { name } : { name, namespace })) !== undefined) return;
    await client.create(resource, object).catch((error: unknown) => {
      // Another server of the same cluster may be starting too.
      if (!hasReason(error, 'AlreadyExists')) throw error;
    });
  };
  await Promise.all(
    ['default', 'kube-system', 'kube-public', 'kube-node-lease'].map((name) => ensure(namespaces, { metadata: { name }, spec: {} })),
  );
  await Promise.all([
    ensure(priorityClasses, {
      metadata: { name: 'system-node-critical' },
      value: 2_000_001_000,
      description: 'Used for system critical pods that must not be moved from their current node.',
    }),
    ensure(priorityClasses, {
      metadata: { name: 'system-cluster-critical' },
      value: 2_000_000_000,
      description: 'Used for system critical pods that must run in the cluster, but can be moved to another node if necessary.',
    }),
    ensure(services, {
      metadata: { name: 'kubernetes', namespace: 'default', labels: { component: 'apiserver', provider: 'kubernetes' } },
      spec: {
        clusterIP: options.serviceAddress,
        ports: [{ name: 'https', port: 443, protocol: 'TCP', targetPort: options.port }],
        type: 'ClusterIP',
      },
    }),
  ]);
}
