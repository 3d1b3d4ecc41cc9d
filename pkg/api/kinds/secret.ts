import { defineKind } from '../define-kind.ts';
import { deepEqual } from '../equality.ts';
import { FieldErrors } from '../field-errors.ts';
import { checkConfigKey } from '../names.ts';
import { requireUnchanged } from '../object-meta.ts';
import type { Secret } from '../shapes/types/core-v1.ts';
import { ageColumn, nameColumn, tableColumns } from '../table-columns.ts';

/** Of all values together. */
const maximumBytes = 1024 * 1024;

/** Keys that secrets of a type must have. */
const requiredKeys: Readonly<Record<string, readonly string[]>> = {
  'kubernetes.io/dockercfg': ['.dockercfg'],
  'kubernetes.io/dockerconfigjson': ['.dockerconfigjson'],
  'kubernetes.io/ssh-auth': ['ssh-privatekey'],
  'kubernetes.io/tls': ['tls.crt', 'tls.key'],
};

export const secret = defineKind<Secret>({
  group: '',
  kind: 'Secret',
  description: 'Settings for pods that only they should read.',
  support: 'acted on',
  supportNote: 'given to the nodes whose pods need it',
  defaults: (draft) => {
    draft.type ??= 'Opaque';
    const { stringData } = draft;
    if (stringData === undefined) return;
    draft.data = { ...draft.data };
    for (const [key, value] of Object.entries(stringData)) draft.data[key] = Buffer.from(value).toString('base64');
    delete draft.stringData;
  },
  validate: (object) => {
    const errors = new FieldErrors();
    const data = object.data ?? {};
    let size = 0;
    for (const [key, value] of Object.entries(data)) {
      for (const fault of checkConfigKey(key)) errors.invalid(`data[${key}]`, key, fault);
      size += Buffer.byteLength(value, 'base64');
    }
    if (size > maximumBytes) errors.tooLong('data', maximumBytes);
    validateType(object, errors);
    return errors;
  },
  tellsChangeFirst: true,
  validateUpdate: (object, old) => {
    const errors = new FieldErrors();
    requireUnchanged(object.type === old.type, 'type', object.type, errors);
    if (old.immutable !== true) return errors;
    const detail = 'field is immutable when `immutable` is set';
    if (object.immutable !== true) errors.forbidden('immutable', detail);
    if (!deepEqual(object.data, old.data)) errors.forbidden('data', detail);
    return errors;
  },
  columns: tableColumns<Secret>([
    nameColumn,
    { name: 'Type', type: 'string', description: 'What the secret is for.', cell: (object) => object.type ?? '' },
    { name: 'Data', type: 'string', description: 'How many entries there are.', cell: (object) => Object.keys(object.data ?? {}).length },
    ageColumn,
  ]),
  selectableFields: { type: (object) => object.type },
});

function validateType(object: Secret, errors: FieldErrors): void {
  const type = object.type ?? '';
  const data = object.data ?? {};
  for (const key of Object.hasOwn(requiredKeys, type) ? (requiredKeys[type] ?? []) : []) {
    if (!Object.hasOwn(data, key)) errors.required(`data[${key}]`);
  }
  if (type === 'kubernetes.io/basic-auth' && !Object.hasOwn(data, 'username') && !Object.hasOwn(data, 'password')) {
    errors.required('data[username]');
    errors.required('data[password]');
  }
  if (
    type === 'kubernetes.io/service-account-token' &&
    (object.metadata.annotations?.['kubernetes.io/service-account.name'] ?? '') === ''
  ) {
    errors.required('metadata.annotations[kubernetes.io/service-account.name]');
  }
  const key =
    type === 'kubernetes.io/dockerconfigjson' ? '.dockerconfigjson' : type === 'kubernetes.io/dockercfg' ? '.dockercfg' : undefined;
  const text = key === undefined ? undefined : data[key];
  if (key !== undefined && text !== undefined && !isJson(Buffer.from(text, 'base64').toString())) {
    errors.invalid(`data[${key}]`, '<secret contents redacted>', 'must be JSON');
  }
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
