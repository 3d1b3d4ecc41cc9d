import { isIP } from 'node:net';
import { defineKind } from '../define-kind.ts';
import type { FieldErrors as Errors } from '../field-errors.ts';
import { FieldErrors } from '../field-errors.ts';
import { checkDns1123Label, checkDns1123Subdomain, checkPortNumber } from '../names.ts';
import { validateLabels } from '../object-meta.ts';
import { requireOneOf, validatePort } from '../pod-spec/checks.ts';
import type { Service, ServicePort, ServiceSpec } from '../shapes/types/core-v1.ts';
import { keepStatus } from '../subresources.ts';
import { ageColumn, type FilledColumn, nameColumn, tableColumns, wide } from '../table-columns.ts';

const types = ['ClusterIP', 'ExternalName', 'LoadBalancer', 'NodePort'];
const headless = 'None';
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
    keepAllocations(draft.spec, old.spec);
  },
  validate: (object) => {
    const errors = new FieldErrors();
    validateSpec(object.spec, errors);
    return errors;
  },
  validateUpdate: ({ spec }, { spec: old }) => {
    const errors = new FieldErrors();
    const before = old.clusterIP ?? '';
    if (spec.type !== 'ExternalName' && old.type !== 'ExternalName' && before !== '' && spec.clusterIP !== before) {
      errors.invalid('spec.clusterIPs[0]', spec.clusterIPs ?? [], 'may not change once set');
    }
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
  if (spec.type === 'ExternalName') return;
  spec.internalTrafficPolicy ??= 'Cluster';
  if (spec.type !== 'ClusterIP') spec.externalTrafficPolicy ??= 'Cluster';
  if (spec.type === 'LoadBalancer') spec.allocateLoadBalancerNodePorts ??= true;
  if (spec.clusterIP === undefined && spec.clusterIPs?.[0] !== undefined) spec.clusterIP = spec.clusterIPs[0];
  if (spec.clusterIP !== undefined && spec.clusterIPs === undefined) spec.clusterIPs = [spec.clusterIP];
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

function hasNodePorts(spec: ServiceSpec): boolean {
  return spec.type === 'NodePort' || (spec.type === 'LoadBalancer' && spec.allocateLoadBalancerNodePorts !== false);
}

function validateSpec(spec: ServiceSpec, errors: Errors): void {
  const isHeadless = spec.clusterIP === headless;
  const ports = spec.ports ?? [];
  if (ports.length === 0 && !isHeadless && spec.type !== 'ExternalName') errors.required('spec.ports');
  requireOneOf(spec.type, 'spec.type', types, errors);
  if (isHeadless && (spec.type === 'LoadBalancer' || spec.type === 'NodePort')) {
    errors.invalid('spec.clusterIPs[0]', headless, `may not be set to 'None' for ${spec.type} services`);
  }
  if (spec.type === 'ExternalName') validateExternalName(spec, errors);
  else if (spec.clusterIP !== undefined && !isHeadless && isIP(spec.clusterIP) === 0) {
    errors.invalid('spec.clusterIPs[0]', spec.clusterIP, 'must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)');
  }
  const names = new Set<string>();
  const taken = new Set<string>();
  for (const [index, port] of ports.entries()) {
    const at = `spec.ports[${index}]`;
    validateServicePort(port, at, ports.length > 1, names, errors);
    if ((port.nodePort ?? 0) !== 0 && !hasNodePorts(spec) && spec.type !== 'LoadBalancer') {
      errors.forbidden(`${at}.nodePort`, `may not be used when \`type\` is '${spec.type ?? ''}'`);
    }
    const key = `${port.protocol ?? 'TCP'}/${port.port}`;
    if (taken.has(key)) errors.duplicate(at, { port: port.port, protocol: port.protocol });
    taken.add(key);
  }
  validateLabels(spec.selector, 'spec.selector', errors);
  requireOneOf(spec.sessionAffinity, 'spec.sessionAffinity', ['ClientIP', 'None'], errors);
  requireOneOf(spec.externalTrafficPolicy, 'spec.externalTrafficPolicy', ['Cluster', 'Local'], errors);
  requireOneOf(spec.internalTrafficPolicy, 'spec.internalTrafficPolicy', ['Cluster', 'Local'], errors);
  for (const [index, address] of (spec.externalIPs ?? []).entries()) {
    if (isIP(address) === 0)
      errors.invalid(`spec.externalIPs[${index}]`, address, 'must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)');
  }
}

function validateExternalName(spec: ServiceSpec, errors: Errors): void {
  const name = (spec.externalName ?? '').replace(/\.$/, '');
  if (name === '') errors.required('spec.externalName');
  else for (const fault of checkDns1123Subdomain(name)) errors.invalid('spec.externalName', spec.externalName, fault);
  if (spec.clusterIP !== undefined) errors.forbidden('spec.clusterIPs', 'may not be set for ExternalName services');
}

function validateServicePort(port: ServicePort, at: string, needsName: boolean, names: Set<string>, errors: Errors): void {
  const name = port.name ?? '';
  if (name === '') {
    if (needsName) errors.required(`${at}.name`);
  } else {
    for (const fault of checkDns1123Label(name)) errors.invalid(`${at}.name`, name, fault);
    if (names.has(name)) errors.duplicate(`${at}.name`, name);
    names.add(name);
  }
  for (const fault of checkPortNumber(port.port)) errors.invalid(`${at}.port`, port.port, fault);
  requireOneOf(port.protocol, `${at}.protocol`, ['SCTP', 'TCP', 'UDP'], errors);
  if (port.targetPort !== undefined) validatePort(port.targetPort, `${at}.targetPort`, errors);
  if (port.nodePort !== undefined && port.nodePort !== 0) {
    for (const fault of checkPortNumber(port.nodePort)) errors.invalid(`${at}.nodePort`, port.nodePort, fault);
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
