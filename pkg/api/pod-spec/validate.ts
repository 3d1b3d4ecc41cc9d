/** Rules for a pod's spec and for templates of pods (Kubernetes' `core/validation`, in its order and words). */
import { isIP } from 'node:net';
import type { FieldErrors } from '../field-errors.ts';
import { checkDns1123Label, checkDns1123Subdomain, checkQualifiedName } from '../names.ts';
import { validateAnnotations, validateLabels } from '../object-meta.ts';
import { matchesSelector, type Selector } from '../selector.ts';
import type { Pod, PodSpec, PodTemplateSpec } from '../shapes/types/core-v1.ts';
import { requireOneOf } from './checks.ts';
import { requireTrimmedImages, validateContainers } from './containers.ts';
import { validateAffinity, validateTolerations, validateTopologySpread } from './scheduling.ts';
import { validatePodSecurity } from './security.ts';
import { validateVolumes } from './volumes.ts';

export const mirrorAnnotation = 'kubernetes.io/config.mirror';
const costAnnotation = 'controller.kubernetes.io/pod-deletion-cost';

const maximumInt32 = 2147483647;
const dnsPolicies = ['ClusterFirstWithHostNet', 'ClusterFirst', 'Default', 'None'];
const mostNameservers = 3;
const mostSearches = 32;
const longestSearches = 2048;

export function validatePodSpec(spec: PodSpec, path: string, errors: FieldErrors): void {
  const volumes = validateVolumes(spec.volumes ?? [], `${path}.volumes`, errors);
  validateContainers(spec, volumes, path, errors);
  requireOneOf(spec.restartPolicy, `${path}.restartPolicy`, ['Always', 'OnFailure', 'Never'], errors);
  requireOneOf(spec.dnsPolicy, `${path}.dnsPolicy`, dnsPolicies, errors);
  validateLabels(spec.nodeSelector, `${path}.nodeSelector`, errors);
  validatePodSecurity(spec, path, errors);
  validateAffinity(spec.affinity, `${path}.affinity`, errors);
  validateDns(spec, `${path}.dnsConfig`, errors);
  for (const [index, { conditionType }] of (spec.readinessGates ?? []).entries()) {
    const at = `${path}.readinessGates[${index}].conditionType`;
    for (const fault of checkQualifiedName(conditionType)) errors.invalid(at, conditionType, fault);
  }
  validateGates(
    (spec.schedulingGates ?? []).map(({ name }) => name),
    `${path}.schedulingGates`,
    errors,
  );
  validateTopologySpread(spec.topologySpreadConstraints ?? [], `${path}.topologySpreadConstraints`, errors);
  for (const field of ['serviceAccountName', 'nodeName'] as const) {
    const value = spec[field] ?? '';
    if (value !== '') for (const fault of checkDns1123Subdomain(value)) errors.invalid(`${path}.${field}`, value, fault);
  }
  const deadline = spec.activeDeadlineSeconds;
  if (deadline !== undefined && (deadline < 1 || deadline > maximumInt32)) {
    errors.invalid(`${path}.activeDeadlineSeconds`, deadline, `must be between 1 and ${maximumInt32}, inclusive`);
  }
  for (const field of ['hostname', 'subdomain'] as const) {
    const value = spec[field] ?? '';
    if (value !== '') for (const fault of checkDns1123Label(value)) errors.invalid(`${path}.${field}`, value, fault);
  }
  validateTolerations(spec.tolerations ?? [], `${path}.tolerations`, errors);
  for (const [index, alias] of (spec.hostAliases ?? []).entries()) {
    requireAddress(alias.ip, `${path}.hostAliases[${index}].ip`, errors);
    for (const [nameIndex, name] of (alias.hostnames ?? []).entries()) {
      for (const fault of checkDns1123Subdomain(name)) errors.invalid(`${path}.hostAliases[${index}].hostnames[${nameIndex}]`, name, fault);
    }
  }
  const priorityClass = spec.priorityClassName ?? '';
  if (priorityClass !== '') {
    for (const fault of checkDns1123Subdomain(priorityClass)) errors.invalid(`${path}.priorityClassName`, priorityClass, fault);
  }
  if (spec.preemptionPolicy === '') errors.required(`${path}.preemptionPolicy`);
  else requireOneOf(spec.preemptionPolicy, `${path}.preemptionPolicy`, ['PreemptLowerPriority', 'Never'], errors);
  if (spec.os?.name === '') errors.required(`${path}.os.name`, 'cannot be empty');
  else requireOneOf(spec.os?.name, `${path}.os`, ['linux', 'windows'], errors);
  validateExtension(spec, `${path}.berth`, errors);
}

/** Rules for pods that templates of them need not keep. */
export function validatePodAlone({ metadata, spec }: Pod, errors: FieldErrors): void {
  const mirror = metadata.annotations?.[mirrorAnnotation];
  if (mirror !== undefined && (spec.nodeName ?? '') === '') {
    errors.invalid(`metadata.annotations[${mirrorAnnotation}]`, mirror, 'must set spec.nodeName if mirror pod annotation is set');
  }
  const cost = metadata.annotations?.[costAnnotation];
  if (cost !== undefined && !/^(?:0|-?[1-9]\d{0,9})$/.test(cost)) {
    errors.invalid(`metadata.annotations[${costAnnotation}]`, cost, 'must be a 32bit integer');
  }
  validatePodSpec(spec, 'spec', errors);
  requireTrimmedImages(spec, 'spec', errors);
}

function validateDns({ dnsPolicy, dnsConfig }: PodSpec, path: string, errors: FieldErrors): void {
  const { nameservers = [], searches = [], options = [] } = dnsConfig ?? {};
  if (dnsPolicy === 'None' && dnsConfig === undefined) {
    errors.required(path, 'must provide `dnsConfig` when `dnsPolicy` is None');
    return;
  }
  if (dnsPolicy === 'None' && nameservers.length === 0) {
    errors.required(`${path}.nameservers`, 'must provide at least one DNS nameserver when `dnsPolicy` is None');
    return;
  }
  if (nameservers.length > mostNameservers) {
    errors.invalid(`${path}.nameservers`, nameservers, `must not have more than ${mostNameservers} nameservers`);
  }
  for (const [index, address] of nameservers.entries()) requireAddress(address, `${path}.nameservers[${index}]`, errors);
  if (searches.length > mostSearches) {
    errors.invalid(`${path}.searches`, searches, `must not have more than ${mostSearches} search paths`);
  }
  if (searches.join(' ').length > longestSearches) {
    const detail = `must not have more than ${longestSearches} characters (including spaces) in the search list`;
    errors.invalid(`${path}.searches`, searches, detail);
  }
  for (const [index, search] of searches.entries()) {
    // Names of services may have underscores, and the root is a dot.
    const name = search === '.' ? 'root' : search.replace(/\.$/, '').replaceAll('_', '-');
    for (const fault of checkDns1123Subdomain(name)) errors.invalid(`${path}.searches[${index}]`, search.replace(/\.$/, ''), fault);
  }
  for (const [index, { name = '' }] of options.entries())
    if (name === '') errors.required(`${path}.options[${index}]`, 'must not be empty');
}

function validateGates(gates: readonly string[], path: string, errors: FieldErrors): void {
  const seen = new Set<string>();
  for (const [index, gate] of gates.entries()) {
    const at = `${path}[${index}]`;
    for (const fault of checkQualifiedName(gate)) errors.invalid(at, gate, fault);
    if (seen.has(gate)) errors.duplicate(at, gate);
    seen.add(gate);
  }
}

function requireAddress(value: string, path: string, errors: FieldErrors): void {
  if (isIP(value) === 0) errors.invalid(path, value, 'must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)');
}

function validateExtension(spec: PodSpec, path: string, errors: FieldErrors): void {
  const { maxRestarts, networks = [] } = spec.berth ?? {};
  if (maxRestarts !== undefined) {
    if (maxRestarts < 0) errors.invalid(`${path}.maxRestarts`, maxRestarts, 'must be greater than or equal to 0');
    if (spec.restartPolicy !== 'OnFailure')
      errors.invalid(`${path}.maxRestarts`, maxRestarts, 'may only be set when `restartPolicy` is OnFailure');
  }
  for (const [index, network] of networks.entries()) if (network === '') errors.required(`${path}.networks[${index}]`);
}

/**
 * Rules for the template of a workload: its labels must be what the workload selects, and its pods must restart (`Always` alone unless other policies are
 * given).
 */
export function validatePodTemplate(
  template: PodTemplateSpec,
  selector: Selector | undefined,
  path: string,
  errors: FieldErrors,
  restartPolicies: readonly string[] = ['Always'],
): void {
  requireSelected(template, selector, path, errors);
  validateTemplate(template, path, errors);
  const policy = template.spec.restartPolicy;
  if (policy !== undefined && !restartPolicies.includes(policy)) errors.notSupported(`${path}.spec.restartPolicy`, policy, restartPolicies);
  if (template.spec.activeDeadlineSeconds !== undefined && restartPolicies[0] === 'Always') {
    errors.forbidden(`${path}.spec.activeDeadlineSeconds`, 'activeDeadlineSeconds in ReplicaSet is not Supported');
  }
}

/** The labels of the template must be what the workload selects. */
export function requireSelected(template: PodTemplateSpec, selector: Selector | undefined, path: string, errors: FieldErrors): void {
  if (selector !== undefined && !matchesSelector(selector, template.metadata?.labels)) {
    errors.invalid(`${path}.metadata.labels`, template.metadata?.labels ?? {}, '`selector` does not match template `labels`');
  }
}

/** Rules for a template by itself. */
export function validateTemplate(template: PodTemplateSpec, path: string, errors: FieldErrors): void {
  validateLabels(template.metadata?.labels, `${path}.labels`, errors);
  validateAnnotations(template.metadata?.annotations, `${path}.annotations`, errors);
  validatePodSpec(template.spec, `${path}.spec`, errors);
  if ((template.spec.ephemeralContainers ?? []).length > 0) {
    errors.forbidden(`${path}.spec.ephemeralContainers`, 'ephemeral containers not allowed in pod template');
  }
}

/** For workloads that go on for ever: `Always` alone, and no deadline. `what` is the workload in the message. */
export function requireEndless(template: PodTemplateSpec, what: string, path: string, errors: FieldErrors): void {
  const { restartPolicy, activeDeadlineSeconds } = template.spec;
  if (restartPolicy !== 'Always') errors.notSupported(`${path}.spec.restartPolicy`, restartPolicy ?? '', ['Always']);
  if (activeDeadlineSeconds !== undefined) {
    errors.forbidden(`${path}.spec.activeDeadlineSeconds`, `activeDeadlineSeconds in ${what} is not Supported`);
  }
}
