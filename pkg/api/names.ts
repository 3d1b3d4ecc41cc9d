/**
 * The rules for names, labels and keys, with apimachinery's `validation` words. Each check returns what is wrong; nothing where all is right.
 */

const label1123 = '[a-z0-9]([-a-z0-9]*[a-z0-9])?';
const subdomain1123 = `${label1123}(\\.${label1123})*`;
const label1035 = '[a-z]([-a-z0-9]*[a-z0-9])?';
const qualified = '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]';
const labelValue = `(${qualified})?`;
const configKey = '[-._a-zA-Z0-9]+';

const patterns = {
  // Lengths are checked first, so that no pattern runs over long input.
  label1123: new RegExp(`^${label1123}$`),
  subdomainPart: new RegExp(`^${label1123}$`),
  label1035: new RegExp(`^${label1035}$`),
  qualified: /^[A-Za-z0-9](?:[-A-Za-z0-9_.]*[A-Za-z0-9])?$/,
  configKey: new RegExp(`^${configKey}$`),
};

const alphanumeric = "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character";
const label1123Message =
  "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character";
const subdomainMessage =
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character";
const label1035Message =
  "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character";

/** A DNS label of RFC 1123: at most 63 bytes; names of namespaces, containers, volumes. */
export function checkDns1123Label(value: string): string[] {
  const faults = value.length > 63 ? [tooLong(63)] : [];
  if (value.length <= 253 && patterns.label1123.test(value)) return faults;
  faults.push(isSubdomain(value) ? 'must not contain dots' : byPattern(label1123Message, label1123, 'my-name', '123-abc'));
  return faults;
}

/** DNS labels joined by dots: at most 253 bytes; the names of most objects. */
export function checkDns1123Subdomain(value: string): string[] {
  const faults = value.length > 253 ? [tooLong(253)] : [];
  if (!isSubdomain(value)) {
    faults.push(byPattern(subdomainMessage, subdomain1123, 'example.com'));
  }
  return faults;
}

function isSubdomain(value: string): boolean {
  return value.length <= 1024 && value.split('.').every((part) => patterns.subdomainPart.test(part));
}

/** A DNS label that begins with a letter: the names of services. */
export function checkDns1035Label(value: string): string[] {
  const faults = value.length > 63 ? [tooLong(63)] : [];
  if (value.length > 253 || !patterns.label1035.test(value)) faults.push(byPattern(label1035Message, label1035, 'my-name', 'abc-123'));
  return faults;
}

/** A name that may stand in a URL's path. */
export function checkPathSegment(value: string): string[] {
  if (value === '.') return ["may not be '.'"];
  if (value === '..') return ["may not be '..'"];
  return ['/', '%'].filter((one) => value.includes(one)).map((one) => `may not contain '${one}'`);
}

/** `name` or `example.com/name`: keys of labels and annotations, names of resources. */
export function checkQualifiedName(value: string): string[] {
  const parts = value.split('/');
  const faults: string[] = [];
  if (parts.length > 2) {
    return [
      `a qualified name ${byPattern(alphanumeric, qualified, 'MyName', 'my.name', '123-abc')} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')`,
    ];
  }
  const name = parts.at(-1) ?? '';
  if (parts.length === 2) {
    const [prefix = ''] = parts;
    if (prefix === '') faults.push('prefix part must be non-empty');
    else faults.push(...checkDns1123Subdomain(prefix).map((fault) => `prefix part ${fault}`));
  }
  if (name === '') faults.push('name part must be non-empty');
  else if (name.length > 63) faults.push(`name part ${tooLong(63)}`);
  if (name.length > 253 || !patterns.qualified.test(name)) {
    faults.push(`name part ${byPattern(alphanumeric, qualified, 'MyName', 'my.name', '123-abc')}`);
  }
  return faults;
}

export function checkLabelValue(value: string): string[] {
  const faults = value.length > 63 ? [tooLong(63)] : [];
  if (value !== '' && (value.length > 253 || !patterns.qualified.test(value))) {
    const message = `a valid label must be an empty string or ${alphanumeric.replace('must consist', 'consist')}`;
    faults.push(byPattern(message, labelValue, 'MyValue', 'my_value', '12345'));
  }
  return faults;
}

/** Keys of config maps and secrets: they become file names. */
export function checkConfigKey(value: string): string[] {
  const faults = value.length > 253 ? [tooLong(253)] : [];
  if (!patterns.configKey.test(value)) {
    faults.push(
      byPattern(
        "a valid config key must consist of alphanumeric characters, '-', '_' or '.'",
        configKey,
        'key.name',
        'KEY_NAME',
        'key-name',
      ),
    );
  }
  if (value === '.') faults.push("must not be '.'");
  else if (value === '..') faults.push("must not be '..'");
  else if (value.startsWith('..')) faults.push("must not start with '..'");
  return faults;
}

/** Printable ASCII without `=`. */
export function checkEnvironmentName(value: string): string[] {
  if (value !== '' && /^[ -<>-~]+$/.test(value)) return [];
  return ["a valid environment variable name must consist only of printable ASCII characters other than '='"];
}

/** Names of ports, as the service registry of IANA has them. */
export function checkPortName(value: string): string[] {
  const faults: string[] = [];
  if (value.length > 15) faults.push(tooLong(15));
  if (!/^[-a-z0-9]+$/.test(value)) faults.push('must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)');
  if (!/[a-z]/.test(value)) faults.push('must contain at least one letter (a-z)');
  if (value.includes('--')) faults.push('must not contain consecutive hyphens');
  if (value.startsWith('-') || value.endsWith('-')) faults.push('must not begin or end with a hyphen');
  return faults;
}

export function checkPortNumber(value: number): string[] {
  return Number.isInteger(value) && value >= 1 && value <= 65535 ? [] : ['must be between 1 and 65535, inclusive'];
}

function tooLong(maximum: number): string {
  return `must be no more than ${maximum} bytes`;
}

function byPattern(message: string, pattern: string, ...examples: readonly string[]): string {
  const list = examples.map((example) => `'${example}', `).join(' or ');
  return `${message} (e.g. ${list}regex used for validation is '${pattern}')`;
}
