import { isIP } from 'node:net';
import { defineKind } from '../define-kind.ts';
import { FieldErrors } from '../field-errors.ts';
import { checkDns1123Label, checkDns1123Subdomain, checkPortNumber, checkQualifiedName } from '../names.ts';
import { requireOneOf } from '../pod-spec/checks.ts';
import type { EndpointAddress, EndpointPort, EndpointSubset, Endpoints } from '../shapes/types/core-v1.ts';
import { ageColumn, nameColumn, tableColumns } from '../table-columns.ts';

const shown = 3;

export const endpoints = defineKind<Endpoints>({
  group: '',
  kind: 'Endpoints',
  description: 'The addresses that a service leads to, in one object; EndpointSlices are what is used.',
  support: 'acted on',
  supportNote: 'written for clients that still read them; nodes forward by EndpointSlices alone',
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
  if (isIP(ip) === 0) errors.invalid(`${path}.ip`, ip, 'must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)');
  if (hostname !== '') for (const fault of checkDns1123Label(hostname)) errors.invalid(`${path}.hostname`, hostname, fault);
  if (nodeName !== undefined) for (const fault of checkDns1123Subdomain(nodeName)) errors.invalid(`${path}.nodeName`, nodeName, fault);
  if (isIP(ip) !== 0) validateReachable(ip, `${path}.ip`, errors);
}

/** Addresses that no service may lead to. */
function validateReachable(ip: string, path: string, errors: FieldErrors): void {
  const lower = ip.toLowerCase();
  if (ip === '0.0.0.0' || /^(?:0*:)+:?0*$/.test(lower)) errors.invalid(path, ip, `may not be unspecified (${ip})`);
  if (ip.startsWith('127.') || lower === '::1') errors.invalid(path, ip, 'may not be in the loopback range (127.0.0.0/8, ::1/128)');
  if (ip.startsWith('169.254.') || /^fe[89ab]/.test(lower)) {
    errors.invalid(path, ip, 'may not be in the link-local range (169.254.0.0/16, fe80::/10)');
  }
  if (ip.startsWith('224.0.0.') || lower.startsWith('ff02:')) {
    errors.invalid(path, ip, 'may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)');
  }
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
