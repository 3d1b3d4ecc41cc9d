import type { ServicePort as KubernetesPort } from '#api/shapes/types/core-v1';
import { ComposeError } from '../compose-error.ts';
import type { ServicePort } from '../model.ts';
import { hostAddressesAnnotation, nodePortName, publishedName, serviceLabels } from './names.ts';
import type { Section, ServiceContext } from './section.ts';

/**
 * Published ports are a LoadBalancer Service: every node opens them, on the addresses of host_ip where these are given. Ports of the container alone get
 * a port of the node's range, as Docker gives them a free one.
 */
export const ports: Section = {
  name: 'ports',
  keys: ['ports'],
  apply(context, { container, services }) {
    const { service, stack, name } = context;
    const own = service.ports ?? [];
    if (own.length === 0) return;
    for (const [index, { target }] of own.entries()) {
      if (target === undefined || !Number.isInteger(target) || target < 1 || target > 65_535) {
        throw new ComposeError(`${String(target)} is no port`, { path: `${context.path}.ports[${index}].target` });
      }
    }
    const declared = new Map(
      own.map((port) => [`${port.target}/${protocolOf(port)}`, { containerPort: port.target ?? 0, protocol: protocolOf(port) }]),
    );
    container.ports = [...declared.values()];
    // On the node's own network a port is open where the program opens it.
    if (service.network_mode === 'host') return;
    const { published, addresses } = publishedPorts(context, own);
    const metadata = { labels: serviceLabels(stack, name) };
    if (published.length > 0) {
      services.set(publishedName(stack, name), {
        metadata: {
          ...metadata,
          name: publishedName(stack, name),
          ...(addresses === undefined ? {} : { annotations: { [hostAddressesAnnotation]: JSON.stringify(addresses) } }),
        },
        spec: { type: 'LoadBalancer', allocateLoadBalancerNodePorts: false, selector: serviceLabels(stack, name), ports: published },
      });
    }
    const free = own.filter((port) => !isPublished(port));
    if (free.length > 0) {
      services.set(nodePortName(stack, name), {
        metadata: { ...metadata, name: nodePortName(stack, name) },
        spec: {
          type: 'NodePort',
          selector: serviceLabels(stack, name),
          ports: free.map((port) => kubernetesPort(port, port.target ?? 0, new Set())),
        },
      });
    }
  },
};

/** The port that the node opens; of a range the first. Undefined: none in particular. */
export function publishedPortOf(port: ServicePort): number | undefined {
  return isPublished(port) ? Number(port.published?.split('-', 1)[0]) : undefined;
}

export function protocolOf(port: ServicePort): string {
  return (port.protocol ?? 'tcp').toUpperCase();
}

function isPublished(port: ServicePort): boolean {
  return port.published !== undefined && port.published !== '' && port.published !== '0';
}

function publishedPorts(
  { path }: ServiceContext,
  own: readonly ServicePort[],
): { published: KubernetesPort[]; addresses?: Record<string, string[]> } {
  const byPort = new Map<string, { port: KubernetesPort; addresses: Set<string>; everywhere: boolean }>();
  const names = new Set<string>();
  for (const [index, port] of own.entries()) {
    if (!isPublished(port)) continue;
    const number = publishedPortOf(port) ?? 0;
    if (!Number.isInteger(number) || number < 1 || number > 65_535) {
      throw new ComposeError(`${JSON.stringify(port.published)} is no port`, { path: `${path}.ports[${index}].published` });
    }
    const key = `${number}/${protocolOf(port)}`;
    const known = byPort.get(key);
    if (known !== undefined && known.port.targetPort !== port.target) {
      throw new ComposeError(`port ${key} is published twice, for ${known.port.targetPort} and for ${port.target}`, {
        path: `${path}.ports[${index}]`,
      });
    }
    const entry = known ?? { port: kubernetesPort(port, number, names), addresses: new Set<string>(), everywhere: false };
    if (port.host_ip === undefined || port.host_ip === '' || port.host_ip === '0.0.0.0' || port.host_ip === '::') entry.everywhere = true;
    else entry.addresses.add(port.host_ip);
    byPort.set(key, entry);
  }
  const restricted = [...byPort]
    .filter(([, { everywhere }]) => !everywhere)
    .map(([key, { addresses }]) => [key, [...addresses].toSorted()]);
  return {
    published: [...byPort.values()].map(({ port }) => port),
    ...(restricted.length === 0 ? {} : { addresses: Object.fromEntries(restricted) as Record<string, string[]> }),
  };
}

function kubernetesPort(port: ServicePort, number: number, names: Set<string>): KubernetesPort {
  const protocol = protocolOf(port);
  const wanted = port.name?.toLowerCase();
  const name =
    wanted !== undefined && /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/.test(wanted) && !names.has(wanted)
      ? wanted
      : `${protocol.toLowerCase()}-${number}`;
  names.add(name);
  return {
    name,
    port: number,
    targetPort: port.target ?? number,
    protocol,
    ...(port.app_protocol === undefined ? {} : { appProtocol: port.app_protocol }),
  };
}
