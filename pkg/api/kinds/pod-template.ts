import { defineKind } from '../define-kind.ts';
import { FieldErrors } from '../field-errors.ts';
import { defaultPodSpec } from '../pod-spec/defaults.ts';
import { checkPodFields } from '../pod-spec/support.ts';
import { validateTemplate } from '../pod-spec/validate.ts';
import type { PodTemplate } from '../shapes/types/core-v1.ts';
import { nameColumn, tableColumns } from '../table-columns.ts';

export const podTemplate = defineKind<PodTemplate>({
  group: '',
  kind: 'PodTemplate',
  description: 'A description of pods, to be used by others.',
  support: 'stored only',
  supportNote: 'as in Kubernetes: for controllers of your own',
  warnings: ({ template }, old) => (template === undefined || old !== undefined ? [] : checkPodFields(template.spec, 'template.spec')),
  defaults: ({ template }) => {
    if (template !== undefined) defaultPodSpec(template.spec);
  },
  validate: ({ template }) => {
    const errors = new FieldErrors();
    if (template !== undefined) {
      validateTemplate(template, 'template', errors);
      checkPodFields(template.spec, 'template.spec', errors);
    }
    return errors;
  },
  columns: tableColumns<PodTemplate>([
    nameColumn,
    {
      name: 'Containers',
      type: 'string',
      description: 'Names of the containers.',
      cell: ({ template }) => (template?.spec.containers ?? []).map(({ name }) => name).join(','),
    },
    {
      name: 'Images',
      type: 'string',
      description: 'Images of the containers.',
      cell: ({ template }) => (template?.spec.containers ?? []).map(({ image = '' }) => image).join(','),
    },
    {
      name: 'Pod Labels',
      type: 'string',
      description: 'Labels of its pods.',
      cell: ({ template }) => {
        const pairs = Object.entries(template?.metadata?.labels ?? {}).map(([key, value]) => `${key}=${value}`);
        return pairs.length === 0 ? '<none>' : pairs.toSorted().join(',');
      },
    },
  ]),
});
