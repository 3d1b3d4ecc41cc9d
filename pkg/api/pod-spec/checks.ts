/** Rules for values that several parts of a pod's spec share. */
import type { FieldErrors } from '../field-errors.ts';
import { checkPortName, checkPortNumber } from '../names.ts';
import { compareQuantities, parseQuantity } from '../quantity.ts';

export const hostPathTypes = ['', 'BlockDevice', 'CharDevice', 'Directory', 'DirectoryOrCreate', 'File', 'FileOrCreate', 'Socket'];

export function requireNonNegative(value: number | undefined, path: string, errors: FieldErrors): void {
  if (value !== undefined && value < 0) errors.invalid(path, value, 'must be greater than or equal to 0');
}

export function requireOneOf(value: string | undefined, path: string, supported: readonly string[], errors: FieldErrors): void {
  if (value !== undefined && !supported.includes(value)) errors.notSupported(path, value, supported);
}

export function requireName(value: string | undefined, path: string, errors: FieldErrors): void {
  if (value === undefined || value === '') errors.required(path);
}

/** A port by number or by name. */
export function validatePort(port: number | string, path: string, errors: FieldErrors): void {
  const faults = typeof port === 'number' ? checkPortNumber(port) : checkPortName(port);
  for (const fault of faults) errors.invalid(path, port, fault);
}

/** A path inside a volume: relative, and never upwards. */
export function validateDescendingPath(value: string, path: string, errors: FieldErrors): void {
  if (value.startsWith('/')) errors.invalid(path, value, 'must be a relative path');
  if (value.split('/').includes('..')) errors.invalid(path, value, "must not contain '..'");
}

export function validateQuantityNotNegative(value: string, path: string, errors: FieldErrors): void {
  if (parseQuantity(value).nano < 0n) errors.invalid(path, value, 'must be greater than or equal to 0');
}

export function isGreater(a: string, b: string): boolean {
  return compareQuantities(parseQuantity(a), parseQuantity(b)) > 0;
}

export function validateFileMode(mode: number | undefined, path: string, errors: FieldErrors): void {
  if (mode !== undefined && (mode < 0 || mode > 0o777))
    errors.invalid(path, mode, 'must be a number between 0 and 0777 (octal), both inclusive');
}

/** A user or group id. */
export function validateId(id: number | undefined, path: string, errors: FieldErrors): void {
  if (id !== undefined && (id < 0 || id > 2147483647)) errors.invalid(path, id, 'must be between 0 and 2147483647, inclusive');
}
