import { checkDns1123Label } from '#api/names';
import { ComposeError } from '../compose-error.ts';
import { addLabels } from './labels.ts';
import { networkFullName, networkNamesAnnotation, partName, serviceLabels } from './names.ts';
import type { Section, ServiceContext } from './section.ts';

/**
 * Which networks the pods are on, and by which names the service is known there: its own, its container_name, its aliases, and what other services call it
 * in `links`. The names are an annotation of a headless Service, which needs no port. Names resolve to containers that run, healthy or not, as with Docker.
 */
export const networks: Section = {
  name: 'networks',
  keys: [
    'networks',
    'network_mode',
    'links',
    'hostname',
    'container_name',
    'extra_hosts',
    'dns_opt',
    'dns_search',
    'expose',
    'ports',
    'deploy.labels',
    'deploy.endpoint_mode',
  ],
  apply(context, { pod, services }) {
    const { service, stack, name, path } = context;
    if (service.hostname !== undefined) {
      const fault = checkDns1123Label(service.hostname)[0];
      if (fault !== undefined)
        throw new ComposeError(`${JSON.stringify(service.hostname)} is no host name: ${fault}`, { path: `${path}.hostname` });
      pod.hostname = service.hostname;
    }
    addHosts(context, pod);
    if (service.network_mode === 'host') {
      pod.hostNetwork = true;
      pod.dnsPolicy = 'ClusterFirstWithHostNet';
      return;
    }
    const options = (service.dns_opt ?? []).map((option) => {
      const [key = '', ...value] = option.split(':');
      return value.length === 0 ? { name: key } : { name: key, value: value.join(':') };
    });
    pod.dnsConfig = {
      options: options.some((option) => option.name === 'ndots') ? options : [{ name: 'ndots', value: '0' }, ...options],
      ...(service.dns_search === undefined ? {} : { searches: service.dns_search }),
    };
    const joined = joinedNetworks(context);
    if (joined.length === 0) return;
    pod.berth = { ...pod.berth, networks: joined.map(({ fullName }) => fullName).toSorted() };
    const names = Object.fromEntries(joined.map(({ key, fullName }) => [fullName, namesOn(context, key)]));
    const labels = serviceLabels(stack, name);
    const annotations: Record<string, string> = { [networkNamesAnnotation]: JSON.stringify(names) };
    addLabels(service.deploy?.labels ?? {}, `${path}.deploy.labels`, { labels, annotations });
    const ports = exposedPorts(context);
    const serviceName = partName(stack, name, path);
    services.set(serviceName, {
      metadata: { name: serviceName, labels, annotations },
      spec: {
        clusterIP: 'None',
        selector: serviceLabels(stack, name),
        publishNotReadyAddresses: true,
        ...(ports.length === 0 ? {} : { ports }),
      },
    });
  },
};

function joinedNetworks({ service, project, namespace, path }: ServiceContext): { key: string; fullName: string }[] {
  return Object.keys(service.networks ?? {}).map((key) => {
    const network = project.networks?.[key];
    if (network === undefined) throw new ComposeError(`undefined network "${key}"`, { path: `${path}.networks.${key}` });
    return { key, fullName: networkFullName(namespace, network.name ?? key) };
  });
}

function namesOn(context: ServiceContext, network: string): string[] {
  const { service, name, project, path } = context;
  const names = new Set([
    name,
    ...(service.container_name === undefined ? [] : [service.container_name]),
    ...(service.networks?.[network]?.aliases ?? []),
  ]);
  for (const other of Object.values(project.services)) {
    if (other.networks === undefined || !Object.hasOwn(other.networks, network)) continue;
    for (const link of other.links ?? []) {
      const [target, alias] = link.split(':');
      if (target === name && alias !== undefined) names.add(alias);
    }
  }
  for (const one of names) {
    if (!/^[a-zA-Z0-9_]([a-zA-Z0-9_.-]{0,251}[a-zA-Z0-9_])?$/.test(one)) {
      throw new ComposeError(`${JSON.stringify(one)} cannot be a name on a network`, { path: `${path}.networks.${network}.aliases` });
    }
  }
  return [...names].map((one) => one.toLowerCase()).toSorted();
}

/** `expose` and the containers' side of `ports`. */
function exposedPorts({ service, path }: ServiceContext): { name: string; port: number; protocol: string }[] {
  const ports = new Map<string, { name: string; port: number; protocol: string }>();
  const add = (port: number, protocol: string): void => {
    ports.set(`${port}/${protocol}`, { name: `${protocol.toLowerCase()}-${port}`, port, protocol });
  };
  for (const [index, text] of (service.expose ?? []).entries()) {
    const match = /^(\d+)(?:-(\d+))?(?:\/(tcp|udp|sctp))?$/i.exec(text);
    const start = Number(match?.[1]);
    const end = Number(match?.[2] ?? match?.[1]);
    if (match === null || start < 1 || end > 65_535 || end < start)
      throw new ComposeError(`${JSON.stringify(text)} is no port`, { path: `${path}.expose[${index}]` });
    for (let port = start; port <= end; port++) add(port, (match[3] ?? 'tcp').toUpperCase());
  }
  for (const port of service.ports ?? []) if (port.target !== undefined) add(port.target, (port.protocol ?? 'tcp').toUpperCase());
  return [...ports.values()].toSorted((left, right) => left.port - right.port || (left.protocol < right.protocol ? -1 : 1));
}

function addHosts({ service, path }: ServiceContext, pod: { hostAliases?: { ip: string; hostnames?: string[] }[] }): void {
  const hosts = new Map<string, string[]>();
  for (const [index, entry] of (service.extra_hosts ?? []).entries()) {
    const equals = entry.indexOf('=');
    const name = entry.slice(0, equals);
    const address = entry.slice(equals + 1).replace(/^\[(.*)\]$/, '$1');
    if (address === 'host-gateway') {
      throw new ComposeError('host-gateway is not supported', {
        path: `${path}.extra_hosts[${index}]`,
        next: 'name the address, or a service of the cluster',
      });
    }
    hosts.set(address, [...(hosts.get(address) ?? []), name]);
  }
  if (hosts.size > 0) pod.hostAliases = [...hosts].map(([ip, hostnames]) => ({ ip, hostnames }));
}
