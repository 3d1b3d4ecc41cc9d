import { defineKind } from '../define-kind.ts';
import { deepEqual } from '../equality.ts';
import { FieldErrors } from '../field-errors.ts';
import { checkDns1123Subdomain } from '../names.ts';
import { requireUnchanged } from '../object-meta.ts';
import { requireOneOf } from '../pod-spec/checks.ts';
import { validateNodeSelectorTerms } from '../pod-spec/scheduling.ts';
import { parseQuantity } from '../quantity.ts';
import type { PersistentVolume, PersistentVolumeSpec } from '../shapes/types/core-v1.ts';
import { ageColumn, type FilledColumn, nameColumn, tableColumns, wide } from '../table-columns.ts';
import { formatAccessModes, validateAccessModes } from '../volumes/access-modes.ts';
import { defaultPersistentSource, validatePersistentSource } from '../volumes/persistent-source.ts';

/** What is in a spec besides the one source. */
const otherFields = new Set([
  'accessModes',
  'capacity',
  'claimRef',
  'mountOptions',
  'nodeAffinity',
  'persistentVolumeReclaimPolicy',
  'storageClassName',
  'volumeAttributesClassName',
  'volumeMode',
]);

const text = (name: string, description: string, cell: (object: PersistentVolume) => string): FilledColumn<PersistentVolume> => ({
  name,
  type: 'string',
  description,
  cell,
});

export const persistentVolume = defineKind<PersistentVolume>({
  group: '',
  kind: 'PersistentVolume',
  description: 'A piece of storage that outlives pods.',
  support: 'acted on',
  supportNote: 'local and hostPath volumes',
  defaults: ({ spec }) => {
    spec.persistentVolumeReclaimPolicy ??= 'Retain';
    spec.volumeMode ??= 'Filesystem';
    defaultPersistentSource(spec);
  },
  changesGeneration: undefined,
  beforeCreate: (draft) => {
    draft.status = { phase: 'Pending' };
  },
  validate: ({ metadata, spec }) => {
    const errors = new FieldErrors();
    validateAccessModes(spec.accessModes, 'spec.accessModes', '', errors);
    const { capacity = {}, persistentVolumeReclaimPolicy, nodeAffinity, storageClassName = '' } = spec;
    const resources = Object.keys(capacity);
    if (resources.length === 0) errors.required('spec.capacity');
    if (capacity.storage === undefined || resources.length > 1) errors.notSupported('spec.capacity', capacity, ['storage']);
    for (const [name, value] of Object.entries(capacity)) {
      if (parseQuantity(value).nano <= 0n) errors.invalid(`spec.capacity[${name}]`, value, 'must be greater than zero');
    }
    requireOneOf(persistentVolumeReclaimPolicy, 'spec.persistentVolumeReclaimPolicy', ['Delete', 'Recycle', 'Retain'], errors);
    if (nodeAffinity !== undefined) {
      const path = 'spec.nodeAffinity.required';
      if (nodeAffinity.required === undefined) errors.required(path, 'must specify required node constraints');
      else validateNodeSelectorTerms(nodeAffinity.required.nodeSelectorTerms, `${path}.nodeSelectorTerms`, errors);
    }
    validatePersistentSource(spec, 'spec', metadata.name ?? '', errors);
    if (/^\/+$/.test(spec.hostPath?.path ?? '') && persistentVolumeReclaimPolicy === 'Recycle') {
      errors.forbidden('spec.persistentVolumeReclaimPolicy', "may not be 'recycle' for a hostPath mount of '/'");
    }
    if (storageClassName !== '') {
      for (const fault of checkDns1123Subdomain(storageClassName)) errors.invalid('spec.storageClassName', storageClassName, fault);
    }
    requireOneOf(spec.volumeMode, 'spec.volumeMode', ['Block', 'Filesystem'], errors);
    return errors;
  },
  validateUpdate: ({ spec }, { spec: old }) => {
    const errors = new FieldErrors();
    if (!deepEqual(sourceOf(withoutNewSecret(spec, old)), sourceOf(old))) {
      errors.forbidden('spec.persistentvolumesource', 'spec.persistentvolumesource is immutable after creation');
    }
    requireUnchanged(spec.volumeMode === old.volumeMode, 'volumeMode', spec.volumeMode, errors);
    if (old.nodeAffinity !== undefined && !deepEqual(spec.nodeAffinity, old.nodeAffinity)) {
      errors.invalid('nodeAffinity', spec.nodeAffinity ?? null, 'field is immutable, except for updating from beta label to GA');
    }
    return errors;
  },
  columns: tableColumns<PersistentVolume>([
    nameColumn,
    text('Capacity', 'How much it holds.', ({ spec }) => spec.capacity?.storage ?? ''),
    text('Access Modes', 'How it can be mounted.', ({ spec }) => formatAccessModes(spec.accessModes)),
    text('Reclaim Policy', 'What becomes of it when its claim goes.', ({ spec }) => spec.persistentVolumeReclaimPolicy ?? ''),
    text('Status', 'Whether it is free, bound or released.', ({ metadata, status }) =>
      metadata.deletionTimestamp === undefined ? (status?.phase ?? '') : 'Terminating',
    ),
    text('Claim', 'The claim it is bound to.', ({ spec }) =>
      spec.claimRef === undefined ? '' : `${spec.claimRef.namespace ?? ''}/${spec.claimRef.name ?? ''}`,
    ),
    text('StorageClass', 'Its class.', ({ spec }) => spec.storageClassName ?? ''),
    text('VolumeAttributesClass', 'Its class of attributes.', ({ spec }) => spec.volumeAttributesClassName || '<unset>'),
    text('Reason', 'Why it is in its state.', ({ status }) => status?.reason ?? ''),
    ageColumn,
    wide(text('VolumeMode', 'Whether it is a file system or a block device.', ({ spec }) => spec.volumeMode || '<unset>')),
  ]),
});

/** The spec without the secret by which a driver makes the volume larger, where there was none: that one may come later. */
function withoutNewSecret(spec: PersistentVolumeSpec, old: PersistentVolumeSpec): PersistentVolumeSpec {
  if (spec.csi === undefined || old.csi === undefined || old.csi.controllerExpandSecretRef !== undefined) return spec;
  const { controllerExpandSecretRef: _secret, ...csi } = spec.csi;
  return { ...spec, csi };
}

function sourceOf(spec: PersistentVolumeSpec): Record<string, unknown> {
  return Object.fromEntries(Object.entries(spec).filter(([key]) => !otherFields.has(key)));
}
