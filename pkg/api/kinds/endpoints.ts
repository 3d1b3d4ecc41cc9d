import { isIP } from 'node:net';
import { defineKind } from '../define-kind.ts';
import { FieldErrors } from '../field-errors.ts';
import { checkDns1123Label, checkDns1123Subdomain, checkPortNumber, checkQualifiedName } from '../names.ts';
import { requireAddress, requireReachable } from '../networking/addresses.ts';
import { requireOneOf } from '../pod-spec/checks.ts';
import type { EndpointAddress, EndpointPort, EndpointSubset, Endpoints } from '../shapes/types/core-v1.ts';
import { ageColumn, nameColumn, tableColumns } from '../table-columns.ts';

const shown = 3;

export const endpoints = defineKind<Endpoints>({
  group: '',
  kind: 'Endpoints',
  description: 'The addresses that a service leads to, in one object; EndpointSlices are what is used.',
  support: 'acted on',
  supportNote:
    'written for clients that still read them, and read where somebody writes them for a Service without a selector; nodes forward by EndpointSlices alone',
  defaults: ({ subsets = [] }) => {
    for (const { ports = [] } of subsets) for (const port of ports) port.protocol ??= 'TCP';
  },
  validate: ({ subsets = [] }) => {
    const errors = new FieldErrors();
    for (const [index, subset] of subsets.entries()) validateSubset(subset, `subsets[${index}]`, errors);
    return errors;
  },
  columns: tableColumns<Endpoints>([
    nameColumn,
    { name: 'Endpoints', type: 'string', description: 'The addresses that answer.', cell: addressesOf },
    ageColumn,
  ]),
});

function validateSubset({ addresses = [], notReadyAddresses = [], ports = [] }: EndpointSubset, path: string, errors: FieldErrors): void {
  if (addresses.length === 0 && notReadyAddresses.length === 0) {
    errors.required(path, 'must specify `addresses` or `notReadyAddresses`');
  }
  for (const [index, address] of addresses.entries()) validateAddress(address, `${path}.addresses[${index}]`, errors);
  for (const [index, address] of notReadyAddresses.entries()) validateAddress(address, `${path}.notReadyAddresses[${index}]`, errors);
  for (const [index, port] of ports.entries()) validateEndpointPort(port, ports.length > 1, `${path}.ports[${index}]`, errors);
}

function validateAddress({ ip, hostname = '', nodeName }: EndpointAddress, path: string, errors: FieldErrors): void {
  const isAddress = requireAddress(ip, `${path}.ip`, errors);
  if (hostname !== '') for (const fault of checkDns1123Label(hostname)) errors.invalid(`${path}.hostname`, hostname, fault);
  if (nodeName !== undefined) for (const fault of checkDns1123Subdomain(nodeName)) errors.invalid(`${path}.nodeName`, nodeName, fault);
  if (isAddress) requireReachable(ip, `${path}.ip`, errors);
}

function validateEndpointPort(
  { name = '', port, protocol, appProtocol }: EndpointPort,
  needsName: boolean,
  path: string,
  errors: FieldErrors,
): void {
  if (name === '') {
    if (needsName) errors.required(`${path}.name`);
  } else for (const fault of checkDns1123Label(name)) errors.invalid(`${path}.name`, name, fault);
  for (const fault of checkPortNumber(port)) errors.invalid(`${path}.port`, port, fault);
  if ((protocol ?? '') === '') errors.required(`${path}.protocol`);
  else requireOneOf(protocol, `${path}.protocol`, ['SCTP', 'TCP', 'UDP'], errors);
  if (appProtocol !== undefined)
    for (const fault of checkQualifiedName(appProtocol)) errors.invalid(`${path}.appProtocol`, appProtocol, fault);
}

function addressesOf({ subsets = [] }: Endpoints): string {
  const all = subsets.flatMap(({ addresses = [], ports = [] }) =>
    ports.length === 0
      ? addresses.map(({ ip }) => ip)
      : ports.flatMap(({ port }) => addresses.map(({ ip }) => (isIP(ip) === 6 ? `[${ip}]:${port}` : `${ip}:${port}`))),
  );
  if (all.length === 0) return '<none>';
  const text = all.slice(0, shown).join(',');
  return all.length > shown ? `${text} + ${all.length - shown} more...` : text;
}
