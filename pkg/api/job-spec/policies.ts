/** Rules for when the failure of a pod, or the success of some indexes, decides a whole Job. */
import type { FieldErrors } from '../field-errors.ts';
import { checkQualifiedName } from '../names.ts';
import { requireNonNegative } from '../pod-spec/checks.ts';
import type {
  JobSpec,
  PodFailurePolicyOnExitCodesRequirement,
  PodFailurePolicyOnPodConditionsPattern,
  PodFailurePolicyRule,
  SuccessPolicyRule,
} from '../shapes/types/batch-v1.ts';
import { countIndexes, IndexesError, parseIndexes } from './indexes.ts';

const mostRules = 20;
const mostExitCodes = 255;
const mostPatterns = 20;
const longestIndexes = 64 * 1024;
const actions = ['Count', 'FailIndex', 'FailJob', 'Ignore'];
const operators = ['In', 'NotIn'];
const statuses = ['False', 'True', 'Unknown'];

const oneOf = (values: readonly string[]): string => `valid values: [${values.map((value) => JSON.stringify(value)).join(' ')}]`;

export function defaultFailurePolicy({ podFailurePolicy }: JobSpec): void {
  for (const { onPodConditions = [] } of podFailurePolicy?.rules ?? []) for (const each of onPodConditions) each.status ||= 'True';
}

export function validatePodFailurePolicy(spec: JobSpec, path: string, errors: FieldErrors): void {
  const rules = spec.podFailurePolicy?.rules ?? [];
  const at = `${path}.rules`;
  if (rules.length > mostRules) errors.tooMany(at, rules.length, mostRules);
  const { containers = [], initContainers = [] } = spec.template.spec;
  const names = new Set([...containers, ...initContainers].map(({ name }) => name));
  for (const [index, rule] of rules.entries()) validateFailureRule(spec, rule, names, `${at}[${index}]`, errors);
}

function validateFailureRule(
  spec: JobSpec,
  { action, onExitCodes, onPodConditions = [] }: PodFailurePolicyRule,
  containers: ReadonlySet<string>,
  path: string,
  errors: FieldErrors,
): void {
  if (action === '') errors.required(`${path}.action`, oneOf(actions));
  else if (action === 'FailIndex') {
    if (spec.backoffLimitPerIndex === undefined) errors.invalid(`${path}.action`, action, 'requires the backoffLimitPerIndex to be set');
  } else if (!actions.includes(action)) errors.notSupported(`${path}.action`, action, actions);
  if (onExitCodes !== undefined) validateExitCodes(onExitCodes, containers, `${path}.onExitCodes`, errors);
  validatePatterns(onPodConditions, `${path}.onPodConditions`, errors);
  if (onExitCodes !== undefined && onPodConditions.length > 0) {
    errors.invalidPart(path, 'specifying both OnExitCodes and OnPodConditions is not supported');
  }
  if (onExitCodes === undefined && onPodConditions.length === 0) {
    errors.invalidPart(path, 'specifying one of OnExitCodes and OnPodConditions is required');
  }
}

function validatePatterns(patterns: readonly PodFailurePolicyOnPodConditionsPattern[], path: string, errors: FieldErrors): void {
  if (patterns.length > mostPatterns) errors.tooMany(path, patterns.length, mostPatterns);
  for (const [index, { type, status = '' }] of patterns.entries()) {
    const at = `${path}[${index}]`;
    for (const fault of checkQualifiedName(type)) errors.invalid(`${at}.type`, type, fault);
    if (status === '') errors.required(`${at}.status`, oneOf(statuses));
    else if (!statuses.includes(status)) errors.notSupported(`${at}.status`, status, statuses);
  }
}

function validateExitCodes(
  { operator, containerName, values = [] }: PodFailurePolicyOnExitCodesRequirement,
  containers: ReadonlySet<string>,
  path: string,
  errors: FieldErrors,
): void {
  if (operator === '') errors.required(`${path}.operator`, oneOf(operators));
  else if (!operators.includes(operator)) errors.notSupported(`${path}.operator`, operator, operators);
  if (containerName !== undefined && !containers.has(containerName)) {
    errors.invalid(`${path}.containerName`, containerName, 'must be one of the container or initContainer names in the pod template');
  }
  const at = `${path}.values`;
  if (values.length === 0) errors.invalid(at, values, 'at least one value is required');
  else if (values.length > mostExitCodes) errors.tooMany(at, values.length, mostExitCodes);
  const seen = new Set<number>();
  for (const [index, value] of values.entries()) {
    if (operator === 'In' && value === 0) errors.invalid(`${at}[${index}]`, value, 'must not be 0 for the In operator');
    if (seen.has(value)) errors.duplicate(`${at}[${index}]`, value);
    seen.add(value);
  }
  if (values.some((value, index) => index > 0 && (values[index - 1] ?? 0) > value)) errors.invalid(at, values, 'must be ordered');
}

/** For Indexed Jobs. */
export function validateSuccessPolicy(spec: JobSpec, path: string, errors: FieldErrors): void {
  const rules = spec.successPolicy?.rules ?? [];
  const at = `${path}.rules`;
  if (rules.length === 0) errors.required(at, 'at least one rules must be specified when the successPolicy is specified');
  if (rules.length > mostRules) errors.tooMany(at, rules.length, mostRules);
  for (const [index, rule] of rules.entries()) validateSuccessRule(spec.completions ?? 0, rule, `${at}[${index}]`, errors);
}

function validateSuccessRule(
  completions: number,
  { succeededCount, succeededIndexes }: SuccessPolicyRule,
  path: string,
  errors: FieldErrors,
): void {
  if (succeededCount === undefined && succeededIndexes === undefined) {
    errors.required(path, 'at least one of succeededCount or succeededIndexes must be specified');
  }
  let total = 0;
  if (succeededIndexes !== undefined) {
    const at = `${path}.succeededIndexes`;
    if (succeededIndexes.length > longestIndexes) errors.tooLong(at, longestIndexes);
    try {
      total = countIndexes(parseIndexes(succeededIndexes, completions));
    } catch (error) {
      if (!(error instanceof IndexesError)) throw error;
      errors.invalid(at, succeededIndexes, `error parsing succeededIndexes: ${error.message}`);
    }
  }
  if (succeededCount === undefined) return;
  const at = `${path}.succeededCount`;
  requireNonNegative(succeededCount, at, errors);
  if (succeededCount > completions) {
    errors.invalid(at, succeededCount, `must be less than or equal to ${completions} (the number of specified completions)`);
  }
  if (succeededIndexes !== undefined && succeededCount > total) {
    errors.invalid(
      at,
      succeededCount,
      `must be less than or equal to ${total} (the number of indexes in the specified succeededIndexes field)`,
    );
  }
}
