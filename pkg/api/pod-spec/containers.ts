/** Rules for containers, in the order in which Kubernetes checks them. */
import type { FieldErrors } from '../field-errors.ts';
import { checkDns1123Label, checkPortName, checkPortNumber, checkQualifiedName } from '../names.ts';
import type { Container, PodSpec, ResourceRequirements, SecurityContext } from '../shapes/types/core-v1.ts';
import { isGreater, requireName, requireOneOf, validateDescendingPath, validateId, validateQuantityNotNegative } from './checks.ts';
import { validateEnvironment } from './environment.ts';
import { validateLifecycle, validateProbes } from './probes.ts';

export interface ContainerContext {
  /** Names of the pod's volumes. */
  readonly volumes: ReadonlySet<string>;
  readonly isHostNetwork: boolean;
  /** Names of the containers before these, to which the checks add: no two containers of a pod share one. */
  readonly names: Set<string>;
}

const protocols = ['SCTP', 'TCP', 'UDP'];
const standardResources = new Set(['cpu', 'memory', 'ephemeral-storage']);

/** Container and ephemeral containers' names must be unique over the whole pod. */
export function validateContainers(spec: PodSpec, volumes: ReadonlySet<string>, path: string, errors: FieldErrors): void {
  const context: ContainerContext = { volumes, isHostNetwork: spec.hostNetwork === true, names: new Set() };
  const containers = spec.containers ?? [];
  if (containers.length === 0) errors.required(`${path}.containers`);
  validateList(containers, `${path}.containers`, context, errors);
  for (const [index, container] of containers.entries()) {
    const at = `${path}.containers[${index}]`;
    validateLifecycle(container, at, errors);
    validateProbes(container, at, errors);
    // Restart policies of single containers are for init containers.
    if (container.restartPolicy !== undefined) errors.forbidden(`${at}.restartPolicy`, 'may not be set for non-init containers');
  }
  validateHostPorts(containers, `${path}.containers`, errors);
  validateInitContainers(spec.initContainers ?? [], `${path}.initContainers`, context, errors);
}

function validateInitContainers(containers: readonly Container[], path: string, context: ContainerContext, errors: FieldErrors): void {
  validateList(containers, path, context, errors);
  for (const [index, container] of containers.entries()) {
    const at = `${path}[${index}]`;
    if (container.restartPolicy !== undefined) requireOneOf(container.restartPolicy, `${at}.restartPolicy`, ['Always'], errors);
    if (container.restartPolicy === 'Always') {
      validateLifecycle(container, at, errors);
      validateProbes(container, at, errors);
      continue;
    }
    const forbidden = ['lifecycle', 'livenessProbe', 'readinessProbe', 'startupProbe'] as const;
    for (const field of forbidden) {
      if (container[field] !== undefined)
        errors.forbidden(`${at}.${field}`, 'may not be set for init containers without restartPolicy=Always');
    }
  }
  validateHostPorts(containers, path, errors);
}

/** What is added to a running pod: nobody waits for it, restarts it, or sends it anything, so that much of a container makes no sense there. */
export function validateEphemeralContainers(spec: PodSpec, path: string, errors: FieldErrors): void {
  const mains = new Set((spec.containers ?? []).map(({ name }) => name));
  const context: ContainerContext = {
    volumes: new Set((spec.volumes ?? []).map(({ name }) => name)),
    isHostNetwork: spec.hostNetwork === true,
    names: new Set([...mains, ...(spec.initContainers ?? []).map(({ name }) => name)]),
  };
  const containers = spec.ephemeralContainers ?? [];
  validateList(containers, path, context, errors);
  const senseless = ['ports', 'livenessProbe', 'readinessProbe', 'startupProbe', 'lifecycle', 'resources', 'restartPolicy'] as const;
  for (const [index, container] of containers.entries()) {
    const at = `${path}[${index}]`;
    for (const field of senseless) {
      const value = container[field];
      if (value === undefined || (typeof value === 'object' && Object.keys(value).length === 0)) continue;
      errors.forbidden(`${at}.${field}`, 'cannot be set for an Ephemeral Container');
    }
    const target = container.targetContainerName;
    if (target !== undefined && target !== '' && !mains.has(target)) errors.notFound(`${at}.targetContainerName`, target);
  }
}

function validateList(containers: readonly Container[], path: string, context: ContainerContext, errors: FieldErrors): void {
  for (const [index, container] of containers.entries()) {
    const at = `${path}[${index}]`;
    validateContainer(container, at, context, errors);
    if (container.name !== '' && context.names.has(container.name)) errors.duplicate(`${at}.name`, container.name);
    context.names.add(container.name);
  }
}

function validateContainer(container: Container, path: string, context: ContainerContext, errors: FieldErrors): void {
  if ((container.name ?? '') === '') errors.required(`${path}.name`);
  else for (const fault of checkDns1123Label(container.name)) errors.invalid(`${path}.name`, container.name, fault);
  const image = container.image ?? '';
  if (image === '') errors.required(`${path}.image`);
  else if (image.trim() !== image) errors.invalid(`${path}.image`, image, 'must not have leading or trailing whitespace');
  requireOneOf(container.terminationMessagePolicy, `${path}.terminationMessagePolicy`, ['FallbackToLogsOnError', 'File'], errors);
  validatePorts(container, path, context, errors);
  validateEnvironment(container, path, errors);
  validateMounts(container, path, context, errors);
  requireOneOf(container.imagePullPolicy, `${path}.imagePullPolicy`, ['Always', 'IfNotPresent', 'Never'], errors);
  validateResources(container.resources, `${path}.resources`, errors);
  validateSecurity(container.securityContext, `${path}.securityContext`, errors);
  validateExtension(container, path, errors);
}

function validatePorts(container: Container, path: string, context: ContainerContext, errors: FieldErrors): void {
  const names = new Set<string>();
  for (const [index, port] of (container.ports ?? []).entries()) {
    const at = `${path}.ports[${index}]`;
    if (port.name !== undefined && port.name !== '') {
      for (const fault of checkPortName(port.name)) errors.invalid(`${at}.name`, port.name, fault);
      if (names.has(port.name)) errors.duplicate(`${at}.name`, port.name);
      names.add(port.name);
    }
    if (port.containerPort === 0) errors.required(`${at}.containerPort`);
    else for (const fault of checkPortNumber(port.containerPort)) errors.invalid(`${at}.containerPort`, port.containerPort, fault);
    if (port.hostPort !== undefined && port.hostPort !== 0) {
      for (const fault of checkPortNumber(port.hostPort)) errors.invalid(`${at}.hostPort`, port.hostPort, fault);
      if (context.isHostNetwork && port.hostPort !== port.containerPort) {
        errors.invalid(`${at}.containerPort`, port.containerPort, 'must match `hostPort` when `hostNetwork` is true');
      }
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
  for (const [index, mount] of (container.volumeMounts ?? []).entries()) {
    const at = `${path}.volumeMounts[${index}]`;
    requireName(mount.name, `${at}.name`, errors);
    if (!context.volumes.has(mount.name)) errors.notFound(`${at}.name`, mount.name);
    if (mount.mountPath === '') errors.required(`${at}.mountPath`);
    if (points.has(mount.mountPath)) errors.invalid(`${at}.mountPath`, mount.mountPath, 'must be unique');
    points.add(mount.mountPath);
    if (mount.subPath !== undefined) validateDescendingPath(mount.subPath, `${at}.subPath`, errors);
    if (mount.subPathExpr !== undefined) {
      if (mount.subPath !== undefined)
        errors.invalid(`${at}.subPathExpr`, mount.subPathExpr, 'subPathExpr and subPath are mutually exclusive');
      validateDescendingPath(mount.subPathExpr, `${at}.subPathExpr`, errors);
    }
    requireOneOf(mount.mountPropagation, `${at}.mountPropagation`, ['Bidirectional', 'HostToContainer', 'None'], errors);
    if (mount.mountPropagation === 'Bidirectional' && container.securityContext?.privileged !== true) {
      errors.forbidden(`${at}.mountPropagation`, 'Bidirectional mount propagation is available only to privileged containers');
    }
  }
}

export function validateResources(resources: ResourceRequirements | undefined, path: string, errors: FieldErrors): void {
  const { limits = {}, requests = {} } = resources ?? {};
  for (const [name, value] of Object.entries(limits)) {
    validateResourceName(name, `${path}.limits`, errors);
    validateQuantityNotNegative(value, `${path}.limits[${name}]`, errors);
  }
  for (const [name, value] of Object.entries(requests)) {
    validateResourceName(name, `${path}.requests`, errors);
    validateQuantityNotNegative(value, `${path}.requests[${name}]`, errors);
    const limit = limits[name];
    if (limit !== undefined && isGreater(value, limit)) {
      errors.invalid(`${path}.requests`, value, `must be less than or equal to ${name} limit of ${limit}`);
    }
  }
}

function validateResourceName(name: string, path: string, errors: FieldErrors): void {
  const faults = checkQualifiedName(name);
  for (const fault of faults) errors.invalid(path, name, fault);
  if (faults.length === 0 && !name.includes('/') && !standardResources.has(name) && !name.startsWith('hugepages-')) {
    errors.invalid(path, name, 'must be a standard resource type or fully qualified');
    errors.invalid(path, name, 'must be a standard resource for containers');
  }
}

function validateSecurity(context: SecurityContext | undefined, path: string, errors: FieldErrors): void {
  if (context === undefined) return;
  validateId(context.runAsUser, `${path}.runAsUser`, errors);
  validateId(context.runAsGroup, `${path}.runAsGroup`, errors);
  requireOneOf(context.procMount, `${path}.procMount`, ['Default', 'Unmasked'], errors);
  if (context.allowPrivilegeEscalation === false && context.privileged === true) {
    errors.invalid(path, context, 'cannot set `allowPrivilegeEscalation` to false and `privileged` to true');
  }
}

function validateExtension(container: Container, path: string, errors: FieldErrors): void {
  const { user, stopSignal } = container.berth ?? {};
  if (user !== undefined && !/^[^\s:]+(?::[^\s:]+)?$/.test(user))
    errors.invalid(`${path}.berth.user`, user, 'must be USER or USER:GROUP, by name or number');
  if (stopSignal !== undefined && !/^(?:SIG)?[A-Z][A-Z0-9+-]*$|^[1-9]\d?$/.test(stopSignal)) {
    errors.invalid(`${path}.berth.stopSignal`, stopSignal, 'must be a signal by name (SIGTERM) or number');
  }
}
