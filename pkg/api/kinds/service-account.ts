import { defineKind } from '../define-kind.ts';
import type { ServiceAccount } from '../shapes/types/core-v1.ts';
import { ageColumn, nameColumn, tableColumns } from '../table-columns.ts';

export const serviceAccount = defineKind<ServiceAccount>({
  group: '',
  kind: 'ServiceAccount',
  description: 'Whom a pod acts as.',
  support: 'acted on',
  supportNote: 'tokens are made on request (`kubectl create token`) and for secrets that ask for one; none is put into pods yet',
  subresources: [
    {
      name: 'token',
      kind: { group: 'authentication.k8s.io', version: 'v1', kind: 'TokenRequest' },
      typeName: 'authentication.v1.TokenRequest',
      verbs: ['create'],
    },
  ],
  columns: tableColumns<ServiceAccount>([
    nameColumn,
    { name: 'Secrets', type: 'string', description: 'How many secrets it names.', cell: (object) => object.secrets?.length ?? 0 },
    ageColumn,
  ]),
});
