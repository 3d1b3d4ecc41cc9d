import { defineKind } from '../define-kind.ts';
import { deepEqual } from '../equality.ts';
import { FieldErrors } from '../field-errors.ts';
import { checkQualifiedName } from '../names.ts';
import type { VolumeAttributesClass } from '../shapes/types/storage-v1.ts';
import { ageColumn, nameColumn, tableColumns } from '../table-columns.ts';

const mostParameters = 512;

export const volumeAttributesClass = defineKind<VolumeAttributesClass>({
  group: 'storage.k8s.io',
  kind: 'VolumeAttributesClass',
  description: 'Attributes of volumes that can be changed while they are in use.',
  supportNote: 'local volumes have none',
  validate: ({ driverName, parameters = {} }) => {
    const errors = new FieldErrors();
    if (driverName === '') errors.required('driverName');
    else for (const fault of checkQualifiedName(driverName.toLowerCase())) errors.invalid('driverName', driverName, fault);
    const count = Object.keys(parameters).length;
    if (count > mostParameters) errors.tooLong('parameters', mostParameters);
    if (count === 0) errors.required('parameters', 'must contain at least one key/value pair');
    return errors;
  },
  validateUpdate: (object, old) => {
    const errors = new FieldErrors();
    if (object.driverName !== old.driverName) errors.forbidden('driverName', 'updates to driverName are forbidden.');
    if (!deepEqual(object.parameters, old.parameters)) errors.forbidden('parameters', 'updates to parameters are forbidden.');
    return errors;
  },
  columns: tableColumns<VolumeAttributesClass>([
    {
      ...nameColumn,
      cell: ({ metadata }) =>
        `${metadata.name ?? ''}${metadata.annotations?.['storage.kubernetes.io/is-default-class'] === 'true' ? ' (default)' : ''}`,
    },
    { name: 'DriverName', type: 'string', description: 'The driver that it is for.', cell: ({ driverName }) => driverName },
    ageColumn,
  ]),
});
