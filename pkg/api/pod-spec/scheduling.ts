/** Rules for what decides where a pod runs: node selector, affinity, tolerations. */
import type { FieldErrors } from '../field-errors.ts';
import { checkDns1123Label, checkDns1123Subdomain, checkLabelValue, checkQualifiedName } from '../names.ts';
import type {
  Affinity,
  NodeAffinity,
  NodeSelectorRequirement,
  NodeSelectorTerm,
  PodAffinityTerm,
  Toleration,
  TopologySpreadConstraint,
} from '../shapes/types/core-v1.ts';
import { requireOneOf } from './checks.ts';
import { validateLabelSelector } from './workload.ts';

export const taintEffects: readonly string[] = ['NoSchedule', 'PreferNoSchedule', 'NoExecute'];
const inclusions = ['Honor', 'Ignore'];

export function validateAffinity(affinity: Affinity | undefined, path: string, errors: FieldErrors): void {
  if (affinity?.nodeAffinity !== undefined) validateNodeAffinity(affinity.nodeAffinity, `${path}.nodeAffinity`, errors);
  for (const field of ['podAffinity', 'podAntiAffinity'] as const) {
    const { requiredDuringSchedulingIgnoredDuringExecution: required, preferredDuringSchedulingIgnoredDuringExecution: preferred } =
      affinity?.[field] ?? {};
    for (const [index, term] of (required ?? []).entries()) {
      validatePodAffinityTerm(term, `${path}.${field}.requiredDuringSchedulingIgnoredDuringExecution[${index}]`, errors);
    }
    for (const [index, { weight, podAffinityTerm }] of (preferred ?? []).entries()) {
      const at = `${path}.${field}.preferredDuringSchedulingIgnoredDuringExecution[${index}]`;
      requireWeight(weight, `${at}.weight`, errors);
      validatePodAffinityTerm(podAffinityTerm, `${at}.podAffinityTerm`, errors);
    }
  }
}

function requireWeight(weight: number, path: string, errors: FieldErrors): void {
  if (weight <= 0 || weight > 100) errors.invalid(path, weight, 'must be in the range 1-100');
}

function validatePodAffinityTerm(term: PodAffinityTerm, path: string, errors: FieldErrors): void {
  const { labelSelector, namespaceSelector, namespaces = [], matchLabelKeys = [], mismatchLabelKeys = [], topologyKey } = term;
  if (labelSelector !== undefined) validateLabelSelector(labelSelector, `${path}.labelSelector`, errors);
  if (namespaceSelector !== undefined) validateLabelSelector(namespaceSelector, `${path}.namespaceSelector`, errors);
  for (const namespace of namespaces) {
    for (const fault of checkDns1123Label(namespace)) errors.invalid(`${path}.namespace`, namespace, fault);
  }
  for (const [field, keys] of [
    ['matchLabelKeys', matchLabelKeys],
    ['mismatchLabelKeys', mismatchLabelKeys],
  ] as const) {
    if (keys.length > 0 && labelSelector === undefined) {
      errors.forbidden(`${path}.${field}`, 'must not be specified when labelSelector is not set');
      continue;
    }
    for (const [index, key] of keys.entries()) {
      for (const fault of checkQualifiedName(key)) errors.invalid(`${path}.${field}[${index}]`, key, fault);
    }
  }
  const mismatching = new Set(mismatchLabelKeys);
  for (const [index, key] of matchLabelKeys.entries()) {
    if (mismatching.has(key))
      errors.invalid(`${path}.matchLabelKeys[${index}]`, key, 'exists in both matchLabelKeys and mismatchLabelKeys');
  }
  if (topologyKey === '') errors.required(`${path}.topologyKey`, 'can not be empty');
  for (const fault of checkQualifiedName(topologyKey)) errors.invalid(`${path}.topologyKey`, topologyKey, fault);
}

export function validateTopologySpread(constraints: readonly TopologySpreadConstraint[], path: string, errors: FieldErrors): void {
  const kindOf = ({ topologyKey, whenUnsatisfiable }: TopologySpreadConstraint): string => JSON.stringify([topologyKey, whenUnsatisfiable]);
  const last = new Map(constraints.map((constraint, index) => [kindOf(constraint), index]));
  for (const [index, constraint] of constraints.entries()) {
    const at = `${path}[${index}]`;
    const { maxSkew, topologyKey, whenUnsatisfiable, minDomains, matchLabelKeys = [], labelSelector } = constraint;
    if (maxSkew <= 0) errors.invalid(`${at}.maxSkew`, maxSkew, 'must be greater than zero');
    if (topologyKey === '') errors.required(`${at}.topologyKey`, 'can not be empty');
    requireOneOf(whenUnsatisfiable, `${at}.whenUnsatisfiable`, ['DoNotSchedule', 'ScheduleAnyway'], errors);
    if (last.get(kindOf(constraint)) !== index)
      errors.duplicate(`${at}.{topologyKey, whenUnsatisfiable}`, `{${topologyKey}, ${whenUnsatisfiable}}`);
    if (minDomains !== undefined) {
      if (minDomains <= 0) errors.invalid(`${at}.minDomains`, minDomains, 'must be greater than zero');
      if (whenUnsatisfiable !== 'DoNotSchedule') {
        const detail = `can only use minDomains if whenUnsatisfiable=DoNotSchedule, not ${whenUnsatisfiable}`;
        errors.invalid(`${at}.minDomains`, minDomains, detail);
      }
    }
    requireOneOf(constraint.nodeAffinityPolicy, `${at}.nodeAffinityPolicy`, inclusions, errors);
    requireOneOf(constraint.nodeTaintsPolicy, `${at}.nodeTaintsPolicy`, inclusions, errors);
    if (matchLabelKeys.length > 0 && labelSelector === undefined) {
      errors.forbidden(`${at}.matchLabelKeys`, 'must not be specified when labelSelector is not set');
    }
    const selected = new Set([
      ...Object.keys(labelSelector?.matchLabels ?? {}),
      ...(labelSelector?.matchExpressions ?? []).map(({ key }) => key),
    ]);
    for (const [position, key] of matchLabelKeys.entries()) {
      for (const fault of checkQualifiedName(key)) errors.invalid(`${at}.matchLabelKeys[${position}]`, key, fault);
      if (selected.has(key)) errors.invalid(`${at}.matchLabelKeys[${position}]`, key, 'exists in both matchLabelKeys and labelSelector');
    }
    if (labelSelector !== undefined) validateLabelSelector(labelSelector, `${at}.labelSelector`, errors);
  }
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
    requireWeight(preferred.weight, `${at}.weight`, errors);
    validateTerm(preferred.preference, false, `${at}.preference`, errors);
  }
}

/** At least one term is required. */
export function validateNodeSelectorTerms(terms: readonly NodeSelectorTerm[] | undefined, path: string, errors: FieldErrors): void {
  if (terms === undefined || terms.length === 0) errors.required(path, 'must have at least one node selector term');
  for (const [index, term] of (terms ?? []).entries()) validateTerm(term, true, `${path}[${index}]`, errors);
}

/** A mere preference may name values that no label can have. */
function validateTerm(term: NodeSelectorTerm, isRequired: boolean, path: string, errors: FieldErrors): void {
  for (const [index, expression] of (term.matchExpressions ?? []).entries()) {
    const at = `${path}.matchExpressions[${index}]`;
    validateOperator(expression, at, errors);
    for (const fault of checkQualifiedName(expression.key)) errors.invalid(`${at}.key`, expression.key, fault);
    for (const [valueIndex, value] of isRequired ? (expression.values ?? []).entries() : []) {
      for (const fault of checkLabelValue(value)) errors.invalid(`${at}.values[${valueIndex}]`, value, fault);
    }
  }
  for (const [index, field] of (term.matchFields ?? []).entries()) {
    const at = `${path}.matchFields[${index}]`;
    if (field.operator !== 'In' && field.operator !== 'NotIn')
      errors.invalid(`${at}.operator`, field.operator, 'not a valid selector operator');
    else if (field.values?.length !== 1)
      errors.required(`${at}.values`, "must be only one value when `operator` is 'In' or 'NotIn' for node field selector");
    if (field.key !== 'metadata.name') errors.invalid(`${at}.key`, field.key, 'not a valid field selector key');
    else {
      for (const [position, value] of (field.values ?? []).entries()) {
        for (const fault of checkDns1123Subdomain(value)) errors.invalid(`${at}.values[${position}]`, value, fault);
      }
    }
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
    if (operator === 'Equal' || operator === '') {
      const faults = checkLabelValue(value);
      if (faults.length > 0) errors.invalid(`${at}.operator`, value, faults.join(';'));
    } else if (operator === 'Exists') {
      if (value !== '') errors.invalid(`${at}.operator`, value, "value must be empty when `operator` is 'Exists'");
    } else errors.notSupported(`${at}.operator`, operator, ['Equal', 'Exists']);
    if (effect !== '') requireOneOf(effect, `${at}.effect`, taintEffects, errors);
  }
}
