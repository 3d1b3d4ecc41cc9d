/** Rules for what a HorizontalPodAutoscaler scales, and by which metrics (Kubernetes' `autoscaling/validation`, in its order and words). */
import type { FieldErrors } from '../field-errors.ts';
import { checkPathSegment } from '../names.ts';
import { requireOneOf } from '../pod-spec/checks.ts';
import { parseQuantity } from '../quantity.ts';
import type {
  CrossVersionObjectReference,
  HorizontalPodAutoscalerSpec,
  HPAScalingRules,
  MetricSpec,
  MetricTarget,
} from '../shapes/types/autoscaling-v2.ts';

const longestWindow = 3600;
const longestPeriod = 1800;

/** Type of a metric → the field that has it. */
const fieldOf = {
  Object: 'object',
  External: 'external',
  Pods: 'pods',
  Resource: 'resource',
  ContainerResource: 'containerResource',
} as const;
type Field = (typeof fieldOf)[keyof typeof fieldOf];
const fields: readonly Field[] = Object.values(fieldOf);

export function validateAutoscalerSpec(spec: HorizontalPodAutoscalerSpec, path: string, errors: FieldErrors): void {
  const { minReplicas, maxReplicas, scaleTargetRef, metrics = [], behavior } = spec;
  if (minReplicas !== undefined && minReplicas < 1) {
    errors.invalid(`${path}.minReplicas`, minReplicas, 'must be greater than or equal to 1');
  }
  if (maxReplicas < 1) errors.invalid(`${path}.maxReplicas`, maxReplicas, 'must be greater than 0');
  if (minReplicas !== undefined && maxReplicas < minReplicas) {
    errors.invalid(`${path}.maxReplicas`, maxReplicas, 'must be greater than or equal to `minReplicas`');
  }
  validateReference(scaleTargetRef, `${path}.scaleTargetRef`, errors);
  for (const [index, metric] of metrics.entries()) validateMetric(metric, `${path}.metrics[${index}]`, errors);
  validateRules(behavior?.scaleUp, `${path}.behavior.scaleUp`, errors);
  validateRules(behavior?.scaleDown, `${path}.behavior.scaleDown`, errors);
}

function validateReference({ kind = '', name = '' }: CrossVersionObjectReference, path: string, errors: FieldErrors): void {
  for (const [field, value] of [
    ['kind', kind],
    ['name', name],
  ] as const) {
    if (value === '') errors.required(`${path}.${field}`);
    else for (const fault of checkPathSegment(value)) errors.invalid(`${path}.${field}`, value, fault);
  }
}

function validateMetric(metric: MetricSpec, path: string, errors: FieldErrors): void {
  const { type } = metric;
  if (type === '') errors.required(`${path}.type`, 'must specify a metric source type');
  const expected = Object.hasOwn(fieldOf, type) ? fieldOf[type as keyof typeof fieldOf] : undefined;
  if (expected === undefined) errors.notSupported(`${path}.type`, type, Object.keys(fieldOf).toSorted());
  const [first, ...more] = fields.filter((field) => metric[field] !== undefined);
  if (first !== undefined) sources[first](metric, `${path}.${first}`, errors);
  if (expected !== undefined && metric[expected] === undefined) {
    errors.required(`${path}.${expected}`, 'must populate information for the given metric source');
  }
  const present = first === undefined ? [] : [first, ...more];
  if (present.length === 1) return;
  for (const field of present) if (field !== expected) errors.forbidden(`${path}.${field}`, 'must populate the given metric source only');
}

/** Rules for each sort of source. */
const sources: Readonly<Record<Field, (metric: MetricSpec, path: string, errors: FieldErrors) => void>> = {
  object: ({ object }, path, errors) => {
    if (object === undefined) return;
    validateReference(object.describedObject, `${path}.describedObject`, errors);
    validateName(object.metric.name, `${path}.metric`, errors);
    validateTarget(object.target, `${path}.target`, errors);
    requireAmount(object.target, `${path}.target`, errors);
  },
  external: ({ external }, path, errors) => {
    if (external === undefined) return;
    validateName(external.metric.name, `${path}.metric`, errors);
    validateTarget(external.target, `${path}.target`, errors);
    requireAmount(external.target, `${path}.target`, errors);
    if (external.target.value !== undefined && external.target.averageValue !== undefined) {
      errors.forbidden(`${path}.target.value`, 'may not set both a target value for metric and a per-pod target');
    }
  },
  pods: ({ pods }, path, errors) => {
    if (pods === undefined) return;
    validateName(pods.metric.name, `${path}.metric`, errors);
    validateTarget(pods.target, `${path}.target`, errors);
    if (!isPositive(pods.target.averageValue))
      errors.required(`${path}.target.averageValue`, 'must specify a positive target averageValue');
  },
  resource: ({ resource }, path, errors) => {
    if (resource === undefined) return;
    if (resource.name === '') errors.required(`${path}.name`, 'must specify a resource name');
    validateResourceTarget(resource.target, `${path}.target`, errors);
  },
  containerResource: ({ containerResource }, path, errors) => {
    if (containerResource === undefined) return;
    if (containerResource.name === '') errors.required(`${path}.name`, 'must specify a resource name');
    if (containerResource.container === '') errors.required(`${path}.container`, 'must specify a container');
    validateResourceTarget(containerResource.target, `${path}.target`, errors);
  },
};

function validateName(name: string, path: string, errors: FieldErrors): void {
  if (name === '') errors.required(`${path}.name`, 'must specify a metric name');
  else for (const fault of checkPathSegment(name)) errors.invalid(`${path}.name`, name, fault);
}

function requireAmount({ value, averageValue }: MetricTarget, path: string, errors: FieldErrors): void {
  if (value === undefined && averageValue === undefined) {
    errors.required(`${path}.averageValue`, 'must set either a target value for metric or a per-pod target');
  }
}

function validateResourceTarget(target: MetricTarget, path: string, errors: FieldErrors): void {
  validateTarget(target, path, errors);
  const { averageUtilization, averageValue } = target;
  if (averageUtilization === undefined && averageValue === undefined) {
    errors.required(`${path}.averageUtilization`, 'must set either a target raw value or a target utilization');
  }
  if (averageUtilization !== undefined && averageValue !== undefined) {
    errors.forbidden(`${path}.averageValue`, 'may not set both a target raw value and a target utilization');
  }
}

function validateTarget({ type, value, averageValue, averageUtilization }: MetricTarget, path: string, errors: FieldErrors): void {
  if (type === '') errors.required(`${path}.type`, 'must specify a metric target type');
  if (!['Utilization', 'Value', 'AverageValue'].includes(type)) {
    errors.invalid(`${path}.type`, type, 'must be either Utilization, Value, or AverageValue');
  }
  if (value !== undefined && !isPositive(value)) errors.invalid(`${path}.value`, value, 'must be positive');
  if (averageValue !== undefined && !isPositive(averageValue)) errors.invalid(`${path}.averageValue`, averageValue, 'must be positive');
  if (averageUtilization !== undefined && averageUtilization < 1) {
    errors.invalid(`${path}.averageUtilization`, averageUtilization, 'must be greater than 0');
  }
}

function isPositive(amount: string | undefined): boolean {
  return amount !== undefined && parseQuantity(amount).nano > 0n;
}

function validateRules(rules: HPAScalingRules | undefined, path: string, errors: FieldErrors): void {
  if (rules === undefined) return;
  const { stabilizationWindowSeconds: window, selectPolicy, policies = [], tolerance } = rules;
  const at = `${path}.stabilizationWindowSeconds`;
  if (window !== undefined && window < 0) errors.invalid(at, window, 'must be greater than or equal to zero');
  if (window !== undefined && window > longestWindow) errors.invalid(at, window, `must be less than or equal to ${longestWindow}`);
  requireOneOf(selectPolicy, `${path}.selectPolicy`, ['Disabled', 'Max', 'Min'], errors);
  if (policies.length === 0) errors.required(`${path}.policies`, 'must specify at least one Policy');
  for (const [index, { type, value, periodSeconds }] of policies.entries()) {
    const each = `${path}.policies[${index}]`;
    requireOneOf(type, `${each}.type`, ['Pods', 'Percent'], errors);
    if (value <= 0) errors.invalid(`${each}.value`, value, 'must be greater than zero');
    if (periodSeconds <= 0) errors.invalid(`${each}.periodSeconds`, periodSeconds, 'must be greater than zero');
    if (periodSeconds > longestPeriod) {
      errors.invalid(`${each}.periodSeconds`, periodSeconds, `must be less than or equal to ${longestPeriod}`);
    }
  }
  if (tolerance !== undefined && parseQuantity(tolerance).nano < 0n) {
    errors.invalid(`${path}.tolerance`, tolerance, 'must be greater or equal to zero');
  }
}
