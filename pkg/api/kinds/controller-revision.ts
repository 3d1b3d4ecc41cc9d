import { defineKind } from '../define-kind.ts';
import { deepEqual } from '../equality.ts';
import { FieldErrors } from '../field-errors.ts';
import { parseApiVersion } from '../object.ts';
import { requireUnchanged } from '../object-meta.ts';
import { requireNonNegative } from '../pod-spec/checks.ts';
import type { ControllerRevision } from '../shapes/types/apps-v1.ts';
import { ageColumn, nameColumn, tableColumns } from '../table-columns.ts';

export const controllerRevision = defineKind<ControllerRevision>({
  group: 'apps',
  kind: 'ControllerRevision',
  description: 'A template that a DaemonSet or StatefulSet has had.',
  support: 'acted on',
  supportNote: 'the history of DaemonSets and StatefulSets, for kubectl rollout',
  validate: ({ data, revision }) => {
    const errors = new FieldErrors();
    requireNonNegative(revision, 'revision', errors);
    if (data === undefined || data === null) errors.required('data', 'data is mandatory');
    else if (typeof data !== 'object' || Array.isArray(data)) errors.required('data', 'data must be a valid JSON object');
    return errors;
  },
  validateUpdate: (object, old) => {
    const errors = new FieldErrors();
    requireUnchanged(deepEqual(object.data, old.data), 'data', object.data, errors);
    return errors;
  },
  columns: tableColumns<ControllerRevision>([
    nameColumn,
    {
      name: 'Controller',
      type: 'string',
      description: 'Whose template it is.',
      cell: ({ metadata }) => {
        const owner = metadata.ownerReferences?.find(({ controller }) => controller === true);
        if (owner === undefined) return '<none>';
        const { group } = parseApiVersion(owner.apiVersion);
        const kind = owner.kind.toLowerCase();
        return `${group === '' ? kind : `${kind}.${group}`}/${owner.name}`;
      },
    },
    { name: 'Revision', type: 'integer', description: 'Its number: the newest has the highest.', cell: ({ revision }) => revision },
    ageColumn,
  ]),
});
