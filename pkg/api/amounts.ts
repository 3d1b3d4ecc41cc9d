/** Rules for amounts of pods that are numbers or percentages (`25%`). */
import type { FieldErrors } from './field-errors.ts';
import { type IntOrString, percentOf } from './int-or-string.ts';
import { requireNonNegative } from './pod-spec/checks.ts';

/** A number that is not negative, or a percentage. */
export function validateAmount(value: IntOrString | undefined, path: string, errors: FieldErrors): void {
  if (typeof value === 'number') requireNonNegative(value, path, errors);
  else if (value !== undefined && percentOf(value) === undefined) {
    errors.invalid(
      path,
      value,
      "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')",
    );
  }
}

export function validateNotMoreThanAll(value: IntOrString | undefined, path: string, errors: FieldErrors): void {
  if (typeof value === 'string' && (percentOf(value) ?? 0) > 100) errors.invalid(path, value, 'must not be greater than 100%');
}

/** The number, or that of the percentage: to be compared with 0. */
export function amountOf(value: IntOrString | undefined): number | undefined {
  return typeof value === 'string' ? percentOf(value) : value;
}
