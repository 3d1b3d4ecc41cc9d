import { amountOf, validateAmount, validateNotMoreThanAll } from '../amounts.ts';
import { defineKind } from '../define-kind.ts';
import { deepEqual } from '../equality.ts';
import { FieldErrors } from '../field-errors.ts';
import { requireUnchanged } from '../object-meta.ts';
import { requireNonNegative } from '../pod-spec/checks.ts';
import { defaultPodSpec } from '../pod-spec/defaults.ts';
import { checkPodFields } from '../pod-spec/support.ts';
import { templateColumns } from '../pod-spec/template-columns.ts';
import { validatePodTemplate } from '../pod-spec/validate.ts';
import { validatePodCounts, validateWorkloadSelector } from '../pod-spec/workload.ts';
import type { Deployment, DeploymentSpec } from '../shapes/types/apps-v1.ts';
import { scaleSubresource, statusSubresource } from '../subresources.ts';
import { ageColumn, nameColumn, tableColumns } from '../table-columns.ts';

const templatePath = 'spec.template';

export const deployment = defineKind<Deployment>({
  group: 'apps',
  kind: 'Deployment',
  description: 'Keeps pods of a template running, and brings new templates out step by step.',
  support: 'acted on',
  subresources: [
    {
      ...statusSubresource<Deployment>({ group: 'apps', version: 'v1', kind: 'Deployment' }, 'apps.v1.Deployment'),
      validate: ({ status }, { status: before }) => validatePodCounts(status, before),
    },
    scaleSubresource<Deployment>(),
  ],
  defaults: ({ spec }) => {
    spec.replicas ??= 1;
    spec.strategy ??= {};
    spec.strategy.type ??= 'RollingUpdate';
    if (spec.strategy.type === 'RollingUpdate') {
      spec.strategy.rollingUpdate ??= {};
      spec.strategy.rollingUpdate.maxUnavailable ??= '25%';
      spec.strategy.rollingUpdate.maxSurge ??= '25%';
    }
    spec.revisionHistoryLimit ??= 10;
    spec.progressDeadlineSeconds ??= 600;
    if (spec.template !== undefined) defaultPodSpec(spec.template.spec);
  },
  validate: ({ spec }) => {
    const errors = new FieldErrors();
    requireNonNegative(spec.replicas, 'spec.replicas', errors);
    const selector = validateWorkloadSelector(spec.selector, 'deployment', errors);
    if (spec.template === undefined) errors.required(templatePath);
    else {
      validatePodTemplate(spec.template, selector, templatePath, errors);
      checkPodFields(spec.template.spec, `${templatePath}.spec`, errors);
    }
    validateStrategy(spec, errors);
    requireNonNegative(spec.minReadySeconds, 'spec.minReadySeconds', errors);
    requireNonNegative(spec.revisionHistoryLimit, 'spec.revisionHistoryLimit', errors);
    const deadline = spec.progressDeadlineSeconds;
    requireNonNegative(deadline, 'spec.progressDeadlineSeconds', errors);
    if (deadline !== undefined && deadline <= (spec.minReadySeconds ?? 0)) {
      errors.invalid('spec.progressDeadlineSeconds', deadline, 'must be greater than minReadySeconds');
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
  // Annotations are handed on to replica sets: they are part of what is to be brought out.
  changesGeneration: (object, old) =>
    !deepEqual(object.spec, old.spec) || !deepEqual(object.metadata.annotations ?? {}, old.metadata.annotations ?? {}),
  columns: tableColumns<Deployment>([
    nameColumn,
    {
      name: 'Ready',
      type: 'string',
      description: 'Number of the pod with ready state.',
      cell: ({ spec, status }) => `${status?.readyReplicas ?? 0}/${spec.replicas ?? 0}`,
    },
    {
      name: 'Up-to-date',
      type: 'string',
      description: 'How many pods have the present template.',
      cell: ({ status }) => status?.updatedReplicas ?? 0,
    },
    { name: 'Available', type: 'string', description: 'How many pods serve.', cell: ({ status }) => status?.availableReplicas ?? 0 },
    ageColumn,
    ...templateColumns,
  ]),
});

function validateStrategy({ strategy = {} }: DeploymentSpec, errors: FieldErrors): void {
  const path = 'spec.strategy';
  switch (strategy.type ?? '') {
    case 'Recreate':
      if (strategy.rollingUpdate !== undefined) {
        errors.forbidden(`${path}.rollingUpdate`, "may not be specified when strategy `type` is 'Recreate'");
      }
      return;
    case 'RollingUpdate': {
      const { maxUnavailable, maxSurge } = strategy.rollingUpdate ?? {};
      validateAmount(maxUnavailable, `${path}.rollingUpdate.maxUnavailable`, errors);
      validateAmount(maxSurge, `${path}.rollingUpdate.maxSurge`, errors);
      if (amountOf(maxUnavailable) === 0 && amountOf(maxSurge) === 0) {
        errors.invalid(`${path}.rollingUpdate.maxUnavailable`, maxUnavailable, 'may not be 0 when `maxSurge` is 0');
      }
      validateNotMoreThanAll(maxUnavailable, `${path}.rollingUpdate.maxUnavailable`, errors);
      return;
    }
    default:
      errors.notSupported(`${path}.type`, strategy.type ?? '', ['Recreate', 'RollingUpdate']);
  }
}
