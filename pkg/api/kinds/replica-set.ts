import { defineKind } from '../define-kind.ts';
import { deepEqual } from '../equality.ts';
import { FieldErrors } from '../field-errors.ts';
import { requireUnchanged } from '../object-meta.ts';
import { defaultPodSpec } from '../pod-spec/defaults.ts';
import { checkPodFields } from '../pod-spec/support.ts';
import { templateColumns } from '../pod-spec/template-columns.ts';
import { validatePodTemplate } from '../pod-spec/validate.ts';
import { validateCounts, validatePodCounts, validateWorkloadSelector } from '../pod-spec/workload.ts';
import type { ReplicaSet } from '../shapes/types/apps-v1.ts';
import { scaleSubresource, statusSubresource } from '../subresources.ts';
import { ageColumn, nameColumn, tableColumns } from '../table-columns.ts';

const templatePath = 'spec.template';

export const replicaSet = defineKind<ReplicaSet>({
  group: 'apps',
  kind: 'ReplicaSet',
  description: 'Keeps so many pods of one template running.',
  support: 'acted on',
  subresources: [
    {
      ...statusSubresource<ReplicaSet>({ group: 'apps', version: 'v1', kind: 'ReplicaSet' }, 'apps.v1.ReplicaSet'),
      validate: ({ status }, { status: before }) => validatePodCounts(status, before),
    },
    scaleSubresource<ReplicaSet>(),
  ],
  defaults: ({ spec }) => {
    spec.replicas ??= 1;
    if (spec.template !== undefined) defaultPodSpec(spec.template.spec);
  },
  validate: ({ spec }) => {
    const errors = new FieldErrors();
    validateCounts(spec, errors);
    const selector = validateWorkloadSelector(spec.selector, 'replicaset', errors);
    if (spec.template === undefined) errors.required(templatePath);
    else {
      validatePodTemplate(spec.template, selector, templatePath, errors);
      checkPodFields(spec.template.spec, `${templatePath}.spec`, errors);
    }
    return errors;
  },
  validateUpdate: (object, old) => {
    const errors = new FieldErrors();
    requireUnchanged(deepEqual(object.spec.selector, old.spec.selector), 'spec.selector', object.spec.selector, errors);
    return errors;
  },
  warnings: (object, old) =>
    object.spec.template === undefined || deepEqual(object.spec.template, old?.spec.template)
      ? []
      : checkPodFields(object.spec.template.spec, `${templatePath}.spec`),
  columns: tableColumns<ReplicaSet>([
    nameColumn,
    { name: 'Desired', type: 'integer', description: 'How many pods there should be.', cell: ({ spec }) => spec.replicas ?? 0 },
    { name: 'Current', type: 'integer', description: 'How many pods there are.', cell: ({ status }) => status?.replicas ?? 0 },
    { name: 'Ready', type: 'integer', description: 'How many of them are ready.', cell: ({ status }) => status?.readyReplicas ?? 0 },
    ageColumn,
    ...templateColumns,
  ]),
  selectableFields: { 'status.replicas': ({ status }) => status?.replicas ?? 0 },
});
