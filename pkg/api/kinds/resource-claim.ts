import { defineKind } from '../define-kind.ts';
import { deepEqual } from '../equality.ts';
import { FieldErrors } from '../field-errors.ts';
import { requireUnchanged } from '../object-meta.ts';
import type { ResourceClaim } from '../shapes/types/resource-v1.ts';
import { ageColumn, nameColumn, tableColumns } from '../table-columns.ts';

export const resourceClaim = defineKind<ResourceClaim>({
  group: 'resource.k8s.io',
  kind: 'ResourceClaim',
  description: 'Devices that pods ask for.',
  supportNote: 'devices are not claimed for pods yet',
  changesGeneration: undefined,
  validateUpdate: (object, old) => {
    const errors = new FieldErrors();
    requireUnchanged(deepEqual(object.spec, old.spec), 'spec', object.spec, errors);
    return errors;
  },
  columns: tableColumns<ResourceClaim>([
    nameColumn,
    {
      name: 'State',
      type: 'string',
      description: 'Whether the devices are there.',
      cell: ({ metadata, status }) => {
        const words = [
          ...(metadata.deletionTimestamp === undefined ? [] : ['deleted']),
          ...(status?.allocation === undefined ? [] : ['allocated']),
          ...((status?.reservedFor ?? []).length === 0 ? [] : ['reserved']),
        ];
        return status?.allocation === undefined && metadata.deletionTimestamp === undefined ? 'pending' : words.join(',');
      },
    },
    ageColumn,
  ]),
});
