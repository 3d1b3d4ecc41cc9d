import { defineKind } from '../define-kind.ts';
import { deepEqual } from '../equality.ts';
import { FieldErrors } from '../field-errors.ts';
import { checkQualifiedName } from '../names.ts';
import { requireOneOf } from '../pod-spec/checks.ts';
import type { StorageClass } from '../shapes/types/storage-v1.ts';
import { ageColumn, tableColumns } from '../table-columns.ts';

const defaultAnnotation = 'storageclass.kubernetes.io/is-default-class';

export const storageClass = defineKind<StorageClass>({
  group: 'storage.k8s.io',
  kind: 'StorageClass',
  description: 'A sort of volume, and who makes it.',
  support: 'acted on',
  supportNote: 'volumes of `berth.dev/local` are made on their node; those of other provisioners are for other programs to make',
  defaults: (draft) => {
    draft.reclaimPolicy ??= 'Delete';
    draft.volumeBindingMode ??= 'Immediate';
  },
  validate: (object) => {
    const errors = new FieldErrors();
    if (object.provisioner === '') errors.required('provisioner');
    else for (const fault of checkQualifiedName(object.provisioner.toLowerCase())) errors.invalid('provisioner', object.provisioner, fault);
    requireOneOf(object.reclaimPolicy, 'reclaimPolicy', ['Delete', 'Retain'], errors);
    requireOneOf(object.volumeBindingMode, 'volumeBindingMode', ['Immediate', 'WaitForFirstConsumer'], errors);
    return errors;
  },
  validateUpdate: (object, old) => {
    const errors = new FieldErrors();
    for (const field of ['parameters', 'provisioner', 'reclaimPolicy'] as const) {
      if (!deepEqual(object[field], old[field])) errors.forbidden(field, `updates to ${field} are forbidden.`);
    }
    if (object.volumeBindingMode !== old.volumeBindingMode) {
      errors.invalid('volumeBindingMode', object.volumeBindingMode ?? null, 'field is immutable');
    }
    return errors;
  },
  columns: tableColumns<StorageClass>([
    {
      name: 'Name',
      type: 'string',
      format: 'name',
      description: 'Name, and whether it is the default.',
      cell: ({ metadata }) => `${metadata.name ?? ''}${metadata.annotations?.[defaultAnnotation] === 'true' ? ' (default)' : ''}`,
    },
    { name: 'Provisioner', type: 'string', description: 'Who makes its volumes.', cell: (object) => object.provisioner },
    {
      name: 'ReclaimPolicy',
      type: 'string',
      description: 'What becomes of a volume when its claim goes.',
      cell: (object) => object.reclaimPolicy ?? '',
    },
    { name: 'VolumeBindingMode', type: 'string', description: 'When a claim is bound.', cell: (object) => object.volumeBindingMode ?? '' },
    {
      name: 'AllowVolumeExpansion',
      type: 'string',
      description: 'Whether volumes can grow.',
      cell: (object) => object.allowVolumeExpansion ?? false,
    },
    ageColumn,
  ]),
});
