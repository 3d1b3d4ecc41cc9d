/** Rules for what a container asks for and may use. */
import type { FieldErrors } from '../field-errors.ts';
import { parseQuantity, QuantityError } from '../quantity.ts';
import { isExtendedResource, validateContainerResourceName } from '../resource-policies/names.ts';
import type { ResourceRequirements } from '../shapes/types/core-v1.ts';
import { isGreater, validateQuantityNotNegative } from './checks.ts';

const nanoPerUnit = 1_000_000_000n;
const hugePages = 'hugepages-';

export function validateResources(resources: ResourceRequirements | undefined, path: string, errors: FieldErrors): void {
  const { limits = {}, requests = {} } = resources ?? {};
  for (const [name, value] of Object.entries(limits)) validateAmount(name, value, `${path}.limits[${name}]`, errors);
  for (const [name, value] of Object.entries(requests)) {
    validateContainerResourceName(name, `${path}.requests[${name}]`, errors);
    validateValue(name, value, `${path}.requests[${name}]`, errors);
    const limit = limits[name];
    // What cannot be shared is given in full, or not at all.
    const isShared = !name.startsWith(hugePages) && !isExtendedResource(name);
    if (limit === undefined) {
      if (!isShared) errors.required(`${path}.limits`, 'Limit must be set for non overcommitable resources');
    } else if (!isShared && (isGreater(value, limit) || isGreater(limit, value))) {
      errors.invalid(`${path}.requests`, value, `must be equal to ${name} limit of ${limit}`);
    } else if (isGreater(value, limit)) {
      errors.invalid(`${path}.requests`, value, `must be less than or equal to ${name} limit of ${limit}`);
    }
    validatePages(name, value, `${path}.requests[${name}]`, errors);
  }
  const names = [...Object.keys(limits), ...Object.keys(requests)];
  if (names.some((name) => name.startsWith(hugePages)) && !names.includes('cpu') && !names.includes('memory')) {
    errors.forbidden(path, 'HugePages require cpu or memory');
  }
}

function validateAmount(name: string, value: string, path: string, errors: FieldErrors): void {
  validateContainerResourceName(name, path, errors);
  validateValue(name, value, path, errors);
  validatePages(name, value, path, errors);
}

function validateValue(name: string, value: string, path: string, errors: FieldErrors): void {
  validateQuantityNotNegative(value, path, errors);
  if (isExtendedResource(name) && parseQuantity(value).nano % nanoPerUnit !== 0n) errors.invalid(path, value, 'must be an integer');
}

/** Huge pages come in whole ones: `hugepages-2Mi: 3Mi` is one and a half. */
function validatePages(name: string, value: string, path: string, errors: FieldErrors): void {
  if (!name.startsWith(hugePages)) return;
  const size = sizeOf(name.slice(hugePages.length));
  const amount = parseQuantity(value).nano;
  if (size <= 0n || amount <= 0n || amount % size !== 0n) {
    errors.invalid(path, value, `${value} is not positive integer multiple of ${name}`);
  }
}

function sizeOf(text: string): bigint {
  try {
    return parseQuantity(text).nano;
  } catch (error) {
    if (error instanceof QuantityError) return 0n;
    throw error;
  }
}
