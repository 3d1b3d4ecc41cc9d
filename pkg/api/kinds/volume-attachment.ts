import { defineKind } from '../define-kind.ts';
import { deepEqual } from '../equality.ts';
import { FieldErrors } from '../field-errors.ts';
import { checkDns1123Subdomain } from '../names.ts';
import { requireUnchanged } from '../object-meta.ts';
import type { VolumeAttachment } from '../shapes/types/storage-v1.ts';
import { ageColumn, nameColumn, tableColumns } from '../table-columns.ts';
import { validateDriverName } from '../volumes/driver-name.ts';

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
