import type { FieldErrors } from './field-errors.ts';
import { checkDns1123Label, checkDns1123Subdomain } from './names.ts';

const longestPart = 253;
/** A namespace and a name, as some signers have them. */
const longestPath = 253 + 1 + 63;

/** Who signs certificates: `example.com/signer`, a domain of two parts at least and a path without further slashes. */
export function validateSignerName(name: string, path: string, errors: FieldErrors): void {
  if (name === '') {
    errors.required(path);
    return;
  }
  const [domain = '', signer, ...more] = name.split('/');
  if (signer === undefined || more.length > 0) {
    errors.invalid(path, name, "must be a fully qualified domain and path of the form 'example.com/signer-name'");
    return;
  }
  if (domain.length > longestPart) errors.tooLong(path, longestPart);
  const labels = domain.split('.');
  tellFirst(labels, checkDns1123Label, domain, path, errors);
  if (labels.length < 2) errors.invalid(path, domain, 'should be a domain with at least two segments separated by dots');
  tellFirst(signer.split('.'), checkDns1123Subdomain, signer, path, errors);
  if (signer.length > longestPath) errors.tooLong(path, longestPath);
  const longest = longestPart + 1 + longestPath;
  if (name.length > longest) errors.tooLong(path, longest);
}

/** Of parts that are wrong the first is told: those after it have the same fault. */
function tellFirst(labels: readonly string[], check: (label: string) => string[], part: string, path: string, errors: FieldErrors): void {
  for (const label of labels) {
    const faults = check(label);
    for (const fault of faults) errors.invalid(path, part, `validating label ${JSON.stringify(label)}: ${fault}`);
    if (faults.length > 0) return;
  }
}
