import { isIP } from 'node:net';
import { defineKind } from '../define-kind.ts';
import { deepEqual } from '../equality.ts';
import { FieldErrors } from '../field-errors.ts';
import { checkDns1123Label, checkDns1123Subdomain } from '../names.ts';
import { requireUnchanged } from '../object-meta.ts';
import { requireOneOf } from '../pod-spec/checks.ts';
import type { EndpointSlice } from '../shapes/types/discovery-v1.ts';
import { ageColumn, nameColumn, tableColumns } from '../table-columns.ts';

const shown = 3;

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
    if ((object.endpoints?.length ?? 0) > 1000) errors.tooMany('endpoints', object.endpoints?.length ?? 0, 1000);
    for (const [index, { addresses = [] }] of (object.endpoints ?? []).entries()) {
      const at = `endpoints[${index}].addresses`;
      if (addresses.length === 0) errors.required(at, 'must contain at least 1 address');
      if (addresses.length > 100) errors.tooMany(at, addresses.length, 100);
      for (const [position, address] of addresses.entries()) validateAddress(address, object.addressType, `${at}[${position}]`, errors);
    }
    const names = new Set<string>();
    for (const [index, { name = '', protocol }] of (object.ports ?? []).entries()) {
      if (name !== '') for (const fault of checkDns1123Label(name)) errors.invalid(`ports[${index}].name`, name, fault);
      if (names.has(name)) errors.duplicate(`ports[${index}].name`, name);
      names.add(name);
      requireOneOf(protocol, `ports[${index}].protocol`, ['SCTP', 'TCP', 'UDP'], errors);
    }
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

function validateAddress(address: string, type: string, at: string, errors: FieldErrors): void {
  if (type === 'FQDN') {
    for (const fault of checkDns1123Subdomain(address)) errors.invalid(at, address, fault);
  } else if ((type === 'IPv4' && isIP(address) !== 4) || (type === 'IPv6' && isIP(address) !== 6)) {
    errors.invalid(at, address, `must be an ${type} address`);
  }
}

function firstOf(all: readonly string[]): string {
  if (all.length === 0) return '<unset>';
  const text = all.slice(0, shown).join(',');
  return all.length > shown ? `${text} + ${all.length - shown} more...` : text;
}
