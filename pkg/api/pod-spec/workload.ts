/** Rules that all workloads share: their selector and how many pods they want. */
import { StatusError } from '#base/errors';
import { FieldErrors } from '../field-errors.ts';
import { checkLabelValue, checkQualifiedName } from '../names.ts';
import { type Selector, selectorOf } from '../selector.ts';
import type { LabelSelector } from '../shapes/types/meta-v1.ts';
import { requireNonNegative } from './checks.ts';

/** Adds what is wrong with a selector, and returns it if nothing is. `what` is the workload's name in the message. */
export function validateWorkloadSelector(selector: LabelSelector | undefined, what: string, errors: FieldErrors): Selector | undefined {
  const path = 'spec.selector';
  if (selector === undefined) {
    errors.required(path);
    return undefined;
  }
  const before = errors.list.length;
  validateLabelSelector(selector, path, errors);
  if (Object.keys(selector.matchLabels ?? {}).length + (selector.matchExpressions ?? []).length === 0) {
    errors.invalid(path, selector, `empty selector is invalid for ${what}`);
  }
  if (errors.list.length > before) return undefined;
  try {
    return selectorOf(selector);
  } catch (error) {
    if (error instanceof StatusError) errors.invalid(path, selector, error.message);
    else throw error;
    return undefined;
  }
}

export function validateLabelSelector(selector: LabelSelector, path: string, errors: FieldErrors): void {
  for (const [key, value] of Object.entries(selector.matchLabels ?? {})) {
    for (const fault of checkQualifiedName(key)) errors.invalid(`${path}.matchLabels`, key, fault);
    for (const fault of checkLabelValue(value)) errors.invalid(`${path}.matchLabels`, value, fault);
  }
  for (const [index, { key, operator, values = [] }] of (selector.matchExpressions ?? []).entries()) {
    const at = `${path}.matchExpressions[${index}]`;
    if (operator === 'In' || operator === 'NotIn') {
      if (values.length === 0) errors.required(`${at}.values`, "must be specified when `operator` is 'In' or 'NotIn'");
    } else if (operator === 'Exists' || operator === 'DoesNotExist') {
      if (values.length > 0) errors.forbidden(`${at}.values`, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'");
    } else {
      errors.invalid(`${at}.operator`, operator, 'not a valid selector operator');
    }
    for (const fault of checkQualifiedName(key)) errors.invalid(`${at}.key`, key, fault);
    for (const [position, value] of values.entries()) {
      for (const fault of checkLabelValue(value)) errors.invalid(`${at}.values[${position}]`, value, fault);
    }
  }
}

export function validateCounts(spec: { readonly replicas?: number; readonly minReadySeconds?: number }, errors: FieldErrors): void {
  requireNonNegative(spec.replicas, 'spec.replicas', errors);
  requireNonNegative(spec.minReadySeconds, 'spec.minReadySeconds', errors);
}

/** What is counted of a workload's pods. */
interface PodCounts {
  readonly replicas?: number;
  readonly readyReplicas?: number;
  readonly availableReplicas?: number;
  readonly updatedReplicas?: number;
  readonly unavailableReplicas?: number;
  readonly fullyLabeledReplicas?: number;
  readonly observedGeneration?: number;
  readonly collisionCount?: number;
}

const counts = [
  'observedGeneration',
  'replicas',
  'fullyLabeledReplicas',
  'updatedReplicas',
  'readyReplicas',
  'availableReplicas',
  'unavailableReplicas',
  'collisionCount',
] as const;

/** Rules for the counts of a status: none is negative, none of a part is more than all. */
export function validatePodCounts(status: PodCounts = {}, before: PodCounts = {}): FieldErrors {
  const errors = new FieldErrors();
  for (const field of counts) requireNonNegative(status[field], `status.${field}`, errors);
  const { replicas = 0, readyReplicas = 0, availableReplicas = 0, collisionCount = 0 } = status;
  for (const field of ['fullyLabeledReplicas', 'updatedReplicas', 'readyReplicas', 'availableReplicas'] as const) {
    const value = status[field] ?? 0;
    if (value > replicas) errors.invalid(`status.${field}`, value, 'cannot be greater than status.replicas');
  }
  if (availableReplicas > readyReplicas) {
    errors.invalid('status.availableReplicas', availableReplicas, 'cannot be greater than readyReplicas');
  }
  if (collisionCount < (before.collisionCount ?? 0)) errors.invalid('status.collisionCount', collisionCount, 'cannot be decremented');
  return errors;
}
