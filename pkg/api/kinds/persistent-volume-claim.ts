import { defineKind } from '../define-kind.ts';
import { deepEqual } from '../equality.ts';
import { FieldErrors } from '../field-errors.ts';
import { requireUnchanged } from '../object-meta.ts';
import { isGreater } from '../pod-spec/checks.ts';
import type { PersistentVolumeClaim, PersistentVolumeClaimSpec } from '../shapes/types/core-v1.ts';
import { ageColumn, type FilledColumn, nameColumn, tableColumns, wide } from '../table-columns.ts';
import { formatAccessModes } from '../volumes/access-modes.ts';
import { validateClaimSpec } from '../volumes/claim-spec.ts';

const fixed = 'spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims';

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
    validateClaimSpec(spec, 'spec', errors);
    return errors;
  },
  validateUpdate: (object, old) => {
    const errors = new FieldErrors();
    if (!deepEqual(fixedPart(object.spec, old), fixedPart(old.spec, old))) errors.forbidden('spec', fixed);
    const [now, before] = [object.spec.resources?.requests?.storage, old.spec.resources?.requests?.storage];
    const held = old.status?.capacity?.storage ?? '0';
    if (now !== undefined && before !== undefined && isGreater(before, now) && !isGreater(now, held)) {
      errors.forbidden('spec.resources.requests.storage', 'field can not be less than status.capacity');
    }
    requireUnchanged(object.spec.volumeMode === old.spec.volumeMode, 'volumeMode', object.spec.volumeMode, errors);
    const [attributes, attributesBefore] = [object.spec.volumeAttributesClassName, old.spec.volumeAttributesClassName];
    if (attributesBefore !== undefined && (attributes ?? '') === '' && attributes !== attributesBefore) {
      const to = attributes === undefined ? 'nil' : 'an empty string';
      errors.forbidden('spec.volumeAttributesClassName', `update from non-nil value to ${to} is forbidden`);
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

/** The spec without what may change: what is given once (volume, class), and of a bound claim its size and its class of attributes. */
function fixedPart(spec: PersistentVolumeClaimSpec, old: PersistentVolumeClaim): Record<string, unknown> {
  const { resources, volumeAttributesClassName, volumeName, storageClassName, ...rest } = spec;
  const { storage: _, ...requests } = resources?.requests ?? {};
  const isBoundNow = old.status?.phase === 'Bound';
  return {
    ...rest,
    volumeName: isBound(old) ? volumeName : undefined,
    storageClassName: old.spec.storageClassName === undefined ? undefined : storageClassName,
    resources: isBoundNow ? { ...resources, requests } : resources,
    ...(isBoundNow ? {} : { volumeAttributesClassName }),
  };
}
