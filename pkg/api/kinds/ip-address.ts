import { isIP } from 'node:net';
import { defineKind } from '../define-kind.ts';
import { deepEqual } from '../equality.ts';
import { FieldErrors } from '../field-errors.ts';
import { checkDns1123Subdomain, checkPathSegment } from '../names.ts';
import { requireUnchanged } from '../object-meta.ts';
import type { IPAddress } from '../shapes/types/networking-v1.ts';
import { nameColumn, tableColumns } from '../table-columns.ts';

export const ipAddress = defineKind<IPAddress>({
  group: 'networking.k8s.io',
  kind: 'IPAddress',
  description: 'An address that a service holds.',
  support: 'stored only',
  supportNote: 'addresses of services are held in the store itself',
  nameRule: (name) => (isIP(name) === 0 ? [`ParseAddr(${JSON.stringify(name)}): unable to parse IP`] : []),
  validate: ({ spec }) => {
    const errors = new FieldErrors();
    const { group = '', resource = '', name = '', namespace = '' } = spec.parentRef ?? {};
    const path = 'spec.parentRef';
    if (group !== '') for (const fault of checkDns1123Subdomain(group)) errors.invalid(`${path}.group`, group, fault);
    for (const [field, value] of [
      ['resource', resource],
      ['name', name],
    ] as const) {
      if (value === '') errors.required(`${path}.${field}`);
      else for (const fault of checkPathSegment(value)) errors.invalid(`${path}.${field}`, value, fault);
    }
    if (namespace !== '') for (const fault of checkPathSegment(namespace)) errors.invalid(`${path}.namespace`, namespace, fault);
    return errors;
  },
  validateUpdate: (object, old) => {
    const errors = new FieldErrors();
    requireUnchanged(deepEqual(object.spec.parentRef, old.spec.parentRef), 'spec.parentRef', object.spec.parentRef, errors);
    return errors;
  },
  columns: tableColumns<IPAddress>([
    nameColumn,
    {
      name: 'ParentRef',
      type: 'string',
      description: 'Who holds it.',
      cell: ({ spec }) => {
        const { group = '', resource = '', name = '', namespace = '' } = spec.parentRef ?? {};
        const of = group === '' ? resource : `${resource}.${group}`;
        return namespace === '' ? `${of}/${name}` : `${of}/${namespace}/${name}`;
      },
    },
  ]),
});
