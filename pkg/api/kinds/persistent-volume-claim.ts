import { defineKind } from '../define-kind.ts';
import { deepEqual } from '../equality.ts';
import { FieldErrors } from '../field-errors.ts';
import { isGreater, requireOneOf } from '../pod-spec/checks.ts';
import { parseQuantity } from '../quantity.ts';
import type { PersistentVolumeClaim, PersistentVolumeClaimSpec } from '../shapes/types/core-v1.ts';
import { ageColumn, type FilledColumn, nameColumn, tableColumns, wide } from '../table-columns.ts';
import { formatAccessModes, validateAccessModes } from '../volumes/access-modes.ts';

const text = (name: string, description: string, cell: (object: PersistentVolumeClaim) => string): FilledColumn<PersistentVolumeClaim> => ({
  name,
  type: 'string',
  description,
  cell,
});

const isBound = (object: PersistentVolumeClaim): boolean => (object.spec.volumeName ?? '') !== '';

export const persistentVolumeClaim = defineKind<PersistentVolumeClaim>({
  group: '',
  kind: 'PersistentVolumeClaim',
  description: 'What a pod asks of storage that outlives it.',
  support: 'acted on',
  supportNote: 'bound to a local volume on the node of the first pod that uses it',
  defaults: ({ spec }) => {
    spec.volumeMode ??= 'Filesystem';
  },
  changesGeneration: undefined,
  beforeCreate: (draft) => {
    draft.status = { phase: 'Pending' };
  },
  validate: ({ spec }) => {
    const errors = new FieldErrors();
    validateAccessModes(spec.accessModes, 'spec.accessModes', 'at least 1 access mode is required', errors);
    const storage = spec.resources?.requests?.storage;
    if (storage === undefined) errors.required('spec.resources[storage]');
    else if (parseQuantity(storage).nano <= 0n) errors.invalid('spec.resources[storage]', storage, 'must be greater than zero');
    requireOneOf(spec.volumeMode, 'spec.volumeMode', ['Block', 'Filesystem'], errors);
    return errors;
  },
  validateUpdate: (object, old) => {
    const errors = new FieldErrors();
    if (!deepEqual(fixedPart(object.spec, old.spec), fixedPart(old.spec, old.spec))) {
      errors.forbidden('spec', 'spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims');
    }
    const [now, before] = [object.spec.resources?.requests?.storage, old.spec.resources?.requests?.storage];
    if (now !== undefined && before !== undefined && now !== before) {
      if (!isBound(old))
        errors.forbidden(
          'spec',
          'spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims',
        );
      else if (isGreater(before, now)) errors.forbidden('spec.resources.requests.storage', 'field can not be less than status.capacity');
    }
    return errors;
  },
  columns: tableColumns<PersistentVolumeClaim>([
    nameColumn,
    text('Status', 'Whether it is bound.', ({ metadata, status }) =>
      metadata.deletionTimestamp === undefined ? (status?.phase ?? '') : 'Terminating',
    ),
    text('Volume', 'The volume that it is bound to.', ({ spec }) => spec.volumeName ?? ''),
    text('Capacity', 'How much the volume holds.', (object) => (isBound(object) ? (object.status?.capacity?.storage ?? '') : '')),
    text('Access Modes', 'How the volume can be mounted.', (object) =>
      isBound(object) ? formatAccessModes(object.status?.accessModes) : '',
    ),
    text('StorageClass', 'The class that it asks for.', ({ spec }) => spec.storageClassName ?? ''),
    text('VolumeAttributesClass', 'The class of attributes that it asks for.', ({ spec }) => spec.volumeAttributesClassName || '<unset>'),
    ageColumn,
    wide(text('VolumeMode', 'Whether it is a file system or a block device.', ({ spec }) => spec.volumeMode || '<unset>')),
  ]),
});

/** The spec without what may change: the size, the class of attributes, and what is given once (volume, class). */
function fixedPart(spec: PersistentVolumeClaimSpec, old: PersistentVolumeClaimSpec): Record<string, unknown> {
  const { resources: _r, volumeAttributesClassName: _a, volumeName, storageClassName, ...rest } = spec;
  return {
    ...rest,
    volumeName: (old.volumeName ?? '') === '' ? undefined : volumeName,
    storageClassName: old.storageClassName === undefined ? undefined : storageClassName,
  };
}
