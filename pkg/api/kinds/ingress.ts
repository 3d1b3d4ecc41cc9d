import { isIP } from 'node:net';
import { defineKind } from '../define-kind.ts';
import { FieldErrors } from '../field-errors.ts';
import { checkDns1035Label, checkDns1123Label, checkDns1123Subdomain, checkPortName, checkPortNumber } from '../names.ts';
import type { HTTPIngressPath, Ingress, IngressBackend, IngressRule, IngressSpec } from '../shapes/types/networking-v1.ts';
import { statusSubresource } from '../subresources.ts';
import { ageColumn, nameColumn, tableColumns } from '../table-columns.ts';
import { validateLocalReference } from './ingress-class.ts';

const pathTypes = ['Exact', 'ImplementationSpecific', 'Prefix'];
const badSequences = ['//', '/./', '/../', '%2f', '%2F'];
const badSuffixes = ['/..', '/.'];
const classAnnotation = 'kubernetes.io/ingress.class';
const shownHosts = 3;

export const ingress = defineKind<Ingress>({
  group: 'networking.k8s.io',
  kind: 'Ingress',
  description: 'Which service answers for which host and path from outside.',
  support: 'stored only',
  supportNote: 'Berth has no ingress controller; one that runs in the cluster serves them',
  subresources: [
    {
      ...statusSubresource<Ingress>({ group: 'networking.k8s.io', version: 'v1', kind: 'Ingress' }, 'networking.v1.Ingress'),
      validate: ({ status }) => {
        const errors = new FieldErrors();
        for (const [index, { ip = '', hostname = '' }] of (status?.loadBalancer?.ingress ?? []).entries()) {
          const path = `status.loadBalancer.ingress[${index}]`;
          if (ip !== '' && isIP(ip) === 0)
            errors.invalid(`${path}.ip`, ip, 'must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)');
          if (hostname === '') continue;
          for (const fault of checkDns1123Subdomain(hostname)) errors.invalid(`${path}.hostname`, hostname, fault);
          if (isIP(hostname) !== 0) errors.invalid(`${path}.hostname`, hostname, 'must be a DNS name, not an IP address');
        }
        return errors;
      },
    },
  ],
  validate: ({ spec }) => {
    const errors = new FieldErrors();
    validateSpec(spec, errors);
    return errors;
  },
  validateCreate: ({ metadata, spec }) => {
    const errors = new FieldErrors();
    const annotated = metadata.annotations?.[classAnnotation];
    if (annotated !== undefined && spec.ingressClassName !== undefined && annotated !== spec.ingressClassName) {
      errors.invalid(`annotations.${classAnnotation}`, annotated, 'must match `ingressClassName` when both are specified');
    }
    return errors;
  },
  columns: tableColumns<Ingress>([
    nameColumn,
    { name: 'Class', type: 'string', description: 'Its class.', cell: ({ spec }) => spec.ingressClassName ?? '<none>' },
    { name: 'Hosts', type: 'string', description: 'The hosts that it answers for.', cell: ({ spec }) => hostsOf(spec.rules ?? []) },
    {
      name: 'Address',
      type: 'string',
      description: 'Where it is reached.',
      cell: ({ status }) => (status?.loadBalancer?.ingress ?? []).map(({ ip, hostname }) => ip ?? hostname ?? '').join(','),
    },
    {
      name: 'Ports',
      type: 'string',
      description: 'The ports that it opens.',
      cell: ({ spec }) => ((spec.tls ?? []).length > 0 ? '80, 443' : '80'),
    },
    ageColumn,
  ]),
});

function hostsOf(rules: readonly IngressRule[]): string {
  const hosts = rules.map(({ host = '' }) => host).filter((host) => host !== '');
  if (hosts.length === 0) return '*';
  const text = hosts.slice(0, shownHosts).join(',');
  return hosts.length > shownHosts ? `${text} + ${hosts.length - shownHosts} more...` : text;
}

function validateSpec(spec: IngressSpec, errors: FieldErrors): void {
  const { rules = [], defaultBackend, tls = [], ingressClassName } = spec;
  if (rules.length === 0 && defaultBackend === undefined) {
    errors.invalid('spec', rules, 'either `defaultBackend` or `rules` must be specified');
  }
  if (defaultBackend !== undefined) validateBackend(defaultBackend, 'spec.defaultBackend', errors);
  for (const [index, rule] of rules.entries()) validateRule(rule, `spec.rules[${index}]`, errors);
  for (const [index, { hosts = [], secretName = '' }] of tls.entries()) {
    const path = `spec.tls[${index}]`;
    for (const [position, host] of hosts.entries()) validateHost(host, `${path}.hosts[${position}]`, errors);
    if (secretName !== '') for (const fault of checkDns1123Subdomain(secretName)) errors.invalid(`${path}.secretName`, secretName, fault);
  }
  if (ingressClassName !== undefined) {
    for (const fault of checkDns1123Subdomain(ingressClassName)) errors.invalid('spec.ingressClassName', ingressClassName, fault);
  }
}

function validateHost(host: string, path: string, errors: FieldErrors): void {
  const faults = host.includes('*') ? checkWildcard(host) : checkDns1123Subdomain(host);
  for (const fault of faults) errors.invalid(path, host, fault);
}

/** `*.example.com`: one star, in front. */
function checkWildcard(host: string): string[] {
  const pattern = '\\*\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*';
  const faults = host.length > 253 ? ['must be no more than 253 bytes'] : [];
  const rest = host.slice(2).split('.');
  if (host.length > 1024 || !host.startsWith('*.') || rest.some((label) => checkDns1123Label(label.slice(0, 63)).length > 0)) {
    faults.push(
      `a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character (e.g. '*.example.com', regex used for validation is '${pattern}')`,
    );
  }
  return faults;
}

function validateRule({ host = '', http }: IngressRule, path: string, errors: FieldErrors): void {
  if (isIP(host) !== 0) errors.invalid(`${path}.host`, host, 'must be a DNS name, not an IP address');
  if (host !== '') validateHost(host, `${path}.host`, errors);
  if (http === undefined) return;
  const paths = http.paths ?? [];
  if (paths.length === 0) errors.required(`${path}.http.paths`);
  for (const [index, each] of paths.entries()) validatePath(each, `${path}.http.paths[${index}]`, errors);
}

function validatePath({ path = '', pathType, backend }: HTTPIngressPath, at: string, errors: FieldErrors): void {
  if (pathType === undefined) {
    errors.required(`${at}.pathType`, 'pathType must be specified');
    return;
  }
  if (!pathTypes.includes(pathType)) errors.notSupported(`${at}.pathType`, pathType, pathTypes);
  else if (pathType === 'ImplementationSpecific') {
    if (path !== '' && !path.startsWith('/')) errors.invalid(`${at}.path`, path, 'must be an absolute path');
  } else {
    if (!path.startsWith('/')) errors.invalid(`${at}.path`, path, 'must be an absolute path');
    for (const sequence of badSequences) if (path.includes(sequence)) errors.invalid(`${at}.path`, path, `must not contain '${sequence}'`);
    for (const suffix of badSuffixes) if (path.endsWith(suffix)) errors.invalid(`${at}.path`, path, `cannot end with '${suffix}'`);
  }
  validateBackend(backend, `${at}.backend`, errors);
}

function validateBackend({ resource, service }: IngressBackend, path: string, errors: FieldErrors): void {
  if (resource !== undefined && service !== undefined) errors.invalid(path, '', 'cannot set both resource and service backends');
  else if (resource !== undefined) validateLocalReference(resource, `${path}.resource`, errors);
  else if (service === undefined) errors.invalid(path, '', 'resource or service backend is required');
  else {
    if (service.name === '') errors.required(`${path}.service.name`);
    else for (const fault of checkDns1035Label(service.name)) errors.invalid(`${path}.service.name`, service.name, fault);
    const { name = '', number = 0 } = service.port ?? {};
    if (name !== '' && number !== 0) errors.invalid(path, '', 'cannot set both port name & port number');
    else if (name !== '') for (const fault of checkPortName(name)) errors.invalid(`${path}.service.port.name`, name, fault);
    else if (number !== 0) for (const fault of checkPortNumber(number)) errors.invalid(`${path}.service.port.number`, number, fault);
    else errors.required(path, 'port name or number is required');
  }
}
