import { amountOf, validateAmount, validateNotMoreThanAll } from '../amounts.ts';
import { defineKind } from '../define-kind.ts';
import { deepEqual } from '../equality.ts';
import { FieldErrors } from '../field-errors.ts';
import { requireUnchanged } from '../object-meta.ts';
import { requireNonNegative } from '../pod-spec/checks.ts';
import { defaultPodSpec } from '../pod-spec/defaults.ts';
import { checkPodFields } from '../pod-spec/support.ts';
import { templateColumns } from '../pod-spec/template-columns.ts';
import { requireEndless, requireSelected, validateTemplate } from '../pod-spec/validate.ts';
import { validateWorkloadSelector } from '../pod-spec/workload.ts';
import type { DaemonSet, DaemonSetSpec } from '../shapes/types/apps-v1.ts';
import { statusSubresource } from '../subresources.ts';
import { ageColumn, type FilledColumn, nameColumn, tableColumns } from '../table-columns.ts';

const templatePath = 'spec.template';

const count = (name: string, description: string, cell: (object: DaemonSet) => number | undefined): FilledColumn<DaemonSet> => ({
  name,
  type: 'integer',
  description,
  cell: (object) => cell(object) ?? 0,
});

export const daemonSet = defineKind<DaemonSet>({
  group: 'apps',
  kind: 'DaemonSet',
  description: 'Keeps a pod of one template on every node, or on some.',
  support: 'acted on',
  subresources: [
    {
      ...statusSubresource<DaemonSet>({ group: 'apps', version: 'v1', kind: 'DaemonSet' }, 'apps.v1.DaemonSet'),
      validate: ({ status }, { status: before }) => {
        const errors = new FieldErrors();
        for (const [field, value] of Object.entries(status ?? {})) {
          if (typeof value === 'number') requireNonNegative(value, `status.${field}`, errors);
        }
        if ((status?.collisionCount ?? 0) < (before?.collisionCount ?? 0)) {
          errors.invalid('status.collisionCount', status?.collisionCount ?? 0, 'cannot be decremented');
        }
        return errors;
      },
    },
  ],
  defaults: ({ spec }) => {
    spec.updateStrategy ??= {};
    spec.updateStrategy.type ??= 'RollingUpdate';
    if (spec.updateStrategy.type === 'RollingUpdate') {
      spec.updateStrategy.rollingUpdate ??= {};
      spec.updateStrategy.rollingUpdate.maxUnavailable ??= 1;
      spec.updateStrategy.rollingUpdate.maxSurge ??= 0;
    }
    spec.revisionHistoryLimit ??= 10;
    defaultPodSpec(spec.template.spec);
  },
  validate: ({ spec }) => {
    const errors = new FieldErrors();
    const selector = validateWorkloadSelector(spec.selector, 'daemonset', errors);
    requireSelected(spec.template, selector, templatePath, errors);
    validateTemplate(spec.template, templatePath, errors);
    checkPodFields(spec.template.spec, `${templatePath}.spec`, errors);
    requireEndless(spec.template, 'DaemonSet', templatePath, errors);
    requireNonNegative(spec.minReadySeconds, 'spec.minReadySeconds', errors);
    validateStrategy(spec, errors);
    requireNonNegative(spec.revisionHistoryLimit, 'spec.revisionHistoryLimit', errors);
    return errors;
  },
  validateUpdate: (object, old) => {
    const errors = new FieldErrors();
    requireUnchanged(deepEqual(object.spec.selector, old.spec.selector), 'spec.selector', object.spec.selector, errors);
    return errors;
  },
  warnings: (object, old) =>
    deepEqual(object.spec.template, old?.spec.template) ? [] : checkPodFields(object.spec.template.spec, `${templatePath}.spec`),
  columns: tableColumns<DaemonSet>([
    nameColumn,
    count('Desired', 'How many nodes should have a pod.', ({ status }) => status?.desiredNumberScheduled),
    count('Current', 'How many of them have one.', ({ status }) => status?.currentNumberScheduled),
    count('Ready', 'How many have one that is ready.', ({ status }) => status?.numberReady),
    count('Up-to-date', 'How many have one of the present template.', ({ status }) => status?.updatedNumberScheduled),
    count('Available', 'How many have one that serves.', ({ status }) => status?.numberAvailable),
    {
      name: 'Node Selector',
      type: 'string',
      description: 'Which nodes should have a pod.',
      cell: ({ spec }) => {
        const pairs = Object.entries(spec.template.spec.nodeSelector ?? {}).map(([key, value]) => `${key}=${value}`);
        return pairs.length === 0 ? '<none>' : pairs.toSorted().join(',');
      },
    },
    ageColumn,
    ...templateColumns,
  ]),
});

function validateStrategy({ updateStrategy = {} }: DaemonSetSpec, errors: FieldErrors): void {
  const path = 'spec.updateStrategy';
  if (updateStrategy.type === 'OnDelete') return;
  if (updateStrategy.type !== 'RollingUpdate') {
    errors.notSupported(path, updateStrategy, ['RollingUpdate', 'OnDelete']);
    return;
  }
  const { rollingUpdate } = updateStrategy;
  if (rollingUpdate === undefined) {
    errors.required(`${path}.rollingUpdate`);
    return;
  }
  const { maxUnavailable, maxSurge } = rollingUpdate;
  const [unavailablePath, surgePath] = [`${path}.rollingUpdate.maxUnavailable`, `${path}.rollingUpdate.maxSurge`];
  validateAmount(maxUnavailable, unavailablePath, errors);
  validateAmount(maxSurge, surgePath, errors);
  validateNotMoreThanAll(maxUnavailable, unavailablePath, errors);
  validateNotMoreThanAll(maxSurge, surgePath, errors);
  const [hasUnavailable, hasSurge] = [(amountOf(maxUnavailable) ?? 0) !== 0, (amountOf(maxSurge) ?? 0) !== 0];
  if (hasUnavailable && hasSurge) errors.invalid(surgePath, maxSurge, 'may not be set when maxUnavailable is non-zero');
  else if (!hasUnavailable && !hasSurge) errors.required(unavailablePath, 'cannot be 0 when maxSurge is 0');
}
