import { defineKind } from '../define-kind.ts';
import { deepEqual } from '../equality.ts';
import { FieldErrors } from '../field-errors.ts';
import { checkQualifiedName } from '../names.ts';
import { requireNonNegative } from '../pod-spec/checks.ts';
import type { CSINode } from '../shapes/types/storage-v1.ts';
import { ageColumn, nameColumn, tableColumns } from '../table-columns.ts';
import { validateDriverName } from '../volumes/driver-name.ts';

const longestNodeId = 192;

export const csiNode = defineKind<CSINode>({
  group: 'storage.k8s.io',
  kind: 'CSINode',
  description: 'Which drivers of volumes a node has.',
  supportNote: 'agents do not speak CSI',
  validate: ({ spec }) => {
    const errors = new FieldErrors();
    const names = new Set<string>();
    for (const [index, { name, nodeID, topologyKeys = [], allocatable }] of (spec.drivers ?? []).entries()) {
      const path = `spec.drivers[${index}]`;
      validateDriverName(name, `${path}.name`, errors);
      if (nodeID === '') errors.required(`${path}.nodeID`);
      else if (nodeID.length > longestNodeId) errors.invalid(`${path}.nodeID`, nodeID, `must be ${longestNodeId} characters or less`);
      requireNonNegative(allocatable?.count, `${path}.allocatable.count`, errors);
      if (names.has(name)) errors.duplicate(`${path}.name`, name);
      names.add(name);
      const keys = new Set<string>();
      for (const key of topologyKeys) {
        if (key === '') errors.required(path);
        if (keys.has(key)) errors.duplicate(path, key);
        keys.add(key);
        for (const fault of checkQualifiedName(key)) errors.invalid(path, key, fault);
      }
    }
    return errors;
  },
  validateUpdate: ({ spec }, { spec: old }) => {
    const errors = new FieldErrors();
    const known = new Map((old.drivers ?? []).map((driver) => [driver.name, driver]));
    for (const driver of spec.drivers ?? []) {
      const before = known.get(driver.name);
      if (before !== undefined && !deepEqual({ ...before, allocatable: undefined }, { ...driver, allocatable: undefined })) {
        errors.invalid('spec.drivers', driver, 'field is immutable');
      }
    }
    return errors;
  },
  columns: tableColumns<CSINode>([
    nameColumn,
    { name: 'Drivers', type: 'integer', description: 'How many drivers.', cell: ({ spec }) => spec.drivers?.length ?? 0 },
    ageColumn,
  ]),
});
