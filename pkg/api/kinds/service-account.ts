import { defineKind } from '../define-kind.ts';
import type { ServiceAccount } from '../shapes/types/core-v1.ts';
import { ageColumn, nameColumn, tableColumns } from '../table-columns.ts';

export const serviceAccount = defineKind<ServiceAccount>({
  group: '',
  kind: 'ServiceAccount',
  description: 'Whom a pod acts as.',
  support: 'stored only',
  supportNote: 'no tokens are made yet',
  // Every namespace has one; it is a pod's tokens that are missed, and a pod that asks for them is warned.
  warnings: undefined,
  columns: tableColumns<ServiceAccount>([
    nameColumn,
    { name: 'Secrets', type: 'string', description: 'How many secrets it names.', cell: (object) => object.secrets?.length ?? 0 },
    ageColumn,
  ]),
});
