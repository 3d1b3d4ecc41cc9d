import { defineKind } from '../define-kind.ts';
import { FieldErrors } from '../field-errors.ts';
import { checkDns1123Label } from '../names.ts';
import { validateFinalizer } from '../object-meta.ts';
import type { Namespace } from '../shapes/types/core-v1.ts';
import { statusSubresource } from '../subresources.ts';
import { ageColumn, nameColumn, tableColumns } from '../table-columns.ts';

const self = { group: '', version: 'v1', kind: 'Namespace' };
const typeName = 'core.v1.Namespace';

/** Held by `spec.finalizers` until its contents are gone. */
export const namespace = defineKind<Namespace>({
  group: '',
  kind: 'Namespace',
  description: 'A room for names: most objects are in one.',
  support: 'acted on',
  supportNote: 'deleting one deletes what is in it',
  nameRule: checkDns1123Label,
  subresources: [
    {
      ...statusSubresource<Namespace>(self, typeName),
      validate: ({ metadata, status }) => {
        const errors = new FieldErrors();
        const phase = status?.phase ?? '';
        if (metadata.deletionTimestamp === undefined) {
          if (phase !== 'Active') errors.invalid('status.Phase', phase, "may only be 'Active' if `deletionTimestamp` is empty");
        } else if (phase !== 'Terminating') {
          errors.invalid('status.Phase', phase, "may only be 'Terminating' if `deletionTimestamp` is not empty");
        }
        return errors;
      },
    },
    {
      name: 'finalize',
      kind: self,
      typeName,
      verbs: ['update'],
      validate: ({ spec }) => {
        const errors = new FieldErrors();
        for (const [index, finalizer] of (spec.finalizers ?? []).entries())
          validateFinalizer(finalizer, `spec.finalizers[${index}]`, errors);
        return errors;
      },
      write: (old, body) => {
        const { finalizers: _, ...spec } = old.spec;
        const finalizers = (body as Namespace).spec.finalizers ?? [];
        return { ...old, spec: { ...spec, ...(finalizers.length === 0 ? {} : { finalizers }) } };
      },
    },
  ],
  defaults: (draft) => {
    const { name } = draft.metadata;
    if (name === undefined || name === '') return;
    draft.metadata.labels = { ...draft.metadata.labels, 'kubernetes.io/metadata.name': name };
  },
  beforeCreate: (draft) => {
    draft.spec = { ...draft.spec, finalizers: [...new Set([...(draft.spec.finalizers ?? []), 'kubernetes'])] };
    draft.status = { phase: 'Active' };
  },
  beforeUpdate: (draft, old) => {
    draft.spec = old.spec;
    if (old.status !== undefined) draft.status = old.status;
  },
  changesGeneration: undefined,
  validateCreate: ({ spec }) => {
    const errors = new FieldErrors();
    for (const finalizer of spec.finalizers ?? []) validateFinalizer(finalizer, 'spec.finalizers', errors);
    return errors;
  },
  columns: tableColumns<Namespace>([
    nameColumn,
    { name: 'Status', type: 'string', description: 'The status of the namespace.', cell: (object) => object.status?.phase ?? '' },
    ageColumn,
  ]),
  selectableFields: { 'status.phase': (object) => object.status?.phase },
  deletion: {
    begin: (draft) => {
      draft.status = { ...draft.status, phase: 'Terminating' };
    },
    isHeld: (object) => (object.spec.finalizers ?? []).length > 0,
  },
});
