/** Rules for the spec of a Job, as it stands in a Job and in the template of a CronJob. */
import { validateDomainPath } from '../domain-path.ts';
import type { FieldErrors } from '../field-errors.ts';
import { requireNonNegative } from '../pod-spec/checks.ts';
import { checkPodFields } from '../pod-spec/support.ts';
import { validateTemplate } from '../pod-spec/validate.ts';
import type { JobSpec } from '../shapes/types/batch-v1.ts';
import { validatePodFailurePolicy, validateSuccessPolicy } from './policies.ts';

const mostParallel = 100_000;
const mostFailedIndexes = 100_000;
const manyCompletions = 100_000;
const mostAtMany = 10_000;
const longestManager = 63;

export function validateJobSpec(spec: JobSpec, path: string, errors: FieldErrors): void {
  const counts = ['parallelism', 'completions', 'activeDeadlineSeconds', 'backoffLimit', 'ttlSecondsAfterFinished'] as const;
  for (const field of counts) requireNonNegative(spec[field], `${path}.${field}`, errors);
  requireNonNegative(spec.backoffLimitPerIndex, `${path}.backoffLimitPerIndex`, errors);
  if (spec.maxFailedIndexes !== undefined) {
    requireNonNegative(spec.maxFailedIndexes, `${path}.maxFailedIndexes`, errors);
    if (spec.backoffLimitPerIndex === undefined) errors.required(`${path}.backoffLimitPerIndex`, 'when maxFailedIndexes is specified');
  }
  if (spec.managedBy !== undefined) {
    validateDomainPath(spec.managedBy, `${path}.managedBy`, errors);
    if (spec.managedBy.length > longestManager) errors.tooLong(`${path}.managedBy`, longestManager);
  }
  validateCompletionMode(spec, path, errors);
  if (spec.podFailurePolicy !== undefined) validatePodFailurePolicy(spec, `${path}.podFailurePolicy`, errors);
  if (spec.successPolicy !== undefined) {
    if (spec.completionMode === 'Indexed') validateSuccessPolicy(spec, `${path}.successPolicy`, errors);
    else errors.invalid(`${path}.successPolicy`, spec.successPolicy, 'requires indexed completion mode');
  }
  validateReplacementPolicy(spec, `${path}.podReplacementPolicy`, errors);
  validateTemplate(spec.template, `${path}.template`, errors);
  checkPodFields(spec.template.spec, `${path}.template.spec`, errors);
  validateRestartPolicy(spec, `${path}.template.spec.restartPolicy`, errors);
}

function validateCompletionMode(spec: JobSpec, path: string, errors: FieldErrors): void {
  const { completionMode: mode, completions, parallelism, maxFailedIndexes, backoffLimitPerIndex } = spec;
  if (mode !== undefined && mode !== 'NonIndexed' && mode !== 'Indexed') {
    errors.notSupported(`${path}.completionMode`, mode, ['NonIndexed', 'Indexed']);
  }
  if (mode === undefined || mode === 'NonIndexed') {
    for (const field of ['backoffLimitPerIndex', 'maxFailedIndexes'] as const) {
      if (spec[field] !== undefined) errors.invalid(`${path}.${field}`, spec[field], 'requires indexed completion mode');
    }
  }
  if (mode !== 'Indexed') return;
  const failed = `${path}.maxFailedIndexes`;
  if (completions === undefined) errors.required(`${path}.completions`, 'when completion mode is Indexed');
  if (parallelism !== undefined && parallelism > mostParallel) {
    errors.invalid(`${path}.parallelism`, parallelism, `must be less than or equal to ${mostParallel} when completion mode is Indexed`);
  }
  if (completions !== undefined && maxFailedIndexes !== undefined && maxFailedIndexes > completions) {
    errors.invalid(failed, maxFailedIndexes, 'must be less than or equal to completions');
  }
  if (maxFailedIndexes !== undefined && maxFailedIndexes > mostFailedIndexes) {
    errors.invalid(failed, maxFailedIndexes, `must be less than or equal to ${mostFailedIndexes}`);
  }
  if (completions === undefined || completions <= manyCompletions || backoffLimitPerIndex === undefined) return;
  if (maxFailedIndexes === undefined) errors.required(failed, `must be specified when completions is above ${manyCompletions}`);
  const bound = `must be less than or equal to ${mostAtMany} when completions are above ${manyCompletions} and used with backoff limit per index`;
  if (parallelism !== undefined && parallelism > mostAtMany) errors.invalid(`${path}.parallelism`, parallelism, bound);
  if (maxFailedIndexes !== undefined && maxFailedIndexes > mostAtMany) errors.invalid(failed, maxFailedIndexes, bound);
}

function validateReplacementPolicy({ podReplacementPolicy: policy, podFailurePolicy }: JobSpec, path: string, errors: FieldErrors): void {
  const supported = podFailurePolicy === undefined ? ['Failed', 'TerminatingOrFailed'] : ['Failed'];
  if (policy !== undefined && !supported.includes(policy)) errors.notSupported(path, policy, supported);
}

function validateRestartPolicy({ template, podFailurePolicy }: JobSpec, path: string, errors: FieldErrors): void {
  const policy = template.spec.restartPolicy ?? '';
  if (policy === '' || policy === 'Always') errors.required(path, 'valid values: "OnFailure", "Never"');
  else if (policy !== 'OnFailure' && policy !== 'Never') errors.notSupported(path, policy, ['OnFailure', 'Never']);
  else if (podFailurePolicy !== undefined && policy !== 'Never') {
    errors.invalid(path, policy, 'only "Never" is supported when podFailurePolicy is specified');
  }
}
