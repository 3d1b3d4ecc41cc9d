/** Rules for what decides where a pod runs: node selector, affinity, tolerations. */
import type { FieldErrors } from '../field-errors.ts';
import { checkLabelValue, checkQualifiedName } from '../names.ts';
import { validateLabels } from '../object-meta.ts';
import type { NodeAffinity, NodeSelectorRequirement, NodeSelectorTerm, PodSpec, Toleration } from '../shapes/types/core-v1.ts';
import { requireOneOf } from './checks.ts';

const effects = ['NoExecute', 'NoSchedule', 'PreferNoSchedule'];

export function validateScheduling(spec: PodSpec, path: string, errors: FieldErrors): void {
  validateLabels(spec.nodeSelector, `${path}.nodeSelector`, errors);
  if (spec.affinity?.nodeAffinity !== undefined) validateNodeAffinity(spec.affinity.nodeAffinity, `${path}.affinity.nodeAffinity`, errors);
  validateTolerations(spec.tolerations ?? [], `${path}.tolerations`, errors);
}

function validateNodeAffinity(affinity: NodeAffinity, path: string, errors: FieldErrors): void {
  const required = affinity.requiredDuringSchedulingIgnoredDuringExecution;
  if (required !== undefined) {
    validateNodeSelectorTerms(
      required.nodeSelectorTerms,
      `${path}.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms`,
      errors,
    );
  }
  for (const [index, preferred] of (affinity.preferredDuringSchedulingIgnoredDuringExecution ?? []).entries()) {
    const at = `${path}.preferredDuringSchedulingIgnoredDuringExecution[${index}]`;
    if (preferred.weight <= 0 || preferred.weight > 100) errors.invalid(`${at}.weight`, preferred.weight, 'must be in the range 1-100');
    validateTerm(preferred.preference, `${at}.preference`, errors);
  }
}

/** At least one term is required. */
export function validateNodeSelectorTerms(terms: readonly NodeSelectorTerm[] | undefined, path: string, errors: FieldErrors): void {
  if (terms === undefined || terms.length === 0) errors.required(path, 'must have at least one node selector term');
  for (const [index, term] of (terms ?? []).entries()) validateTerm(term, `${path}[${index}]`, errors);
}

function validateTerm(term: NodeSelectorTerm, path: string, errors: FieldErrors): void {
  for (const [index, expression] of (term.matchExpressions ?? []).entries()) {
    const at = `${path}.matchExpressions[${index}]`;
    validateOperator(expression, at, errors);
    for (const fault of checkQualifiedName(expression.key)) errors.invalid(`${at}.key`, expression.key, fault);
    for (const [valueIndex, value] of (expression.values ?? []).entries()) {
      for (const fault of checkLabelValue(value)) errors.invalid(`${at}.values[${valueIndex}]`, value, fault);
    }
  }
  for (const [index, field] of (term.matchFields ?? []).entries()) {
    const at = `${path}.matchFields[${index}]`;
    if (field.key !== 'metadata.name') errors.invalid(`${at}.key`, field.key, 'not a valid field selector key');
    if (field.operator !== 'In' && field.operator !== 'NotIn')
      errors.invalid(`${at}.operator`, field.operator, 'not a valid selector operator');
    else if (field.values?.length !== 1)
      errors.required(`${at}.values`, "must be only one value when `operator` is 'In' or 'NotIn' for node field selector");
  }
}

function validateOperator({ operator, values = [] }: NodeSelectorRequirement, path: string, errors: FieldErrors): void {
  switch (operator) {
    case 'In':
    case 'NotIn':
      if (values.length === 0) errors.required(`${path}.values`, "must be specified when `operator` is 'In' or 'NotIn'");
      return;
    case 'Exists':
    case 'DoesNotExist':
      if (values.length > 0) errors.forbidden(`${path}.values`, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'");
      return;
    case 'Gt':
    case 'Lt':
      if (values.length !== 1) errors.required(`${path}.values`, "must be specified single value when `operator` is 'Lt' or 'Gt'");
      else if (!/^[+-]?\d+$/.test(values[0] ?? '')) errors.invalid(`${path}.values`, values, 'must be an integer');
      return;
    default:
      errors.invalid(`${path}.operator`, operator, 'not a valid selector operator');
  }
}

export function validateTolerations(tolerations: readonly Toleration[], path: string, errors: FieldErrors): void {
  for (const [index, toleration] of tolerations.entries()) {
    const at = `${path}[${index}]`;
    const { key = '', operator = 'Equal', value = '', effect } = toleration;
    if (key !== '') for (const fault of checkQualifiedName(key)) errors.invalid(`${at}.key`, key, fault);
    if (key === '' && operator !== 'Exists') {
      errors.invalid(
        `${at}.operator`,
        toleration.operator ?? '',
        'operator must be Exists when `key` is empty, which means "match all values and all keys"',
      );
    }
    if (toleration.tolerationSeconds !== undefined && effect !== 'NoExecute') {
      errors.invalid(`${at}.effect`, effect ?? '', "effect must be 'NoExecute' when `tolerationSeconds` is set");
    }
    if (operator === 'Equal') for (const fault of checkLabelValue(value)) errors.invalid(`${at}.operator`, value, fault);
    else if (operator === 'Exists') {
      if (value !== '') errors.invalid(`${at}.operator`, toleration, "value must be empty when `operator` is 'Exists'");
    } else errors.notSupported(`${at}.operator`, operator, ['Equal', 'Exists']);
    requireOneOf(effect, `${at}.effect`, effects, errors);
  }
}
