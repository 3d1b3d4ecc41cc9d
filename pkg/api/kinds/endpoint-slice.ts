import { isIP } from 'node:net';
import { defineKind } from '../define-kind.ts';
import { deepEqual } from '../equality.ts';
import { FieldErrors } from '../field-errors.ts';
import { checkDns1123Label, checkDns1123Subdomain, checkQualifiedName } from '../names.ts';
import { requireReachable } from '../networking/addresses.ts';
import { requireUnchanged } from '../object-meta.ts';
import { requireOneOf } from '../pod-spec/checks.ts';
import type { EndpointPort, EndpointSlice } from '../shapes/types/discovery-v1.ts';
import { ageColumn, nameColumn, tableColumns } from '../table-columns.ts';

const shown = 3;
const mostEndpoints = 1000;
const mostAddresses = 100;
const mostPorts = 20_000;
const mostZones = 8;

export const endpointSlice = defineKind<EndpointSlice>({
  group: 'discovery.k8s.io',
  kind: 'EndpointSlice',
  description: 'Some of the addresses that a service leads to.',
  support: 'acted on',
  supportNote: 'made for services with a selector; nodes forward by them',
  defaults: (draft) => {
    for (const port of draft.ports ?? []) {
      port.name ??= '';
      port.protocol ??= 'TCP';
    }
  },
  changesGeneration: ({ metadata: _a, ...object }, { metadata: _b, ...old }) => !deepEqual(object, old),
  validate: (object) => {
    const errors = new FieldErrors();
    if (object.addressType === '') errors.required('addressType');
    else requireOneOf(object.addressType, 'addressType', ['FQDN', 'IPv4', 'IPv6'], errors);
    validateEndpoints(object, errors);
    validatePorts(object.ports ?? [], errors);
    return errors;
  },
  validateUpdate: (object, old) => {
    const errors = new FieldErrors();
    requireUnchanged(object.addressType === old.addressType, 'addressType', object.addressType, errors);
    return errors;
  },
  columns: tableColumns<EndpointSlice>([
    nameColumn,
    { name: 'AddressType', type: 'string', description: 'What the addresses are.', cell: (object) => object.addressType },
    {
      name: 'Ports',
      type: 'string',
      description: 'The ports of all endpoints.',
      cell: (object) => firstOf((object.ports ?? []).map((port) => String(port.port ?? '*'))),
    },
    {
      name: 'Endpoints',
      type: 'string',
      description: 'The addresses.',
      cell: (object) => firstOf((object.endpoints ?? []).flatMap((endpoint) => endpoint.addresses)),
    },
    ageColumn,
  ]),
});

function validateEndpoints({ endpoints = [], addressType }: EndpointSlice, errors: FieldErrors): void {
  if (endpoints.length > mostEndpoints) {
    errors.tooMany('endpoints', endpoints.length, mostEndpoints);
    return;
  }
  for (const [index, { addresses = [], hostname, nodeName, zone, hints }] of endpoints.entries()) {
    const path = `endpoints[${index}]`;
    const at = `${path}.addresses`;
    if (addresses.length === 0) errors.required(at, 'must contain at least 1 address');
    if (addresses.length > mostAddresses) errors.tooMany(at, addresses.length, mostAddresses);
    for (const [position, address] of addresses.entries()) validateAddress(address, addressType, `${at}[${position}]`, errors);
    if (nodeName !== undefined) for (const fault of checkDns1123Subdomain(nodeName)) errors.invalid(`${path}.nodeName`, nodeName, fault);
    if (zone === '') errors.invalid(`${path}.zone`, zone, 'must not be empty');
    if (hostname !== undefined) for (const fault of checkDns1123Label(hostname)) errors.invalid(`${path}.hostname`, hostname, fault);
    const zones = (hints?.forZones ?? []).map(({ name }) => name);
    if (zones.length > mostZones) errors.tooMany(`${path}.hints.forZones`, zones.length, mostZones);
    const seen = new Set<string>();
    for (const [position, name] of zones.entries()) {
      if (seen.has(name)) errors.duplicate(`${path}.hints.forZones[${position}].name`, name);
      seen.add(name);
    }
  }
}

function validateAddress(address: string, type: string, at: string, errors: FieldErrors): void {
  if (type === 'FQDN') {
    for (const fault of checkDns1123Subdomain(address)) errors.invalid(at, address, fault);
  } else if (type === 'IPv4' || type === 'IPv6') {
    if (isIP(address) !== Number(type.slice(3))) errors.invalid(at, address, `must be a valid ${type} address`);
    if (isIP(address) !== 0) requireReachable(address, at, errors);
  }
}

function validatePorts(ports: readonly EndpointPort[], errors: FieldErrors): void {
  if (ports.length > mostPorts) {
    errors.tooMany('ports', ports.length, mostPorts);
    return;
  }
  const names = new Set<string>();
  for (const [index, { name = '', protocol, appProtocol }] of ports.entries()) {
    const at = `ports[${index}]`;
    if (name !== '') for (const fault of checkDns1123Label(name)) errors.invalid(`${at}.name`, name, fault);
    if (names.has(name)) errors.duplicate(`${at}.name`, name);
    names.add(name);
    requireOneOf(protocol, `${at}.protocol`, ['SCTP', 'TCP', 'UDP'], errors);
    if (appProtocol !== undefined)
      for (const fault of checkQualifiedName(appProtocol)) errors.invalid(`${at}.appProtocol`, appProtocol, fault);
  }
}

function firstOf(all: readonly string[]): string {
  if (all.length === 0) return '<unset>';
  const text = all.slice(0, shown).join(',');
  return all.length > shown ? `${text} + ${all.length - shown} more...` : text;
}
