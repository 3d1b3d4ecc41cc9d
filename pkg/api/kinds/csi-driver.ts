import { defineKind } from '../define-kind.ts';
import { deepEqual } from '../equality.ts';
import { FieldErrors } from '../field-errors.ts';
import { requireUnchanged } from '../object-meta.ts';
import { requireOneOf } from '../pod-spec/checks.ts';
import type { CSIDriver } from '../shapes/types/storage-v1.ts';
import { ageColumn, type FilledColumn, nameColumn, tableColumns } from '../table-columns.ts';

const leastSeconds = 600;

const flag = (name: string, description: string, cell: (object: CSIDriver) => boolean | undefined): FilledColumn<CSIDriver> => ({
  name,
  type: 'boolean',
  description,
  cell: (object) => cell(object) ?? false,
});

export const csiDriver = defineKind<CSIDriver>({
  group: 'storage.k8s.io',
  kind: 'CSIDriver',
  description: 'A driver of volumes that runs in the cluster.',
  supportNote: 'agents do not speak CSI',
  changesGeneration: (object, old) => !deepEqual(object.spec, old.spec),
  defaults: ({ spec }) => {
    spec.attachRequired ??= true;
    spec.podInfoOnMount ??= false;
    spec.storageCapacity ??= false;
    spec.fsGroupPolicy ??= 'ReadWriteOnceWithFSType';
    if ((spec.volumeLifecycleModes ?? []).length === 0) spec.volumeLifecycleModes = ['Persistent'];
    spec.requiresRepublish ??= false;
    spec.seLinuxMount ??= false;
  },
  validate: ({ spec }) => {
    const errors = new FieldErrors();
    requireOneOf(spec.fsGroupPolicy, 'spec.fsGroupPolicy', ['File', 'None', 'ReadWriteOnceWithFSType'], errors);
    const audiences = new Set<string>();
    for (const [index, { audience, expirationSeconds }] of (spec.tokenRequests ?? []).entries()) {
      const path = `spec.tokenRequests[${index}]`;
      if (audiences.has(audience)) {
        errors.duplicate(`${path}.audience`, audience);
        continue;
      }
      audiences.add(audience);
      if (expirationSeconds === undefined) continue;
      if (expirationSeconds < leastSeconds)
        errors.invalid(`${path}.expirationSeconds`, expirationSeconds, 'may not specify a duration less than 10 minutes');
      if (expirationSeconds > 2 ** 32)
        errors.invalid(`${path}.expirationSeconds`, expirationSeconds, 'may not specify a duration larger than 2^32 seconds');
    }
    for (const mode of spec.volumeLifecycleModes ?? [])
      requireOneOf(mode, 'spec.volumeLifecycleModes', ['Persistent', 'Ephemeral'], errors);
    return errors;
  },
  validateUpdate: ({ spec }, { spec: old }) => {
    const errors = new FieldErrors();
    requireUnchanged(spec.attachRequired === old.attachRequired, 'spec.attachedRequired', spec.attachRequired, errors);
    requireUnchanged(
      deepEqual(spec.volumeLifecycleModes, old.volumeLifecycleModes),
      'spec.volumeLifecycleModes',
      spec.volumeLifecycleModes,
      errors,
    );
    return errors;
  },
  columns: tableColumns<CSIDriver>([
    nameColumn,
    flag('AttachRequired', 'Whether volumes are attached before they are mounted.', ({ spec }) => spec.attachRequired),
    flag('PodInfoOnMount', 'Whether it is told of the pod.', ({ spec }) => spec.podInfoOnMount),
    flag('StorageCapacity', 'Whether it tells how much it has.', ({ spec }) => spec.storageCapacity),
    {
      name: 'TokenRequests',
      type: 'string',
      description: 'The tokens that it wants.',
      cell: ({ spec }) => (spec.tokenRequests ?? []).map(({ audience }) => audience).join(',') || '<unset>',
    },
    flag('RequiresRepublish', 'Whether it is asked to mount again and again.', ({ spec }) => spec.requiresRepublish),
    {
      name: 'Modes',
      type: 'string',
      description: 'Which volumes it makes.',
      cell: ({ spec }) => (spec.volumeLifecycleModes ?? []).join(',') || '<none>',
    },
    ageColumn,
  ]),
});
