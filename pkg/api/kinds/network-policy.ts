import { isStrictlyWithin, parseAddressRange } from '../address-ranges.ts';
import { defineKind } from '../define-kind.ts';
import { deepEqual } from '../equality.ts';
import { FieldErrors } from '../field-errors.ts';
import { checkPortName, checkPortNumber } from '../names.ts';
import { validateLabelSelector } from '../pod-spec/workload.ts';
import { formatLabelSelector } from '../selector.ts';
import type { IPBlock, NetworkPolicy, NetworkPolicyPeer, NetworkPolicyPort } from '../shapes/types/networking-v1.ts';
import { ageColumn, nameColumn, tableColumns } from '../table-columns.ts';

const protocols = ['TCP', 'UDP', 'SCTP'];
const types = ['Ingress', 'Egress'];
const rangeFault = 'must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)';

export const networkPolicy = defineKind<NetworkPolicy>({
  group: 'networking.k8s.io',
  kind: 'NetworkPolicy',
  description: 'Who may reach which pods.',
  support: 'stored only',
  supportNote: 'pods of a node reach each other whatever it says',
  changesGeneration: (object, old) => !deepEqual(object.spec, old.spec),
  defaults: ({ spec }) => {
    for (const { ports = [] } of [...(spec.ingress ?? []), ...(spec.egress ?? [])]) for (const port of ports) port.protocol ??= 'TCP';
    spec.podSelector ??= {};
    if ((spec.policyTypes ?? []).length === 0) spec.policyTypes = (spec.egress ?? []).length === 0 ? ['Ingress'] : ['Ingress', 'Egress'];
  },
  validate: ({ spec }) => {
    const errors = new FieldErrors();
    validateLabelSelector(spec.podSelector ?? {}, 'spec.podSelector', errors);
    for (const [index, { ports = [], from = [] }] of (spec.ingress ?? []).entries()) {
      validateRule(ports, from, 'from', `spec.ingress[${index}]`, errors);
    }
    for (const [index, { ports = [], to = [] }] of (spec.egress ?? []).entries()) {
      validateRule(ports, to, 'to', `spec.egress[${index}]`, errors);
    }
    const policyTypes = spec.policyTypes ?? [];
    if (policyTypes.length > types.length) {
      errors.invalid('spec.policyTypes', policyTypes, 'may not specify more than two policyTypes');
      return errors;
    }
    for (const [index, type] of policyTypes.entries()) {
      if (!types.includes(type)) errors.notSupported(`spec.policyTypes[${index}]`, type, types);
    }
    return errors;
  },
  columns: tableColumns<NetworkPolicy>([
    nameColumn,
    {
      name: 'Pod-Selector',
      type: 'string',
      description: 'Which pods it is about.',
      cell: ({ spec }) => formatLabelSelector(spec.podSelector ?? {}) || '<none>',
    },
    ageColumn,
  ]),
});

function validateRule(
  ports: readonly NetworkPolicyPort[],
  peers: readonly NetworkPolicyPeer[],
  field: string,
  path: string,
  errors: FieldErrors,
): void {
  for (const [index, port] of ports.entries()) validatePolicyPort(port, `${path}.ports[${index}]`, errors);
  for (const [index, peer] of peers.entries()) validatePeer(peer, `${path}.${field}[${index}]`, errors);
}

function validatePolicyPort({ protocol, port, endPort }: NetworkPolicyPort, path: string, errors: FieldErrors): void {
  if (protocol !== undefined && !protocols.includes(protocol)) errors.notSupported(`${path}.protocol`, protocol, protocols);
  const at = `${path}.endPort`;
  if (port === undefined) {
    if (endPort !== undefined) errors.invalid(at, endPort, 'may not be specified when `port` is not specified');
  } else if (typeof port === 'number') {
    for (const fault of checkPortNumber(port)) errors.invalid(`${path}.port`, port, fault);
    if (endPort === undefined) return;
    if (endPort < port) errors.invalid(at, port, 'must be greater than or equal to `port`');
    for (const fault of checkPortNumber(endPort)) errors.invalid(at, endPort, fault);
  } else {
    if (endPort !== undefined) errors.invalid(at, endPort, 'may not be specified when `port` is non-numeric');
    for (const fault of checkPortName(port)) errors.invalid(`${path}.port`, port, fault);
  }
}

function validatePeer({ podSelector, namespaceSelector, ipBlock }: NetworkPolicyPeer, path: string, errors: FieldErrors): void {
  if (podSelector !== undefined) validateLabelSelector(podSelector, `${path}.podSelector`, errors);
  if (namespaceSelector !== undefined) validateLabelSelector(namespaceSelector, `${path}.namespaceSelector`, errors);
  if (ipBlock !== undefined) validateBlock(ipBlock, `${path}.ipBlock`, errors);
  const hasSelector = podSelector !== undefined || namespaceSelector !== undefined;
  if (!hasSelector && ipBlock === undefined) errors.required(path, 'must specify a peer');
  else if (hasSelector && ipBlock !== undefined) errors.forbidden(path, 'may not specify both ipBlock and another peer');
}

function validateBlock({ cidr, except = [] }: IPBlock, path: string, errors: FieldErrors): void {
  if (cidr === '') {
    errors.required(`${path}.cidr`);
    return;
  }
  const range = parseAddressRange(cidr);
  if (range === undefined) {
    errors.invalid(`${path}.cidr`, cidr, rangeFault);
    return;
  }
  for (const [index, text] of except.entries()) {
    const at = `${path}.except[${index}]`;
    const inner = parseAddressRange(text);
    if (inner === undefined) errors.invalid(at, text, rangeFault);
    else if (!isStrictlyWithin(inner, range)) errors.invalid(at, text, 'must be a strict subset of `cidr`');
  }
}
