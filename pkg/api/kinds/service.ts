import { isIP } from 'node:net';
import { defineKind } from '../define-kind.ts';
import { FieldErrors } from '../field-errors.ts';
import { checkDns1123Label, checkDns1123Subdomain } from '../names.ts';
import { requireAddress } from '../networking/addresses.ts';
import {
  dropForeignFields,
  hasNodePorts,
  isReachedFromOutside,
  validateServiceChange,
  validateServiceSpec,
} from '../networking/service-spec.ts';
import type { Service, ServiceSpec } from '../shapes/types/core-v1.ts';
import { keepStatus, statusSubresource } from '../subresources.ts';
import { ageColumn, type FilledColumn, nameColumn, tableColumns, wide } from '../table-columns.ts';

const defaultAffinitySeconds = 10_800;

const text = (name: string, description: string, cell: (object: Service) => string): FilledColumn<Service> => ({
  name,
  type: 'string',
  description,
  cell,
});

/** Addresses and node ports that the user leaves open are given by the API server, which knows those that are taken. */
export const service = defineKind<Service>({
  group: '',
  kind: 'Service',
  description: 'A name and an address for a set of pods.',
  support: 'acted on',
  supportNote:
    'ClusterIP, NodePort, LoadBalancer (its ports are opened on every node), ExternalName and headless, with sessionAffinity and traffic policies; IPv4 alone',
  // As Kubernetes relaxes it: a digit may come first.
  nameRule: checkDns1123Label,
  changesGeneration: undefined,
  defaults: (draft) => {
    defaultSpec(draft.spec);
    if (draft.status !== undefined) draft.status.loadBalancer ??= {};
  },
  beforeUpdate: (draft, old) => {
    keepStatus(draft, old);
    dropForeignFields(draft.spec, old.spec);
    keepAllocations(draft.spec, old.spec);
  },
  subresources: [
    {
      ...statusSubresource<Service>({ group: '', version: 'v1', kind: 'Service' }, 'core.v1.Service'),
      validate: ({ status }) => {
        const errors = new FieldErrors();
        for (const [index, { ip = '', hostname = '' }] of (status?.loadBalancer?.ingress ?? []).entries()) {
          const at = `status.loadBalancer.ingress[${index}]`;
          if (ip !== '') requireAddress(ip, `${at}.ip`, errors);
          if (hostname === '') continue;
          for (const fault of checkDns1123Subdomain(hostname)) errors.invalid(`${at}.hostname`, hostname, fault);
          if (isIP(hostname) !== 0) errors.invalid(`${at}.hostname`, hostname, 'must be a DNS name, not an IP address');
        }
        return errors;
      },
    },
  ],
  validate: (object) => {
    const errors = new FieldErrors();
    validateServiceSpec(object, errors);
    return errors;
  },
  tellsChangeFirst: true,
  validateUpdate: (object, old) => {
    const errors = new FieldErrors();
    validateServiceChange(object, old, errors);
    return errors;
  },
  columns: tableColumns<Service>([
    nameColumn,
    text('Type', 'How the service is reached.', ({ spec }) => spec.type ?? ''),
    text('Cluster-IP', 'The address within the cluster.', ({ spec }) => spec.clusterIPs?.[0] ?? spec.clusterIP ?? '<none>'),
    text('External-IP', 'The addresses from outside.', externalAddresses),
    text('Port(s)', 'The ports.', ({ spec }) => portsOf(spec)),
    ageColumn,
    wide(text('Selector', 'Which pods it stands for.', ({ spec }) => formatLabels(spec.selector))),
  ]),
  warnings: ({ spec }, old) => {
    const seconds = affinitySeconds(spec);
    return seconds === undefined || seconds === defaultAffinitySeconds || seconds === (old && affinitySeconds(old.spec))
      ? []
      : [
          'spec.sessionAffinityConfig.clientIP.timeoutSeconds: accepted without effect: a client stays with its endpoint for as long as the endpoints stay',
        ];
  },
  selectableFields: { 'spec.clusterIP': ({ spec }) => spec.clusterIP, 'spec.type': ({ spec }) => spec.type },
});

function affinitySeconds({ sessionAffinityConfig }: ServiceSpec): number | undefined {
  return sessionAffinityConfig?.clientIP?.timeoutSeconds;
}

function defaultSpec(spec: ServiceSpec): void {
  spec.type ??= 'ClusterIP';
  spec.sessionAffinity ??= 'None';
  if (spec.sessionAffinity === 'ClientIP') {
    spec.sessionAffinityConfig ??= {};
    spec.sessionAffinityConfig.clientIP ??= {};
    spec.sessionAffinityConfig.clientIP.timeoutSeconds ??= defaultAffinitySeconds;
  }
  for (const port of spec.ports ?? []) {
    port.protocol ??= 'TCP';
    if (port.targetPort === undefined || port.targetPort === 0 || port.targetPort === '') port.targetPort = port.port;
  }
  if (spec.clusterIP === undefined && spec.clusterIPs?.[0] !== undefined) spec.clusterIP = spec.clusterIPs[0];
  if (spec.clusterIP !== undefined && spec.clusterIPs === undefined) spec.clusterIPs = [spec.clusterIP];
  if (spec.type === 'ExternalName') return;
  spec.internalTrafficPolicy ??= 'Cluster';
  if (isReachedFromOutside(spec)) spec.externalTrafficPolicy ??= 'Cluster';
  if (spec.type === 'LoadBalancer') spec.allocateLoadBalancerNodePorts ??= true;
  spec.ipFamilies ??= [spec.clusterIP !== undefined && isIP(spec.clusterIP) === 6 ? 'IPv6' : 'IPv4'];
  spec.ipFamilyPolicy ??= 'SingleStack';
}

/** A replacement that leaves out what was given keeps it. */
function keepAllocations(spec: ServiceSpec, old: ServiceSpec): void {
  if (spec.type === 'ExternalName' || old.type === 'ExternalName') return;
  if (spec.clusterIP === undefined && old.clusterIP !== undefined) {
    spec.clusterIP = old.clusterIP;
    if (old.clusterIPs !== undefined) spec.clusterIPs = old.clusterIPs;
  }
  if (!hasNodePorts(spec) || !hasNodePorts(old)) return;
  for (const port of spec.ports ?? []) {
    const before = old.ports?.find((one) => one.port === port.port && one.protocol === port.protocol)?.nodePort;
    if (port.nodePort === undefined && before !== undefined) port.nodePort = before;
  }
}

function externalAddresses({ spec, status }: Service): string {
  if (spec.type === 'ExternalName') return spec.externalName ?? '';
  const given = spec.externalIPs ?? [];
  if (spec.type !== 'LoadBalancer') return given.length === 0 ? '<none>' : given.join(',');
  const ingress = (status?.loadBalancer?.ingress ?? []).map((one) => one.ip ?? one.hostname ?? '').filter((one) => one !== '');
  const all = [...new Set([...ingress, ...given])];
  return all.length === 0 ? '<pending>' : all.join(',');
}

function portsOf(spec: ServiceSpec): string {
  const ports = spec.ports ?? [];
  if (ports.length === 0) return '<none>';
  return ports
    .map(({ port, nodePort = 0, protocol = 'TCP' }) => (nodePort > 0 ? `${port}:${nodePort}/${protocol}` : `${port}/${protocol}`))
    .join(',');
}

function formatLabels(labels: Readonly<Record<string, string>> | undefined): string {
  const pairs = Object.entries(labels ?? {}).map(([key, value]) => `${key}=${value}`);
  return pairs.length === 0 ? '<none>' : pairs.toSorted().join(',');
}
