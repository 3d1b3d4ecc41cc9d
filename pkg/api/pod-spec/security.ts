/** Rules for whom the processes of a pod run as, and what they may do. */
import type { FieldErrors } from '../field-errors.ts';
import type { AppArmorProfile, PodSecurityContext, PodSpec, SeccompProfile } from '../shapes/types/core-v1.ts';
import { requireOneOf, validateDescendingPath, validateId } from './checks.ts';

const profileTypes = ['Localhost', 'RuntimeDefault', 'Unconfined'];
const longestProfile = 4095;
const longestSetting = 253;
const settingPattern = '^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$';
/** A segment of a kernel setting's name at a time, so that no pattern runs over long input. */
const settingSegment = /^[a-z0-9]([-_a-z0-9]*[a-z0-9])?$/;

/** Settings of the kernel that each network, or each room for messages between processes, has of its own. */
const networkSettings = ['net.'];
const messageSettings = ['kernel.shm', 'kernel.msg', 'kernel.sem', 'fs.mqueue.'];

export function validatePodSecurity(spec: PodSpec, path: string, errors: FieldErrors): void {
  const at = `${path}.securityContext`;
  const context: PodSecurityContext = spec.securityContext ?? {};
  validateId(context.fsGroup, `${at}.fsGroup`, errors);
  validateId(context.runAsUser, `${at}.runAsUser`, errors);
  validateId(context.runAsGroup, `${at}.runAsGroup`, errors);
  for (const [index, group] of (context.supplementalGroups ?? []).entries())
    validateId(group, `${at}.supplementalGroups[${index}]`, errors);
  if (spec.shareProcessNamespace === true && spec.hostPID === true) {
    errors.invalid(`${at}.shareProcessNamespace`, true, 'ShareProcessNamespace and HostPID cannot both be enabled');
  }
  validateSettings(spec, context, `${at}.sysctls`, errors);
  requireOneOf(context.fsGroupChangePolicy, `${at}.fsGroupChangePolicy`, ['Always', 'OnRootMismatch'], errors);
  validateSeccomp(context.seccompProfile, `${at}.seccompProfile`, errors);
  validateAppArmor(context.appArmorProfile, `${at}.appArmorProfile`, errors);
  requireOneOf(context.supplementalGroupsPolicy, `${at}.supplementalGroupsPolicy`, ['Merge', 'Strict'], errors);
  requireOneOf(context.seLinuxChangePolicy, `${at}.seLinuxChangePolicy`, ['MountOption', 'Recursive'], errors);
}

function validateSettings(spec: PodSpec, { sysctls = [] }: PodSecurityContext, path: string, errors: FieldErrors): void {
  const names = new Set<string>();
  for (const [index, { name }] of sysctls.entries()) {
    const at = `${path}[${index}].name`;
    if (name === '') errors.required(at);
    else if (name.length > longestSetting || !name.split(/[./]/).every((segment) => settingSegment.test(segment))) {
      errors.invalid(at, name, `must have at most ${longestSetting} characters and match regex ${settingPattern}`);
    } else if (names.has(name)) errors.duplicate(at, name);
    names.add(name);
    const dotted = name.replaceAll('/', '.');
    const isOf = (prefixes: readonly string[]): boolean => prefixes.some((prefix) => dotted.startsWith(prefix));
    if (spec.hostNetwork === true && isOf(networkSettings)) errors.invalid(at, name, "may not be specified when 'hostNetwork' is true");
    else if (spec.hostIPC === true && isOf(messageSettings)) errors.invalid(at, name, "may not be specified when 'hostIPC' is true");
  }
}

export function validateSeccomp(profile: SeccompProfile | undefined, path: string, errors: FieldErrors): void {
  if (profile === undefined) return;
  const { type, localhostProfile } = profile;
  if (type === '') errors.required(`${path}.type`, 'type is required when seccompProfile is set');
  else requireOneOf(type, `${path}.type`, profileTypes, errors);
  if (type === 'Localhost') {
    if (localhostProfile === undefined) errors.required(`${path}.localhostProfile`, 'must be set when seccomp type is Localhost');
    else validateDescendingPath(localhostProfile, `${path}.localhostProfile`, errors);
  } else if (localhostProfile !== undefined) {
    errors.invalid(`${path}.localhostProfile`, profile, 'can only be set when seccomp type is Localhost');
  }
}

export function validateAppArmor(profile: AppArmorProfile | undefined, path: string, errors: FieldErrors): void {
  if (profile === undefined) return;
  const { type, localhostProfile } = profile;
  const at = `${path}.localhostProfile`;
  if (type === '') errors.required(`${path}.type`, 'type is required when appArmorProfile is set');
  else if (!profileTypes.includes(type)) errors.notSupported(`${path}.type`, type, profileTypes);
  else if (type !== 'Localhost') {
    if (localhostProfile !== undefined) errors.invalid(at, localhostProfile, 'can only be set when AppArmor type is Localhost');
  } else if (localhostProfile === undefined || localhostProfile === '') {
    errors.required(at, 'must be set when AppArmor type is Localhost');
  } else {
    if (localhostProfile.trim() !== localhostProfile) errors.invalid(at, localhostProfile, 'must not be padded with whitespace');
    if (Buffer.byteLength(localhostProfile) > longestProfile) errors.tooLong(at, longestProfile);
  }
}
