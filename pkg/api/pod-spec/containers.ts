/** Rules for containers, in the order in which Kubernetes checks them. */
import type { FieldErrors } from '../field-errors.ts';
import { checkDns1123Label, checkPortName, checkPortNumber } from '../names.ts';
import type { Container, PodSpec, SecurityContext, VolumeMount } from '../shapes/types/core-v1.ts';
import { requireName, requireOneOf, validateDescendingPath, validateId } from './checks.ts';
import { validateEnvironment } from './environment.ts';
import { validateLifecycle, validateProbes } from './probes.ts';
import { validateResources } from './resources.ts';
import { validateAppArmor, validateSeccomp } from './security.ts';

interface ContainerContext {
  /** Names of the pod's volumes. */
  readonly volumes: ReadonlySet<string>;
  /** The pod's. */
  readonly restartPolicy: string | undefined;
  /** Names of the containers before these, to which the checks add: no two containers of a pod share one. */
  readonly names: Set<string>;
}

const protocols = ['SCTP', 'TCP', 'UDP'];
const restartsOfResize = ['NotRequired', 'RestartContainer'];

/** Main and init containers. Each name is there once in the whole pod. */
export function validateContainers(spec: PodSpec, volumes: ReadonlySet<string>, path: string, errors: FieldErrors): void {
  const context: ContainerContext = { volumes, names: new Set(), restartPolicy: spec.restartPolicy };
  const grace = spec.terminationGracePeriodSeconds;
  const containers = spec.containers ?? [];
  if (containers.length === 0) errors.required(`${path}.containers`);
  for (const [index, container] of containers.entries()) {
    const at = `${path}.containers[${index}]`;
    validateContainer(container, at, context, errors);
    requireNewName(container, at, context, errors);
    validateLifecycle(container, grace, at, errors);
    validateProbes(container, at, errors);
    // Restart policies of single containers are for init containers.
    if (container.restartPolicy !== undefined) errors.forbidden(`${at}.restartPolicy`, 'may not be set for non-init containers');
  }
  validateHostPorts(containers, `${path}.containers`, errors);
  validateInitContainers(spec, context, `${path}.initContainers`, errors);
  if (spec.hostNetwork === true) validateHostNetwork(containers, `${path}.containers`, errors);
}

function validateInitContainers(spec: PodSpec, context: ContainerContext, path: string, errors: FieldErrors): void {
  for (const [index, container] of (spec.initContainers ?? []).entries()) {
    const at = `${path}[${index}]`;
    validateContainer(container, at, context, errors);
    if (container.restartPolicy !== undefined) requireOneOf(container.restartPolicy, `${at}.restartPolicy`, ['Always'], errors);
    requireNewName(container, at, context, errors);
    // One runs after the other, so that they may use the same ports.
    validateHostPorts([container], path, errors);
    if (container.restartPolicy === 'Always') {
      validateLifecycle(container, spec.terminationGracePeriodSeconds, at, errors);
      validateProbes(container, at, errors);
      continue;
    }
    const forbidden = ['lifecycle', 'livenessProbe', 'readinessProbe', 'startupProbe'] as const;
    for (const field of forbidden) {
      if (container[field] !== undefined)
        errors.forbidden(`${at}.${field}`, 'may not be set for init containers without restartPolicy=Always');
    }
  }
}

function requireNewName({ name }: Container, path: string, context: ContainerContext, errors: FieldErrors): void {
  if (name !== '' && context.names.has(name)) errors.duplicate(`${path}.name`, name);
  context.names.add(name);
}

/** On the node's network a container listens where it listens. */
function validateHostNetwork(containers: readonly Container[], path: string, errors: FieldErrors): void {
  for (const [index, { ports = [] }] of containers.entries()) {
    for (const [position, { hostPort = 0, containerPort }] of ports.entries()) {
      if (hostPort !== containerPort) {
        const at = `${path}[${index}].ports[${position}].hostPort`;
        errors.invalid(at, hostPort, 'must match `containerPort` when `hostNetwork` is true');
      }
    }
  }
}

/** What is added to a running pod: nobody waits for it, restarts it, or sends it anything, so that much of a container makes no sense there. */
export function validateEphemeralContainers(spec: PodSpec, path: string, errors: FieldErrors): void {
  const targets = new Set([...(spec.containers ?? []), ...(spec.initContainers ?? [])].map(({ name }) => name));
  const context: ContainerContext = {
    volumes: new Set((spec.volumes ?? []).map(({ name }) => name)),
    restartPolicy: spec.restartPolicy,
    names: new Set(targets),
  };
  const senseless = [
    'ports',
    'resources',
    'resizePolicy',
    'restartPolicy',
    'livenessProbe',
    'readinessProbe',
    'startupProbe',
    'lifecycle',
  ] as const;
  for (const [index, container] of (spec.ephemeralContainers ?? []).entries()) {
    const at = `${path}[${index}]`;
    validateContainer(container, at, context, errors);
    requireTrimmed(container, at, errors);
    requireNewName(container, at, context, errors);
    const target = container.targetContainerName;
    if (target !== undefined && target !== '' && !targets.has(target)) errors.notFound(`${at}.targetContainerName`, target);
    for (const field of senseless) {
      const value = container[field];
      if (value === undefined || (typeof value === 'object' && Object.keys(value).length === 0)) continue;
      errors.forbidden(`${at}.${field}`, 'cannot be set for an Ephemeral Container');
    }
    for (const [position, mount] of (container.volumeMounts ?? []).entries()) {
      for (const field of ['subPath', 'subPathExpr'] as const) {
        if ((mount[field] ?? '') !== '')
          errors.forbidden(`${at}.volumeMounts[${position}].${field}`, 'cannot be set for an Ephemeral Container');
      }
    }
  }
}

/** Templates may have a placeholder of spaces for their image, pods not. */
export function requireTrimmedImages({ containers = [], initContainers = [] }: PodSpec, path: string, errors: FieldErrors): void {
  for (const [index, container] of containers.entries()) requireTrimmed(container, `${path}.containers[${index}]`, errors);
  for (const [index, container] of initContainers.entries()) requireTrimmed(container, `${path}.initContainers[${index}]`, errors);
}

function requireTrimmed({ image = '' }: Container, path: string, errors: FieldErrors): void {
  if (image.trim() !== image) errors.invalid(`${path}.image`, image, 'must not have leading or trailing whitespace');
}

function validateContainer(container: Container, path: string, context: ContainerContext, errors: FieldErrors): void {
  if ((container.name ?? '') === '') errors.required(`${path}.name`);
  else for (const fault of checkDns1123Label(container.name)) errors.invalid(`${path}.name`, container.name, fault);
  if ((container.image ?? '') === '') errors.required(`${path}.image`);
  requireOneOf(container.terminationMessagePolicy, `${path}.terminationMessagePolicy`, ['File', 'FallbackToLogsOnError'], errors);
  validatePorts(container, path, errors);
  validateEnvironment(container, path, errors);
  validateMounts(container, path, context, errors);
  requireOneOf(container.imagePullPolicy, `${path}.imagePullPolicy`, ['Always', 'IfNotPresent', 'Never'], errors);
  validateResources(container.resources, `${path}.resources`, errors);
  validateResizePolicy(container, context.restartPolicy, `${path}.resizePolicy`, errors);
  validateSecurity(container.securityContext, `${path}.securityContext`, errors);
  validateExtension(container, path, errors);
}

function validatePorts(container: Container, path: string, errors: FieldErrors): void {
  const names = new Set<string>();
  for (const [index, port] of (container.ports ?? []).entries()) {
    const at = `${path}.ports[${index}]`;
    if (port.name !== undefined && port.name !== '') {
      const faults = checkPortName(port.name);
      for (const fault of faults) errors.invalid(`${at}.name`, port.name, fault);
      if (faults.length === 0 && names.has(port.name)) errors.duplicate(`${at}.name`, port.name);
      names.add(port.name);
    }
    if (port.containerPort === 0) errors.required(`${at}.containerPort`);
    else for (const fault of checkPortNumber(port.containerPort)) errors.invalid(`${at}.containerPort`, port.containerPort, fault);
    if (port.hostPort !== undefined && port.hostPort !== 0) {
      for (const fault of checkPortNumber(port.hostPort)) errors.invalid(`${at}.hostPort`, port.hostPort, fault);
    }
    requireOneOf(port.protocol, `${at}.protocol`, protocols, errors);
  }
}

function validateHostPorts(containers: readonly Container[], path: string, errors: FieldErrors): void {
  const taken = new Set<string>();
  for (const [containerIndex, container] of containers.entries()) {
    for (const [index, port] of (container.ports ?? []).entries()) {
      if (port.hostPort === undefined || port.hostPort === 0) continue;
      const key = `${port.protocol ?? 'TCP'}/${port.hostIP ?? ''}/${port.hostPort}`;
      if (taken.has(key)) errors.duplicate(`${path}[${containerIndex}].ports[${index}].hostPort`, key);
      taken.add(key);
    }
  }
}

function validateMounts(container: Container, path: string, context: ContainerContext, errors: FieldErrors): void {
  const points = new Set<string>();
  // Kubernetes names the list, not the mount, for some faults.
  const whole = `${path}.volumeMounts`;
  for (const [index, mount] of (container.volumeMounts ?? []).entries()) {
    const at = `${path}.volumeMounts[${index}]`;
    requireName(mount.name, `${at}.name`, errors);
    if (!context.volumes.has(mount.name)) errors.notFound(`${at}.name`, mount.name);
    if (mount.mountPath === '') errors.required(`${at}.mountPath`);
    if (points.has(mount.mountPath)) errors.invalid(`${at}.mountPath`, mount.mountPath, 'must be unique');
    points.add(mount.mountPath);
    const { subPath = '', subPathExpr = '', mountPropagation } = mount;
    if (subPath !== '') validateDescendingPath(subPath, `${whole}.subPath`, errors);
    if (subPathExpr !== '') {
      if (subPath !== '') errors.invalid(`${at}.subPathExpr`, subPathExpr, 'subPathExpr and subPath are mutually exclusive');
      validateDescendingPath(subPathExpr, `${whole}.subPathExpr`, errors);
    }
    requireOneOf(mountPropagation, `${whole}.mountPropagation`, ['Bidirectional', 'HostToContainer', 'None'], errors);
    if (mountPropagation === 'Bidirectional' && container.securityContext?.privileged !== true) {
      errors.forbidden(`${whole}.mountPropagation`, 'Bidirectional mount propagation is available only to privileged containers');
    }
    validateReadOnly(mount, `${whole}.recursiveReadOnly`, errors);
  }
}

function validateReadOnly(
  { recursiveReadOnly, readOnly, mountPropagation = 'None' }: VolumeMount,
  path: string,
  errors: FieldErrors,
): void {
  requireOneOf(recursiveReadOnly, path, ['Disabled', 'Enabled', 'IfPossible'], errors);
  if (recursiveReadOnly !== 'Enabled' && recursiveReadOnly !== 'IfPossible') return;
  if (readOnly !== true) errors.forbidden(path, 'may only be specified when readOnly is true');
  if (mountPropagation !== 'None') errors.forbidden(path, 'may only be specified when mountPropagation is None or not specified');
}

function validateResizePolicy(
  { resizePolicy = [] }: Container,
  podRestartPolicy: string | undefined,
  path: string,
  errors: FieldErrors,
): void {
  const seen = new Set<string>();
  for (const [index, { resourceName, restartPolicy }] of resizePolicy.entries()) {
    if (seen.has(resourceName)) errors.duplicate(`${path}[${index}]`, resourceName);
    seen.add(resourceName);
    if (resourceName === '') errors.required(path);
    else requireOneOf(resourceName, path, ['cpu', 'memory'], errors);
    if (restartPolicy === '') errors.required(path);
    else requireOneOf(restartPolicy, path, restartsOfResize, errors);
    if (podRestartPolicy === 'Never' && restartPolicy !== 'NotRequired') {
      errors.invalid(path, restartPolicy, "must be 'NotRequired' when `restartPolicy` is 'Never'");
    }
  }
}

function validateSecurity(context: SecurityContext | undefined, path: string, errors: FieldErrors): void {
  if (context === undefined) return;
  validateId(context.runAsUser, `${path}.runAsUser`, errors);
  validateId(context.runAsGroup, `${path}.runAsGroup`, errors);
  requireOneOf(context.procMount, `${path}.procMount`, ['Default', 'Unmasked'], errors);
  validateSeccomp(context.seccompProfile, `${path}.seccompProfile`, errors);
  if (context.allowPrivilegeEscalation === false && context.privileged === true) {
    errors.invalid(path, context, 'cannot set `allowPrivilegeEscalation` to false and `privileged` to true');
  }
  if (context.allowPrivilegeEscalation === false && context.capabilities?.add?.includes('CAP_SYS_ADMIN') === true) {
    errors.invalid(path, context, 'cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN');
  }
  validateAppArmor(context.appArmorProfile, `${path}.appArmorProfile`, errors);
}

function validateExtension(container: Container, path: string, errors: FieldErrors): void {
  const { user, stopSignal } = container.berth ?? {};
  if (user !== undefined && !/^[^\s:]+(?::[^\s:]+)?$/.test(user))
    errors.invalid(`${path}.berth.user`, user, 'must be USER or USER:GROUP, by name or number');
  if (stopSignal !== undefined && !/^(?:SIG)?[A-Z][A-Z0-9+-]*$|^[1-9]\d?$/.test(stopSignal)) {
    errors.invalid(`${path}.berth.stopSignal`, stopSignal, 'must be a signal by name (SIGTERM) or number');
  }
}
