import { defineKind } from '../define-kind.ts';
import type { APIService } from '../shapes/types/apiregistration-v1.ts';
import { ageColumn, nameColumn, tableColumns } from '../table-columns.ts';

export const apiService = defineKind<APIService>({
  group: 'apiregistration.k8s.io',
  kind: 'APIService',
  description: 'A group of the API that another server serves.',
  supportNote: 'requests are not passed on to other servers',
  changesGeneration: undefined,
  columns: tableColumns<APIService>([
    nameColumn,
    {
      name: 'Service',
      type: 'string',
      description: 'Who serves it.',
      cell: ({ spec }) => (spec.service === undefined ? 'Local' : `${spec.service.namespace ?? ''}/${spec.service.name ?? ''}`),
    },
    {
      name: 'Available',
      type: 'string',
      description: 'Whether it answers.',
      cell: ({ status }) => {
        const condition = status?.conditions?.find(({ type }) => type === 'Available');
        if (condition === undefined) return '<unknown>';
        return condition.status === 'True' ? 'True' : `${condition.status} (${condition.reason ?? ''})`;
      },
    },
    ageColumn,
  ]),
});
