import { defineKind } from '#api/define-kind';
import { FieldErrors } from '#api/field-errors';
import type { KubernetesObject } from '#api/object';
import { ageColumn, nameColumn, tableColumns } from '#api/table-columns';

export interface Toy extends KubernetesObject {
  spec?: { readonly color?: string };
}

export const toy = defineKind<Toy>({
  group: 'toys.example',
  kind: 'Toy',
  names: { plural: 'toys', singular: 'toy', shortNames: ['ty'], categories: [] },
  scope: 'Namespaced',
  versions: [{ version: 'v1', typeName: 'berth.v1.Untyped' }],
  support: 'acted on',
  defaults: (draft) => {
    draft.spec = { color: 'red', ...draft.spec };
  },
  validate: ({ spec }) => {
    const errors = new FieldErrors();
    if (spec?.color === 'invisible') errors.invalid('spec.color', spec.color, 'must be seen');
    return errors;
  },
  columns: tableColumns<Toy>([
    nameColumn,
    { name: 'Color', type: 'string', description: 'What it looks like.', cell: ({ spec }) => spec?.color ?? '' },
    ageColumn,
  ]),
});
