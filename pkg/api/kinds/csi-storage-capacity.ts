import { defineKind } from '../define-kind.ts';
import { deepEqual } from '../equality.ts';
import { FieldErrors } from '../field-errors.ts';
import { checkDns1123Subdomain } from '../names.ts';
import { requireUnchanged } from '../object-meta.ts';
import { validateQuantityNotNegative } from '../pod-spec/checks.ts';
import { validateLabelSelector } from '../pod-spec/workload.ts';
import type { CSIStorageCapacity } from '../shapes/types/storage-v1.ts';
import { nameColumn, tableColumns } from '../table-columns.ts';

export const csiStorageCapacity = defineKind<CSIStorageCapacity>({
  group: 'storage.k8s.io',
  kind: 'CSIStorageCapacity',
  description: 'How much storage a class has, and where.',
  supportNote: 'agents do not speak CSI',
  validate: ({ storageClassName, nodeTopology, capacity, maximumVolumeSize }) => {
    const errors = new FieldErrors();
    for (const fault of checkDns1123Subdomain(storageClassName)) errors.invalid('storageClassName', storageClassName, fault);
    if (nodeTopology !== undefined) validateLabelSelector(nodeTopology, 'nodeTopology', errors);
    if (capacity !== undefined) validateQuantityNotNegative(capacity, 'capacity', errors);
    if (maximumVolumeSize !== undefined) validateQuantityNotNegative(maximumVolumeSize, 'maximumVolumeSize', errors);
    return errors;
  },
  validateUpdate: (object, old) => {
    const errors = new FieldErrors();
    requireUnchanged(deepEqual(object.nodeTopology, old.nodeTopology), 'nodeTopology', object.nodeTopology, errors);
    requireUnchanged(object.storageClassName === old.storageClassName, 'storageClassName', object.storageClassName, errors);
    return errors;
  },
  columns: tableColumns<CSIStorageCapacity>([
    nameColumn,
    { name: 'StorageClassName', type: 'string', description: 'The class.', cell: ({ storageClassName }) => storageClassName },
    { name: 'Capacity', type: 'string', description: 'How much.', cell: ({ capacity }) => capacity ?? '<unset>' },
  ]),
});
