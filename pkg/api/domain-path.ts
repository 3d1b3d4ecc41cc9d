import type { FieldErrors } from './field-errors.ts';
import { checkDns1123Subdomain } from './names.ts';

const pathCharacters = "[A-Za-z0-9/\\-._~%!$&'()*+,;=:]+";
const pathPattern = /^[A-Za-z0-9/\-._~%!$&'()*+,;=:]+$/;

/** A name that begins with a domain: `example.com/controller`. */
export function validateDomainPath(value: string, path: string, errors: FieldErrors): void {
  if (value === '') {
    errors.required(path);
    return;
  }
  const slash = value.indexOf('/');
  const host = value.slice(0, Math.max(slash, 0));
  const rest = value.slice(slash + 1);
  if (slash < 0 || host === '' || rest === '') {
    errors.invalid(path, value, 'must be a domain-prefixed path (such as "acme.io/foo")');
    return;
  }
  for (const fault of checkDns1123Subdomain(host)) errors.invalid(path, host, fault);
  if (!pathPattern.test(rest)) {
    errors.invalid(path, rest, `Invalid path (e.g. 'acme.io/foo', regex used for validation is '${pathCharacters}')`);
  }
}
