import { parseAddressRange } from '../address-ranges.ts';
import { defineKind } from '../define-kind.ts';
import { deepEqual } from '../equality.ts';
import { FieldErrors } from '../field-errors.ts';
import { requireUnchanged } from '../object-meta.ts';
import type { ServiceCIDR } from '../shapes/types/networking-v1.ts';
import { ageColumn, nameColumn, tableColumns } from '../table-columns.ts';

const path = 'spec.cidrs';

export const serviceCidr = defineKind<ServiceCIDR>({
  group: 'networking.k8s.io',
  kind: 'ServiceCIDR',
  description: 'A range of addresses for services.',
  support: 'stored only',
  supportNote: "the range of services is the server's own setting",
  validate: ({ spec }) => {
    const errors = new FieldErrors();
    const cidrs = spec.cidrs ?? [];
    if (cidrs.length === 0) {
      errors.required(path, 'at least one CIDR required');
      return errors;
    }
    if (cidrs.length > 2) {
      errors.invalid(path, spec, 'may only hold up to 2 values');
      return errors;
    }
    const families = new Set(cidrs.map((cidr) => parseAddressRange(cidr)?.family));
    if (cidrs.length === 2 && (families.size < 2 || families.has(undefined))) {
      errors.invalid(path, spec, 'may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/64');
      return errors;
    }
    for (const [index, cidr] of cidrs.entries()) {
      const range = parseAddressRange(cidr);
      const at = `${path}[${index}]`;
      if (range === undefined) errors.invalid(at, cidr, `netip.ParsePrefix(${JSON.stringify(cidr)}): no '/'`);
      else if (!range.isNetwork) errors.invalid(at, cidr, "wrong CIDR format, IP doesn't match network IP address");
      else if (!range.isCanonical) errors.invalid(at, cidr, 'CIDR not in RFC 5952 canonical format');
    }
    return errors;
  },
  validateUpdate: (object, old) => {
    const errors = new FieldErrors();
    requireUnchanged(deepEqual(object.spec.cidrs, old.spec.cidrs), path, object.spec.cidrs, errors);
    return errors;
  },
  columns: tableColumns<ServiceCIDR>([
    nameColumn,
    { name: 'CIDRs', type: 'string', description: 'The ranges.', cell: ({ spec }) => (spec.cidrs ?? []).join(',') },
    ageColumn,
  ]),
});
