import { defineKind } from '../define-kind.ts';
import { deepEqual } from '../equality.ts';
import { FieldErrors } from '../field-errors.ts';
import { checkDns1123Subdomain } from '../names.ts';
import { requireUnchanged } from '../object-meta.ts';
import type { PersistentVolumeSpec } from '../shapes/types/core-v1.ts';
import type { VolumeAttachment } from '../shapes/types/storage-v1.ts';
import { ageColumn, nameColumn, tableColumns } from '../table-columns.ts';
import { validateAccessModes } from '../volumes/access-modes.ts';
import { validateDriverName } from '../volumes/driver-name.ts';
import { validatePersistentSource } from '../volumes/persistent-source.ts';

export const volumeAttachment = defineKind<VolumeAttachment>({
  group: 'storage.k8s.io',
  kind: 'VolumeAttachment',
  description: 'A volume that is to be attached to a node.',
  supportNote: 'agents do not speak CSI',
  changesGeneration: undefined,
  validate: ({ spec }) => {
    const errors = new FieldErrors();
    const { attacher, nodeName, source } = spec;
    if (attacher === '') errors.required('spec.attacher');
    const { inlineVolumeSpec, persistentVolumeName } = source;
    const rule = 'must specify exactly one of inlineVolumeSpec and persistentVolumeName';
    if (inlineVolumeSpec === undefined && persistentVolumeName === undefined) errors.required('spec.source', rule);
    else if (inlineVolumeSpec !== undefined && persistentVolumeName !== undefined) errors.forbidden('spec.source', rule);
    else if (inlineVolumeSpec !== undefined) validateInlineVolume(inlineVolumeSpec, 'spec.source.inlineVolumeSpec', errors);
    else if (persistentVolumeName === '') {
      errors.required('spec.source.persistentVolumeName', 'must specify non empty persistentVolumeName');
    }
    for (const fault of checkDns1123Subdomain(nodeName)) errors.invalid('spec.nodeName', nodeName, fault);
    return errors;
  },
  validateCreate: ({ spec: { attacher, source } }) => {
    const errors = new FieldErrors();
    validateDriverName(attacher, 'spec.attacher', errors);
    const name = source.persistentVolumeName;
    if (name !== undefined)
      for (const fault of checkDns1123Subdomain(name)) errors.invalid('spec.source.persistentVolumeName', name, fault);
    return errors;
  },
  validateUpdate: (object, old) => {
    const errors = new FieldErrors();
    requireUnchanged(deepEqual(object.spec, old.spec), 'spec', object.spec, errors);
    return errors;
  },
  columns: tableColumns<VolumeAttachment>([
    nameColumn,
    { name: 'Attacher', type: 'string', description: 'Who attaches it.', format: 'name', cell: ({ spec }) => spec.attacher },
    { name: 'PV', type: 'string', description: 'The volume.', cell: ({ spec }) => spec.source.persistentVolumeName ?? '' },
    { name: 'Node', type: 'string', description: 'The node.', cell: ({ spec }) => spec.nodeName },
    { name: 'Attached', type: 'boolean', description: 'Whether it is attached.', cell: ({ status }) => status?.attached ?? false },
    ageColumn,
  ]),
});

/** A volume without an object of its own: only a driver has such. */
function validateInlineVolume(spec: PersistentVolumeSpec, path: string, errors: FieldErrors): void {
  const rule = 'may not be specified in the context of inline volumes';
  if (spec.claimRef !== undefined) errors.forbidden(`${path}.claimRef`, rule);
  if (Object.keys(spec.capacity ?? {}).length > 0) errors.forbidden(`${path}.capacity`, rule);
  if (spec.csi === undefined) errors.required(`${path}.csi`, 'has to be specified in the context of inline volumes');
  validateAccessModes(spec.accessModes, `${path}.accessModes`, '', errors);
  if (!['', 'Retain'].includes(spec.persistentVolumeReclaimPolicy ?? '')) {
    errors.forbidden(`${path}.persistentVolumeReclaimPolicy`, 'may only be Retain in the context of inline volumes');
  }
  if (spec.nodeAffinity !== undefined) errors.forbidden(`${path}.nodeAffinity`, rule);
  validatePersistentSource(spec, path, '', errors);
  if ((spec.storageClassName ?? '') !== '') errors.forbidden(`${path}.storageClassName`, rule);
  if ((spec.volumeMode ?? 'Filesystem') !== 'Filesystem') {
    errors.forbidden(`${path}.volumeMode`, 'may not specify volumeMode other than Filesystem in the context of inline volumes');
  }
}
