import { defineKind } from '../define-kind.ts';
import { FieldErrors } from '../field-errors.ts';
import { checkQualifiedName } from '../names.ts';
import { isGreater } from '../pod-spec/checks.ts';
import { parseQuantity } from '../quantity.ts';
import { validateContainerResourceName, validateResourceName } from '../resource-policies/names.ts';
import type { LimitRange, LimitRangeItem } from '../shapes/types/core-v1.ts';
import { createdAtColumns } from '../table-columns.ts';

const types = ['Container', 'PersistentVolumeClaim', 'Pod'];

export const limitRange = defineKind<LimitRange>({
  group: '',
  kind: 'LimitRange',
  description: 'Bounds and defaults for what each pod, container or claim of a namespace may ask for.',
  support: 'acted on',
  supportNote: 'defaults and limits, by admission',
  defaults: ({ spec }) => {
    for (const item of spec.limits ?? []) defaultItem(item);
  },
  validate: ({ spec }) => {
    const errors = new FieldErrors();
    const seen = new Set<string>();
    for (const [index, item] of (spec.limits ?? []).entries()) {
      const path = `spec.limits[${index}]`;
      for (const fault of checkQualifiedName(item.type)) errors.invalid(`${path}.type`, item.type, fault);
      if (!item.type.includes('/') && !types.includes(item.type)) {
        errors.invalid(`${path}.type`, item.type, 'must be a standard limit type or fully qualified');
      }
      if (seen.has(item.type)) errors.duplicate(`${path}.type`, item.type);
      seen.add(item.type);
      validateItem(item, path, errors);
    }
    return errors;
  },
  columns: createdAtColumns,
});

/** Of a container, what is not said follows from what is: the limit from the most, the request from the limit, else from the least. */
function defaultItem(item: LimitRangeItem): void {
  if (item.type !== 'Container') return;
  const limits = { ...item.max, ...item.default };
  const requests = { ...item.min, ...limits, ...item.defaultRequest };
  if (Object.keys(limits).length > 0) item.default = limits;
  if (Object.keys(requests).length > 0) item.defaultRequest = requests;
}

function validateItem(item: LimitRangeItem, path: string, errors: FieldErrors): void {
  const validateName = item.type === 'Container' || item.type === 'Pod' ? validateContainerResourceName : validateResourceName;
  const validateNames = (field: keyof LimitRangeItem & ('max' | 'min' | 'default' | 'defaultRequest' | 'maxLimitRequestRatio')): void => {
    for (const name of Object.keys(item[field] ?? {})) validateName(name, `${path}.${field}[${name}]`, errors);
  };
  validateNames('max');
  validateNames('min');
  if (item.type === 'Pod') {
    for (const field of ['default', 'defaultRequest'] as const) {
      if (Object.keys(item[field] ?? {}).length > 0) errors.forbidden(`${path}.${field}`, "may not be specified when `type` is 'Pod'");
    }
  } else {
    validateNames('default');
    validateNames('defaultRequest');
  }
  if (item.type === 'PersistentVolumeClaim' && item.min?.storage === undefined && item.max?.storage === undefined) {
    errors.required(`${path}.limits`, 'either minimum or maximum storage value is required, but neither was provided');
  }
  validateNames('maxLimitRequestRatio');
  const named = [item.max, item.min, item.default, item.defaultRequest, item.maxLimitRequestRatio].flatMap((each) =>
    Object.keys(each ?? {}),
  );
  for (const name of [...new Set(named)].toSorted()) validateAmounts(item, name, path, errors);
}

function validateAmounts(item: LimitRangeItem, name: string, path: string, errors: FieldErrors): void {
  const [min, max, preset, request] = [item.min?.[name], item.max?.[name], item.default?.[name], item.defaultRequest?.[name]];
  const order = (
    low: string | undefined,
    high: string | undefined,
    field: string,
    value: string | undefined,
    words: [string, string],
  ): void => {
    if (low !== undefined && high !== undefined && isGreater(low, high)) {
      errors.invalid(`${path}.${field}[${name}]`, value, `${words[0]} value ${low} is greater than ${words[1]} value ${high}`);
    }
  };
  order(min, max, 'min', min, ['min', 'max']);
  order(min, request, 'defaultRequest', request, ['min', 'default request']);
  order(request, max, 'defaultRequest', request, ['default request', 'max']);
  order(request, preset, 'defaultRequest', request, ['default request', 'default limit']);
  order(min, preset, 'default', min, ['min', 'default']);
  order(preset, max, 'default', max, ['default', 'max']);
  const ratio = item.maxLimitRequestRatio?.[name];
  if (ratio === undefined) return;
  const at = `${path}.maxLimitRequestRatio[${name}]`;
  const nano = parseQuantity(ratio).nano;
  if (nano < 1_000_000_000n) errors.invalid(at, ratio, `ratio ${ratio} is less than 1`);
  if (min === undefined || max === undefined) return;
  const [least, most] = [Number(parseQuantity(min).nano), Number(parseQuantity(max).nano)];
  const bound = least === 0 ? Number.POSITIVE_INFINITY : most / least;
  if (Number(nano) / 1e9 > bound) errors.invalid(at, ratio, `ratio ${ratio} is greater than max/min = ${bound.toFixed(6)}`);
}
