import type { FieldErrors } from '../field-errors.ts';
import { checkDns1123Subdomain } from '../names.ts';

const longest = 63;

/** The name by which a CSI driver is asked for; upper case is taken. */
export function validateDriverName(name: string, path: string, errors: FieldErrors): void {
  if (name === '') errors.required(path);
  if (name.length > longest) errors.tooLong(path, longest);
  for (const fault of checkDns1123Subdomain(name.toLowerCase())) errors.invalid(path, name, fault);
}
