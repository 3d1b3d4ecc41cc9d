import { defineKind } from '../define-kind.ts';
import { deepEqual } from '../equality.ts';
import { FieldErrors } from '../field-errors.ts';
import { humanDuration } from '../human-duration.ts';
import { defaultFailurePolicy } from '../job-spec/policies.ts';
import { validateJobSpec } from '../job-spec/validate.ts';
import { warnOfIndexes, warnOfName } from '../job-spec/warnings.ts';
import { checkDns1123Label } from '../names.ts';
import { requireUnchanged } from '../object-meta.ts';
import { defaultPodSpec } from '../pod-spec/defaults.ts';
import { checkPodFields } from '../pod-spec/support.ts';
import { templateColumns } from '../pod-spec/template-columns.ts';
import { requireSelected } from '../pod-spec/validate.ts';
import { validateLabelSelector } from '../pod-spec/workload.ts';
import { millisecondsOf } from '../schema/time.ts';
import { matchesSelector, selectorOf } from '../selector.ts';
import type { Job, JobSpec } from '../shapes/types/batch-v1.ts';
import type { PodTemplateSpec } from '../shapes/types/core-v1.ts';
import { ageColumn, nameColumn, tableColumns } from '../table-columns.ts';

const maximumInt32 = 2147483647;
const templatePath = 'spec.template';

/** Labels of a Job's pods, and their older spellings, which are set too. */
const uidLabels = ['controller-uid', 'batch.kubernetes.io/controller-uid'];
const nameLabels = ['job-name', 'batch.kubernetes.io/job-name'];

export const job = defineKind<Job>({
  group: 'batch',
  kind: 'Job',
  description: 'Runs pods until enough of them have succeeded.',
  support: 'acted on',
  defaults: (draft) => {
    const { spec } = draft;
    if (spec.completions === undefined && spec.parallelism === undefined) spec.completions = 1;
    spec.parallelism ??= 1;
    spec.backoffLimit ??= spec.backoffLimitPerIndex === undefined ? 6 : maximumInt32;
    spec.completionMode ??= 'NonIndexed';
    spec.suspend ??= false;
    spec.manualSelector ??= false;
    spec.podReplacementPolicy ??= spec.podFailurePolicy === undefined ? 'TerminatingOrFailed' : 'Failed';
    const labels = spec.template.metadata?.labels;
    if (labels !== undefined && Object.keys(draft.metadata.labels ?? {}).length === 0) draft.metadata.labels = { ...labels };
    defaultFailurePolicy(spec);
    defaultPodSpec(spec.template.spec);
  },
  beforeCreate: (draft) => {
    delete draft.status;
    if (draft.spec.manualSelector !== true) generateSelector(draft);
  },
  validate: (object) => {
    const errors = new FieldErrors();
    validateGeneratedSelector(object, errors);
    validateJobSpec(object.spec, 'spec', errors);
    const { selector, completions = 0, completionMode } = object.spec;
    if (selector === undefined) {
      errors.required('spec.selector');
      errors.invalid(
        `${templatePath}.metadata.labels`,
        object.spec.template.metadata?.labels ?? null,
        '`selector` does not match template `labels`',
      );
    } else {
      const before = errors.list.length;
      validateLabelSelector(selector, 'spec.selector', errors);
      if (errors.list.length === before) requireSelected(object.spec.template, selectorOf(selector), templatePath, errors);
    }
    if (completionMode === 'Indexed' && completions > 0) {
      const { name = '' } = object.metadata;
      const hostname = `${name}-${completions - 1}`;
      if (checkDns1123Label(hostname).length > 0) {
        errors.invalid('metadata.name', name, `will not able to create pod with invalid DNS label: ${hostname}`);
      }
    }
    return errors;
  },
  validateUpdate: ({ spec }, { spec: old, status: oldStatus }) => {
    const errors = new FieldErrors();
    if (spec.completionMode !== 'Indexed') {
      requireUnchanged(spec.completions === old.completions, 'spec.completions', spec.completions, errors);
    } else if (spec.completions !== undefined && spec.completions !== old.completions && spec.completions !== spec.parallelism) {
      errors.invalid('spec.completions', spec.completions, 'can only be modified in tandem with spec.parallelism');
    }
    requireUnchanged(deepEqual(spec.selector, old.selector), 'spec.selector', spec.selector, errors);
    const isMovable = old.suspend === true && oldStatus?.startTime === undefined;
    const [now, before] = isMovable ? [withoutDirections(spec.template), withoutDirections(old.template)] : [spec.template, old.template];
    requireUnchanged(deepEqual(now, before), templatePath, spec.template, errors);
    const fixed = ['completionMode', 'podFailurePolicy', 'backoffLimitPerIndex', 'managedBy', 'successPolicy'] as const;
    for (const field of fixed) requireUnchanged(deepEqual(spec[field], old[field]), `spec.${field}`, spec[field], errors);
    return errors;
  },
  warnings: (object, old) => [
    ...(old === undefined ? warnOfName(object.metadata.name ?? '') : []),
    ...(deepEqual(object.spec.template, old?.spec.template) ? [] : checkPodFields(object.spec.template.spec, `${templatePath}.spec`)),
    ...warnOfIndexes(object.spec, 'spec'),
  ],
  columns: tableColumns<Job>([
    nameColumn,
    { name: 'Status', type: 'string', description: 'How the job does.', cell: statusOf },
    { name: 'Completions', type: 'string', description: 'How many pods have succeeded, of how many.', cell: completionsOf },
    {
      name: 'Duration',
      type: 'string',
      description: 'How long it took, or has taken so far.',
      cell: ({ status }, now) => {
        const start = millisecondsOf(status?.startTime);
        return start === undefined ? '' : humanDuration((millisecondsOf(status?.completionTime) ?? now) - start);
      },
    },
    ageColumn,
    ...templateColumns,
  ]),
  selectableFields: { 'status.successful': ({ status }) => status?.succeeded ?? 0 },
});

/** The labels by which a Job knows its pods: nobody else's pods have its uid. What the user has set stays, to be judged by the rules. */
function generateSelector(draft: Job): void {
  const { uid = '', name = '' } = draft.metadata;
  const { template } = draft.spec;
  template.metadata ??= {};
  const generated: Record<string, string> = {};
  for (const label of nameLabels) generated[label] = name;
  for (const label of uidLabels) generated[label] = uid;
  template.metadata.labels = { ...generated, ...template.metadata.labels };
  const { selector } = draft.spec;
  draft.spec.selector = { ...selector, matchLabels: { 'batch.kubernetes.io/controller-uid': uid, ...selector?.matchLabels } };
}

function validateGeneratedSelector({ metadata, spec }: Job, errors: FieldErrors): void {
  if (spec.manualSelector === true || spec.selector === undefined) return;
  const { uid = '', name = '' } = metadata;
  if (uid === '') errors.required('metadata.uid');
  const labels = spec.template.metadata?.labels ?? {};
  const expected: Record<string, string> = {};
  for (const [index, uidLabel] of uidLabels.entries()) {
    for (const [label, value] of [
      [uidLabel, uid],
      [nameLabels[index] ?? '', name],
    ] as const) {
      expected[label] = value;
      const path = `${templatePath}.metadata.labels[${label}]`;
      if (!Object.hasOwn(labels, label)) errors.required(path, `must be '${value}'`);
      else if (labels[label] !== value) errors.invalid(path, labels, `must be '${value}'`);
    }
  }
  const faults = new FieldErrors();
  validateLabelSelector(spec.selector, 'spec.selector', faults);
  if (faults.isEmpty && !matchesSelector(selectorOf(spec.selector) ?? [], expected)) {
    errors.invalid('spec.selector', spec.selector, '`selector` not auto-generated');
  }
}

/** A template without what may still be changed of a Job that is suspended and has not begun: where its pods run. */
function withoutDirections({ metadata, spec }: PodTemplateSpec): unknown {
  const { labels: _labels, annotations: _annotations, ...otherMetadata } = metadata ?? {};
  const { nodeSelector: _nodeSelector, tolerations: _tolerations, schedulingGates: _gates, affinity, ...others } = spec;
  const { nodeAffinity: _nodeAffinity, ...otherAffinity } = affinity ?? {};
  return { metadata: otherMetadata, spec: others, affinity: otherAffinity };
}

function statusOf({ metadata, status }: Job): string {
  const has = (type: string): boolean => status?.conditions?.some((each) => each.type === type && each.status === 'True') === true;
  if (has('Complete')) return 'Complete';
  if (has('Failed')) return 'Failed';
  if (metadata.deletionTimestamp !== undefined) return 'Terminating';
  return ['Suspended', 'FailureTarget', 'SuccessCriteriaMet'].find(has) ?? 'Running';
}

function completionsOf({ spec, status }: { readonly spec: JobSpec; readonly status?: Job['status'] }): string {
  const succeeded = status?.succeeded ?? 0;
  if (spec.completions !== undefined) return `${succeeded}/${spec.completions}`;
  return (spec.parallelism ?? 1) > 1 ? `${succeeded}/1 of ${spec.parallelism}` : `${succeeded}/1`;
}
