import { defineKind } from '../define-kind.ts';
import { deepEqual } from '../equality.ts';
import { FieldErrors } from '../field-errors.ts';
import { canonicalJson } from '../hash.ts';
import { checkQualifiedName } from '../names.ts';
import { requireOneOf } from '../pod-spec/checks.ts';
import type { TopologySelectorTerm } from '../shapes/types/core-v1.ts';
import type { StorageClass } from '../shapes/types/storage-v1.ts';
import { ageColumn, tableColumns } from '../table-columns.ts';

const mostParameters = 512;
const largestParameters = 256 * 1024;
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
    validateParameters(object.parameters ?? {}, errors);
    requireOneOf(object.reclaimPolicy, 'reclaimPolicy', ['Delete', 'Retain'], errors);
    requireOneOf(object.volumeBindingMode, 'volumeBindingMode', ['Immediate', 'WaitForFirstConsumer'], errors);
    validateTopologies(object.allowedTopologies ?? [], 'allowedTopologies', errors);
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

function validateParameters(parameters: Readonly<Record<string, string>>, errors: FieldErrors): void {
  const entries = Object.entries(parameters);
  if (entries.length > mostParameters) errors.tooMany('parameters', entries.length, mostParameters);
  if (entries.some(([key]) => key === '')) errors.invalid('parameters', '', 'field can not be empty.');
  const size = entries.reduce((sum, [key, value]) => sum + Buffer.byteLength(key) + Buffer.byteLength(value), 0);
  if (size > largestParameters) errors.tooLong('parameters', largestParameters);
}

function validateTopologies(terms: readonly TopologySelectorTerm[], path: string, errors: FieldErrors): void {
  const seen = new Set<string>();
  for (const [index, { matchLabelExpressions = [] }] of terms.entries()) {
    const at = `${path}[${index}]`;
    const keys = new Map<string, string[]>();
    for (const [position, { key, values = [] }] of matchLabelExpressions.entries()) {
      const each = `${at}.matchLabelExpressions[${position}]`;
      if (values.length === 0) errors.required(`${each}.values`);
      const taken = new Set<string>();
      for (const [place, value] of values.entries()) {
        if (taken.has(value)) errors.duplicate(`${each}.values[${place}]`, value);
        taken.add(value);
      }
      for (const fault of checkQualifiedName(key)) errors.invalid(`${each}.key`, key, fault);
      if (keys.has(key)) errors.duplicate(`${each}.key`, key);
      keys.set(key, [...taken].toSorted());
    }
    const term = canonicalJson(Object.fromEntries(keys));
    if (seen.has(term)) errors.duplicate(`${at}.matchLabelExpressions`, '');
    seen.add(term);
  }
}
