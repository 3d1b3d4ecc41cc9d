/** Rules for a Service's spec (Kubernetes' `core/validation`, in its order and words). */
import { isIP } from 'node:net';
import { deepEqual } from '../equality.ts';
import type { FieldErrors } from '../field-errors.ts';
import { checkDns1123Label, checkDns1123Subdomain, checkPortNumber, checkQualifiedName } from '../names.ts';
import { validateLabels } from '../object-meta.ts';
import { requireOneOf, validatePort } from '../pod-spec/checks.ts';
import type { Service, ServicePort, ServiceSpec } from '../shapes/types/core-v1.ts';
import { requireAddress, requireRange, requireReachable } from './addresses.ts';

const types = ['ClusterIP', 'ExternalName', 'LoadBalancer', 'NodePort'];
const policies = ['Cluster', 'Local'];
const distributions = ['PreferClose', 'PreferSameZone', 'PreferSameNode'];
const longestAffinity = 86_400;
const rangesAnnotation = 'service.beta.kubernetes.io/load-balancer-source-ranges';

export function isHeadless({ clusterIP, clusterIPs = [] }: ServiceSpec): boolean {
  return clusterIPs.length === 0 ? clusterIP === 'None' : clusterIPs.length === 1 && clusterIPs[0] === 'None';
}

/** Whether nodes listen for it: a LoadBalancer may do without. */
export function hasNodePorts(spec: ServiceSpec): boolean {
  return spec.type === 'NodePort' || (spec.type === 'LoadBalancer' && spec.allocateLoadBalancerNodePorts !== false);
}

export function isReachedFromOutside({ type, externalIPs = [] }: ServiceSpec): boolean {
  return type === 'LoadBalancer' || type === 'NodePort' || (type === 'ClusterIP' && externalIPs.length > 0);
}

/** What only a former type had goes with it, unless the change speaks of it. */
export function dropForeignFields(spec: ServiceSpec, old: ServiceSpec): void {
  const wasBalanced = old.type === 'LoadBalancer' && spec.type !== 'LoadBalancer';
  if (wasBalanced && spec.allocateLoadBalancerNodePorts === old.allocateLoadBalancerNodePorts) delete spec.allocateLoadBalancerNodePorts;
  if (wasBalanced && spec.loadBalancerClass === old.loadBalancerClass) delete spec.loadBalancerClass;
  if (needsHealthCheck(old) && !needsHealthCheck(spec) && spec.healthCheckNodePort === old.healthCheckNodePort)
    delete spec.healthCheckNodePort;
  const wasOutside = isReachedFromOutside(old) && !isReachedFromOutside(spec);
  if (wasOutside && spec.externalTrafficPolicy === old.externalTrafficPolicy) delete spec.externalTrafficPolicy;
}

function needsHealthCheck({ type, externalTrafficPolicy }: ServiceSpec): boolean {
  return type === 'LoadBalancer' && externalTrafficPolicy === 'Local';
}

export function validateServiceSpec({ metadata, spec }: Service, errors: FieldErrors): void {
  const ports = spec.ports ?? [];
  const headless = isHeadless(spec);
  if (ports.length === 0 && !headless && spec.type !== 'ExternalName') errors.required('spec.ports');
  if (headless && (spec.type === 'LoadBalancer' || spec.type === 'NodePort')) {
    errors.invalid('spec.clusterIPs[0]', 'None', `may not be set to 'None' for ${spec.type} services`);
  }
  if (spec.type === 'ExternalName') validateExternalName(spec, errors);
  const names = new Set<string>();
  for (const [index, port] of ports.entries()) validateServicePort(port, `spec.ports[${index}]`, ports.length > 1, names, errors);
  validateLabels(spec.selector, 'spec.selector', errors);
  validateAffinity(spec, errors);
  if (spec.type !== 'ExternalName') validateClusterAddresses(spec, errors);
  for (const [index, address] of (spec.externalIPs ?? []).entries()) {
    const at = `spec.externalIPs[${index}]`;
    if (requireAddress(address, at, errors)) requireReachable(address, at, errors);
  }
  requireOneOf(spec.type, 'spec.type', types, errors);
  if (spec.type === 'ClusterIP') {
    for (const [index, { nodePort = 0 }] of ports.entries()) {
      if (nodePort !== 0) errors.forbidden(`spec.ports[${index}].nodePort`, "may not be used when `type` is 'ClusterIP'");
    }
  }
  requireEachOnce(ports, errors);
  validateSourceRanges(spec, metadata.annotations?.[rangesAnnotation], errors);
  if (spec.allocateLoadBalancerNodePorts !== undefined && spec.type !== 'LoadBalancer') {
    errors.forbidden('spec.allocateLoadBalancerNodePorts', "may only be used when `type` is 'LoadBalancer'");
  }
  validateLoadBalancerClass(spec, errors);
  validateTraffic(spec, errors);
}

export function validateServiceChange({ spec }: Service, { spec: old }: Service, errors: FieldErrors): void {
  const [now, before] = [spec.clusterIPs ?? [], old.clusterIPs ?? []];
  if (spec.type !== 'ExternalName' && old.type !== 'ExternalName' && !(isHeadless(spec) && isHeadless(old))) {
    if (before.length > 0 && now.length === 0) errors.invalid('spec.clusterIPs[0]', now, 'primary clusterIP can not be unset');
    else if (before[0] !== undefined && now[0] !== before[0]) errors.invalid('spec.clusterIPs[0]', now, 'may not change once set');
    const [families, familiesBefore] = [spec.ipFamilies ?? [], old.ipFamilies ?? []];
    if (isHeadless(spec) === isHeadless(old) && familiesBefore[0] !== undefined && families[0] !== familiesBefore[0]) {
      errors.invalid('spec.ipFamilies[0]', families, 'may not change once set');
    }
  }
  if (spec.type === 'LoadBalancer' && old.type === 'LoadBalancer' && !deepEqual(spec.loadBalancerClass, old.loadBalancerClass)) {
    errors.invalid('spec.loadBalancerClass', spec.loadBalancerClass, 'may not change once set');
  }
}

function validateExternalName(spec: ServiceSpec, errors: FieldErrors): void {
  const none = 'may not be set for ExternalName services';
  if ((spec.clusterIPs ?? []).length > 0) errors.forbidden('spec.clusterIPs', none);
  if ((spec.ipFamilies ?? []).length > 0) errors.forbidden('spec.ipFamilies', none);
  if (spec.ipFamilyPolicy !== undefined) errors.forbidden('spec.ipFamilyPolicy', none);
  const name = (spec.externalName ?? '').replace(/\.$/, '');
  if (name === '') errors.required('spec.externalName');
  else for (const fault of checkDns1123Subdomain(name)) errors.invalid('spec.externalName', name, fault);
}

function validateServicePort(port: ServicePort, at: string, needsName: boolean, names: Set<string>, errors: FieldErrors): void {
  const { name = '', appProtocol } = port;
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
  if (appProtocol !== undefined)
    for (const fault of checkQualifiedName(appProtocol)) errors.invalid(`${at}.appProtocol`, appProtocol, fault);
}

function validateAffinity({ sessionAffinity, sessionAffinityConfig }: ServiceSpec, errors: FieldErrors): void {
  requireOneOf(sessionAffinity, 'spec.sessionAffinity', ['ClientIP', 'None'], errors);
  const path = 'spec.sessionAffinityConfig';
  if (sessionAffinity === 'None' && sessionAffinityConfig !== undefined) {
    errors.forbidden(path, 'must not be set when session affinity is None');
  }
  const seconds = sessionAffinityConfig?.clientIP?.timeoutSeconds;
  if (sessionAffinity === 'ClientIP' && seconds !== undefined && (seconds <= 0 || seconds > longestAffinity)) {
    errors.invalid(`${path}.clientIP.timeoutSeconds`, seconds, `must be greater than 0 and less than ${longestAffinity}`);
  }
}

function validateClusterAddresses(
  { clusterIP = '', clusterIPs = [], ipFamilies = [], ipFamilyPolicy }: ServiceSpec,
  errors: FieldErrors,
): void {
  const path = 'spec.clusterIPs';
  if (clusterIP !== '') {
    if (clusterIPs.length === 0) errors.required(path);
    else if (clusterIPs[0] !== clusterIP) errors.invalid(path, clusterIPs, 'first value must match `clusterIP`');
  } else if (clusterIPs.length > 0) errors.invalid(path, clusterIPs, 'must be empty when `clusterIP` is not specified');
  const families = new Set<string>();
  for (const [index, family] of ipFamilies.entries()) {
    const at = `spec.ipFamilies[${index}]`;
    requireOneOf(family, at, ['IPv4', 'IPv6'], errors);
    if (families.has(family)) errors.duplicate(at, family);
    families.add(family);
  }
  requireOneOf(ipFamilyPolicy, 'spec.ipFamilyPolicy', ['PreferDualStack', 'RequireDualStack', 'SingleStack'], errors);
  const before = errors.list.length;
  for (const [index, address] of clusterIPs.entries()) {
    if (index > 0 || address !== 'None') requireAddress(address, `${path}[${index}]`, errors);
    else if (clusterIPs.length > 1) errors.invalid(path, clusterIPs, "'None' must be the first and only value");
  }
  if (clusterIPs.length > 2) errors.invalid(path, clusterIPs, 'may only hold up to 2 values');
  if (errors.list.length > before) return;
  if (clusterIPs.length > 1 && new Set(clusterIPs.map((address) => isIP(address))).size < clusterIPs.length) {
    errors.invalid(path, clusterIPs, 'may specify no more than one IP for each IP family');
  }
  for (const [index, address] of clusterIPs.entries()) {
    const family = ipFamilies[index];
    const own = isIP(address) === 6 ? 'IPv6' : 'IPv4';
    if (address === 'None' || family === undefined || family === own) continue;
    errors.invalid(`${path}[${index}]`, address, `expected an ${family} value as indicated by \`ipFamilies[${index}]\``);
  }
}

/** Each port of nodes, and each port, is there once for a protocol. */
function requireEachOnce(ports: readonly ServicePort[], errors: FieldErrors): void {
  const taken = new Set<string>();
  for (const [index, { nodePort = 0, protocol = '' }] of ports.entries()) {
    if (nodePort === 0) continue;
    if (taken.has(`${protocol}/${nodePort}`)) errors.duplicate(`spec.ports[${index}].nodePort`, nodePort);
    taken.add(`${protocol}/${nodePort}`);
  }
  taken.clear();
  for (const [index, { port, protocol = '' }] of ports.entries()) {
    if (taken.has(`${protocol}/${port}`)) errors.duplicate(`spec.ports[${index}]`, { protocol, port });
    taken.add(`${protocol}/${port}`);
  }
}

function validateSourceRanges(
  { type, loadBalancerSourceRanges = [] }: ServiceSpec,
  annotation: string | undefined,
  errors: FieldErrors,
): void {
  const isField = loadBalancerSourceRanges.length > 0;
  if (!isField && annotation === undefined) return;
  const path = isField ? 'spec.LoadBalancerSourceRanges' : `metadata.annotations[${rangesAnnotation}]`;
  if (type !== 'LoadBalancer') errors.forbidden(path, "may only be used when `type` is 'LoadBalancer'");
  if (isField) for (const [index, range] of loadBalancerSourceRanges.entries()) requireRange(range.trim(), `${path}[${index}]`, errors);
  else if (annotation?.trim()) for (const range of annotation.split(',')) requireRange(range.trim(), path, errors);
}

function validateLoadBalancerClass({ type, loadBalancerClass }: ServiceSpec, errors: FieldErrors): void {
  const path = 'spec.loadBalancerClass';
  if (loadBalancerClass === undefined) return;
  if (type !== 'LoadBalancer') errors.forbidden(path, "may only be used when `type` is 'LoadBalancer'");
  else for (const fault of checkQualifiedName(loadBalancerClass)) errors.invalid(path, loadBalancerClass, fault);
}

function validateTraffic(spec: ServiceSpec, errors: FieldErrors): void {
  const { externalTrafficPolicy, healthCheckNodePort = 0 } = spec;
  if (isReachedFromOutside(spec)) requireOneOf(externalTrafficPolicy, 'spec.externalTrafficPolicy', policies, errors);
  else if ((externalTrafficPolicy ?? '') !== '') {
    errors.invalid('spec.externalTrafficPolicy', externalTrafficPolicy, 'may only be set for externally-accessible services');
  }
  if (healthCheckNodePort !== 0) {
    const path = 'spec.healthCheckNodePort';
    if (!needsHealthCheck(spec)) {
      errors.invalid(path, healthCheckNodePort, "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'");
    } else for (const fault of checkPortNumber(healthCheckNodePort)) errors.invalid(path, healthCheckNodePort, fault);
  }
  requireOneOf(spec.internalTrafficPolicy, 'spec.internalTrafficPolicy', policies, errors);
  requireOneOf(spec.trafficDistribution, 'spec.trafficDistribution', distributions, errors);
}
