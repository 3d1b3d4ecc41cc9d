/** Rules for a pod's spec and for templates of pods (Kubernetes' `core/validation`, in its order and words). */
import { isIP } from 'node:net';
import type { FieldErrors } from '../field-errors.ts';
import { checkDns1123Label, checkDns1123Subdomain } from '../names.ts';
import { validateAnnotations, validateLabels } from '../object-meta.ts';
import { matchesSelector, type Selector } from '../selector.ts';
import type { PodSecurityContext, PodSpec, PodTemplateSpec } from '../shapes/types/core-v1.ts';
import { requireOneOf, validateId } from './checks.ts';
import { validateContainers } from './containers.ts';
import { validateScheduling } from './scheduling.ts';
import { validateVolumes } from './volumes.ts';

const maximumInt32 = 2147483647;

export function validatePodSpec(spec: PodSpec, path: string, errors: FieldErrors): void {
  const volumes = validateVolumes(spec.volumes ?? [], `${path}.volumes`, errors);
  validateContainers(spec, volumes, path, errors);
  requireOneOf(spec.restartPolicy, `${path}.restartPolicy`, ['Always', 'OnFailure', 'Never'], errors);
  requireOneOf(spec.dnsPolicy, `${path}.dnsPolicy`, ['ClusterFirst', 'ClusterFirstWithHostNet', 'Default', 'None'], errors);
  if (spec.dnsPolicy === 'None' && (spec.dnsConfig?.nameservers ?? []).length === 0) {
    errors.required(`${path}.dnsConfig.nameservers`, 'must provide at least one DNS nameserver when `dnsPolicy` is None');
  }
  for (const [index, address] of (spec.dnsConfig?.nameservers ?? []).entries()) {
    requireAddress(address, `${path}.dnsConfig.nameservers[${index}]`, errors);
  }
  validateSecurity(spec.securityContext, `${path}.securityContext`, errors);
  for (const [index, secret] of (spec.imagePullSecrets ?? []).entries()) {
    if ((secret.name ?? '') === '') errors.required(`${path}.imagePullSecrets[${index}].name`);
  }
  validateScheduling(spec, path, errors);
  if ((spec.terminationGracePeriodSeconds ?? 0) < 0) {
    errors.invalid(`${path}.terminationGracePeriodSeconds`, spec.terminationGracePeriodSeconds, 'must be greater than or equal to 0');
  }
  if (spec.serviceAccountName !== undefined) {
    for (const fault of checkDns1123Subdomain(spec.serviceAccountName))
      errors.invalid(`${path}.serviceAccountName`, spec.serviceAccountName, fault);
  }
  if (spec.nodeName !== undefined) {
    for (const fault of checkDns1123Subdomain(spec.nodeName)) errors.invalid(`${path}.nodeName`, spec.nodeName, fault);
  }
  const deadline = spec.activeDeadlineSeconds;
  if (deadline !== undefined && (deadline < 1 || deadline > maximumInt32)) {
    errors.invalid(`${path}.activeDeadlineSeconds`, deadline, `must be between 1 and ${maximumInt32}, inclusive`);
  }
  for (const field of ['hostname', 'subdomain'] as const) {
    const value = spec[field];
    if (value !== undefined) for (const fault of checkDns1123Label(value)) errors.invalid(`${path}.${field}`, value, fault);
  }
  for (const [index, alias] of (spec.hostAliases ?? []).entries()) {
    requireAddress(alias.ip, `${path}.hostAliases[${index}].ip`, errors);
    for (const [nameIndex, name] of (alias.hostnames ?? []).entries()) {
      for (const fault of checkDns1123Subdomain(name)) errors.invalid(`${path}.hostAliases[${index}].hostnames[${nameIndex}]`, name, fault);
    }
  }
  validateExtension(spec, `${path}.berth`, errors);
}

function requireAddress(value: string, path: string, errors: FieldErrors): void {
  if (isIP(value) === 0) errors.invalid(path, value, 'must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)');
}

function validateSecurity(context: PodSecurityContext | undefined, path: string, errors: FieldErrors): void {
  if (context === undefined) return;
  validateId(context.fsGroup, `${path}.fsGroup`, errors);
  validateId(context.runAsUser, `${path}.runAsUser`, errors);
  validateId(context.runAsGroup, `${path}.runAsGroup`, errors);
  for (const [index, group] of (context.supplementalGroups ?? []).entries())
    validateId(group, `${path}.supplementalGroups[${index}]`, errors);
  const names = new Set<string>();
  for (const [index, sysctl] of (context.sysctls ?? []).entries()) {
    const at = `${path}.sysctls[${index}].name`;
    if (sysctl.name === '') errors.required(at);
    else if (!/^[a-z0-9](?:[-_a-z0-9]*[a-z0-9])?(?:[./][a-z0-9](?:[-_a-z0-9]*[a-z0-9])?)*$/.test(sysctl.name.slice(0, 254))) {
      errors.invalid(at, sysctl.name, 'must be the name of a kernel setting, such as net.ipv4.ip_forward');
    }
    if (names.has(sysctl.name)) errors.duplicate(at, sysctl.name);
    names.add(sysctl.name);
  }
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
