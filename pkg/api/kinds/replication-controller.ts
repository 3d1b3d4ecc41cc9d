import { defineKind } from '../define-kind.ts';
import { deepEqual } from '../equality.ts';
import { FieldErrors } from '../field-errors.ts';
import { requireNonNegative } from '../pod-spec/checks.ts';
import { defaultPodSpec } from '../pod-spec/defaults.ts';
import { checkPodFields } from '../pod-spec/support.ts';
import { requireEndless, requireSelected, validateTemplate } from '../pod-spec/validate.ts';
import { validatePodCounts } from '../pod-spec/workload.ts';
import { formatSelector, selectorOfLabels } from '../selector.ts';
import type { ReplicationController } from '../shapes/types/core-v1.ts';
import { scaleSubresource, statusSubresource } from '../subresources.ts';
import { ageColumn, nameColumn, tableColumns, wide } from '../table-columns.ts';

const templatePath = 'spec.template';

export const replicationController = defineKind<ReplicationController>({
  group: '',
  kind: 'ReplicationController',
  description: 'What came before ReplicaSets.',
  support: 'acted on',
  supportNote: 'as ReplicaSets are; use a Deployment',
  subresources: [
    {
      ...statusSubresource<ReplicationController>(
        { group: '', version: 'v1', kind: 'ReplicationController' },
        'core.v1.ReplicationController',
      ),
      validate: ({ status }) => validatePodCounts(status),
    },
    scaleSubresource<ReplicationController>(),
  ],
  warnings: ({ spec }, old) =>
    spec.template === undefined || deepEqual(spec.template, old?.spec.template)
      ? []
      : checkPodFields(spec.template.spec, `${templatePath}.spec`),
  defaults: (draft) => {
    const { spec } = draft;
    const labels = spec.template?.metadata?.labels;
    if (labels !== undefined) {
      if (Object.keys(spec.selector ?? {}).length === 0) spec.selector = { ...labels };
      if (Object.keys(draft.metadata.labels ?? {}).length === 0) draft.metadata.labels = { ...labels };
    }
    spec.replicas ??= 1;
    if (spec.template !== undefined) defaultPodSpec(spec.template.spec);
  },
  validate: ({ spec }) => {
    const errors = new FieldErrors();
    requireNonNegative(spec.minReadySeconds, 'spec.minReadySeconds', errors);
    const selector = spec.selector ?? {};
    if (Object.keys(selector).length === 0) errors.required('spec.selector');
    requireNonNegative(spec.replicas, 'spec.replicas', errors);
    if (spec.template === undefined) errors.required(templatePath);
    else {
      requireSelected(spec.template, selectorOfLabels(selector), templatePath, errors);
      validateTemplate(spec.template, templatePath, errors);
      checkPodFields(spec.template.spec, `${templatePath}.spec`, errors);
      requireEndless(spec.template, 'ReplicationController', templatePath, errors);
    }
    return errors;
  },
  columns: tableColumns<ReplicationController>([
    nameColumn,
    { name: 'Desired', type: 'integer', description: 'How many pods there should be.', cell: ({ spec }) => spec.replicas ?? 0 },
    { name: 'Current', type: 'integer', description: 'How many pods there are.', cell: ({ status }) => status?.replicas ?? 0 },
    { name: 'Ready', type: 'integer', description: 'How many of them are ready.', cell: ({ status }) => status?.readyReplicas ?? 0 },
    ageColumn,
    wide({
      name: 'Containers',
      type: 'string',
      description: 'Names of the containers.',
      cell: ({ spec }) => (spec.template?.spec.containers ?? []).map(({ name }) => name).join(','),
    }),
    wide({
      name: 'Images',
      type: 'string',
      description: 'Images of the containers.',
      cell: ({ spec }) => (spec.template?.spec.containers ?? []).map(({ image = '' }) => image).join(','),
    }),
    wide({
      name: 'Selector',
      type: 'string',
      description: 'Which pods belong to it.',
      cell: ({ spec }) => formatSelector(selectorOfLabels(spec.selector ?? {})) || '<none>',
    }),
  ]),
  selectableFields: { 'status.replicas': ({ status }) => status?.replicas ?? 0 },
});
