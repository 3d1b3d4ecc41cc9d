import { defineKind } from '../define-kind.ts';
import { FieldErrors } from '../field-errors.ts';
import type { Lease } from '../shapes/types/coordination-v1.ts';
import { ageColumn, nameColumn, tableColumns } from '../table-columns.ts';

export const lease = defineKind<Lease>({
  group: 'coordination.k8s.io',
  kind: 'Lease',
  description: 'Who leads, or lives, and until when.',
  support: 'acted on',
  supportNote: 'the parts of the server lead by them; those of nodes are for other tools',
  validate: (object) => {
    const errors = new FieldErrors();
    const { leaseDurationSeconds, leaseTransitions } = object.spec;
    if (leaseDurationSeconds !== undefined && leaseDurationSeconds <= 0) {
      errors.invalid('spec.leaseDurationSeconds', leaseDurationSeconds, 'must be greater than 0');
    }
    if (leaseTransitions !== undefined && leaseTransitions < 0) {
      errors.invalid('spec.leaseTransitions', leaseTransitions, 'must be greater than or equal to 0');
    }
    return errors;
  },
  columns: tableColumns<Lease>([
    nameColumn,
    { name: 'Holder', type: 'string', description: 'Who holds it.', cell: (object) => object.spec.holderIdentity ?? '' },
    ageColumn,
  ]),
});
