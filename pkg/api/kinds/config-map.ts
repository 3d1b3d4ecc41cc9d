import { defineKind } from '../define-kind.ts';
import { deepEqual } from '../equality.ts';
import { FieldErrors } from '../field-errors.ts';
import { checkConfigKey } from '../names.ts';
import type { ConfigMap } from '../shapes/types/core-v1.ts';
import { ageColumn, nameColumn, tableColumns } from '../table-columns.ts';

/** Of all values together. */
const maximumBytes = 1024 * 1024;

export const configMap = defineKind<ConfigMap>({
  group: '',
  kind: 'ConfigMap',
  description: 'Settings for pods, as files or environment variables.',
  support: 'acted on',
  supportNote: 'given to the nodes whose pods need it',
  validate: (object) => {
    const errors = new FieldErrors();
    let size = 0;
    for (const [key, value] of Object.entries(object.data ?? {})) {
      for (const fault of checkConfigKey(key)) errors.invalid(`data[${key}]`, key, fault);
      if (object.binaryData !== undefined && Object.hasOwn(object.binaryData, key)) {
        errors.invalid(`data[${key}]`, key, 'duplicate of key present in binaryData');
      }
      size += Buffer.byteLength(value);
    }
    for (const [key, value] of Object.entries(object.binaryData ?? {})) {
      for (const fault of checkConfigKey(key)) errors.invalid(`binaryData[${key}]`, key, fault);
      size += Buffer.byteLength(value, 'base64');
    }
    if (size > maximumBytes) errors.tooLong('data', maximumBytes);
    return errors;
  },
  tellsChangeFirst: true,
  validateUpdate: (object, old) => {
    const errors = new FieldErrors();
    if (old.immutable !== true) return errors;
    const detail = 'field is immutable when `immutable` is set';
    if (object.immutable !== true) errors.forbidden('immutable', detail);
    if (!deepEqual(object.data, old.data)) errors.forbidden('data', detail);
    if (!deepEqual(object.binaryData, old.binaryData)) errors.forbidden('binaryData', detail);
    return errors;
  },
  columns: tableColumns<ConfigMap>([
    nameColumn,
    {
      name: 'Data',
      type: 'string',
      description: 'How many entries there are.',
      cell: (object) => Object.keys(object.data ?? {}).length + Object.keys(object.binaryData ?? {}).length,
    },
    ageColumn,
  ]),
});
