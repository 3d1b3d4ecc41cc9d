import { defineKind } from '../define-kind.ts';
import type { ResourceSlice } from '../shapes/types/resource-v1.ts';
import { ageColumn, nameColumn, tableColumns } from '../table-columns.ts';

export const resourceSlice = defineKind<ResourceSlice>({
  group: 'resource.k8s.io',
  kind: 'ResourceSlice',
  description: 'Devices that a driver offers.',
  supportNote: 'devices are not claimed for pods yet',
  changesGeneration: undefined,
  columns: tableColumns<ResourceSlice>([
    nameColumn,
    { name: 'Node', type: 'string', description: 'The node that has them.', cell: ({ spec }) => spec.nodeName ?? '<unset>' },
    { name: 'Driver', type: 'string', description: 'The driver.', cell: ({ spec }) => spec.driver },
    { name: 'Pool', type: 'string', description: 'The pool that they belong to.', cell: ({ spec }) => spec.pool.name },
    ageColumn,
  ]),
  selectableFields: { 'spec.nodeName': ({ spec }) => spec.nodeName, 'spec.driver': ({ spec }) => spec.driver },
});
