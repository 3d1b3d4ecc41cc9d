/** Between the runtime's nouns (runtime.ts) and CRI's messages: pure, and the only file that knows both. */
import type {
  Container,
  ContainerConfig,
  ContainerResources,
  ContainerSecurity,
  ContainerState,
  ContainerStats,
  ContainerStatus,
  Image,
  PodIdentity,
  RuntimeMount,
  Sandbox,
  SandboxConfig,
} from '../runtime.ts';
import * as cri from './generated/runtime.ts';
import { shortMessage } from './short-message.ts';

export const managedLabel = 'io.berth.managed';
/** Which agent's it is: two agents on one runtime do not touch each other's. */
export const instanceLabel = 'io.berth.node';
const podNameLabel = 'io.kubernetes.pod.name';
const podNamespaceLabel = 'io.kubernetes.pod.namespace';
const podUidLabel = 'io.kubernetes.pod.uid';
const containerNameLabel = 'io.kubernetes.container.name';
const attemptAnnotation = 'io.berth.container.attempt';

/** What every list is narrowed to. */
export function ownLabels(instance: string): Record<string, string> {
  return { [managedLabel]: 'true', [instanceLabel]: instance };
}

export function isOwn(labels: Readonly<Record<string, string>>, instance: string): boolean {
  return labels[managedLabel] === 'true' && labels[instanceLabel] === instance;
}

function podLabels(pod: PodIdentity): Record<string, string> {
  return { [podNameLabel]: pod.name, [podNamespaceLabel]: pod.namespace, [podUidLabel]: pod.uid };
}

function podOf(labels: Readonly<Record<string, string>>): PodIdentity {
  return { namespace: labels[podNamespaceLabel] ?? '', name: labels[podNameLabel] ?? '', uid: labels[podUidLabel] ?? '' };
}

export function toSandboxConfig(config: SandboxConfig, instance: string): cri.PodSandboxConfig {
  return cri.PodSandboxConfig.fromPartial({
    metadata: { name: config.pod.name, uid: config.pod.uid, namespace: config.pod.namespace, attempt: config.attempt },
    hostname: config.hostNetwork ? '' : config.hostname,
    logDirectory: config.logDirectory,
    dnsConfig: { servers: [...config.dns.servers], searches: [...config.dns.searches], options: [...config.dns.options] },
    portMappings: config.hostPorts.map((port) => ({
      protocol: cri.Protocol[port.protocol],
      containerPort: port.containerPort,
      hostPort: port.hostPort,
      hostIp: port.hostAddress,
    })),
    labels: { ...config.labels, ...podLabels(config.pod), ...ownLabels(instance) },
    annotations: config.annotations,
    linux: {
      cgroupParent: config.cgroupParent,
      sysctls: config.sysctls,
      securityContext: {
        namespaceOptions: namespaces(config),
        ...(config.runAsUser === undefined ? {} : { runAsUser: { value: BigInt(config.runAsUser) } }),
        ...(config.runAsGroup === undefined ? {} : { runAsGroup: { value: BigInt(config.runAsGroup) } }),
        supplementalGroups: config.supplementalGroups.map(BigInt),
        privileged: config.privileged,
        seccomp: seccompProfile(config.privileged ? 'Unconfined' : 'RuntimeDefault'),
      },
    },
  });
}

function namespaces(
  config: Pick<ContainerSecurity, 'hostNetwork' | 'hostPid' | 'hostIpc' | 'shareProcessNamespace' | 'processTarget'>,
): cri.NamespaceOption {
  const { processTarget } = config;
  return {
    network: config.hostNetwork ? cri.NamespaceMode.NODE : cri.NamespaceMode.POD,
    pid: pidMode(config),
    ipc: config.hostIpc ? cri.NamespaceMode.NODE : cri.NamespaceMode.POD,
    targetId: processTarget ?? '',
  };
}

function pidMode({
  hostPid,
  shareProcessNamespace,
  processTarget,
}: Pick<ContainerSecurity, 'hostPid' | 'shareProcessNamespace' | 'processTarget'>): cri.NamespaceMode {
  if (processTarget !== undefined) return cri.NamespaceMode.TARGET;
  if (hostPid) return cri.NamespaceMode.NODE;
  return shareProcessNamespace ? cri.NamespaceMode.POD : cri.NamespaceMode.CONTAINER;
}

function seccompProfile(profile: 'RuntimeDefault' | 'Unconfined'): { profileType: cri.SecurityProfile_ProfileType } {
  return { profileType: cri.SecurityProfile_ProfileType[profile] };
}

export function toContainerConfig(config: ContainerConfig, sandbox: SandboxConfig, instance: string): cri.ContainerConfig {
  return cri.ContainerConfig.fromPartial({
    metadata: { name: config.name, attempt: config.attempt },
    image: { image: config.image },
    command: [...config.command],
    args: [...config.args],
    workingDir: config.workingDirectory,
    envs: config.environment.map(({ name, value }) => ({ key: name, value })),
    mounts: config.mounts.map(toMount),
    labels: { ...config.labels, ...podLabels(sandbox.pod), ...ownLabels(instance), [containerNameLabel]: config.name },
    annotations: { ...config.annotations, [attemptAnnotation]: String(config.attempt) },
    logPath: config.logPath,
    stdin: config.stdin,
    stdinOnce: config.stdinOnce,
    tty: config.tty,
    linux: { resources: toResources(config.resources), securityContext: toSecurityContext(config.security) },
  });
}

function toMount(mount: RuntimeMount): cri.Mount {
  const propagation = {
    None: cri.MountPropagation.PROPAGATION_PRIVATE,
    HostToContainer: cri.MountPropagation.PROPAGATION_HOST_TO_CONTAINER,
    Bidirectional: cri.MountPropagation.PROPAGATION_BIDIRECTIONAL,
  }[mount.propagation];
  return { containerPath: mount.containerPath, hostPath: mount.hostPath, readonly: mount.readOnly, selinuxRelabel: false, propagation };
}

export function toResources(resources: ContainerResources): cri.LinuxContainerResources {
  return cri.LinuxContainerResources.fromPartial({
    cpuPeriod: BigInt(resources.cpuPeriod),
    cpuQuota: BigInt(resources.cpuQuota),
    cpuShares: BigInt(resources.cpuShares),
    memoryLimitInBytes: BigInt(resources.memoryLimitBytes),
    oomScoreAdj: BigInt(resources.oomScoreAdjustment),
  });
}

function toSecurityContext(security: ContainerSecurity): cri.LinuxContainerSecurityContext {
  return cri.LinuxContainerSecurityContext.fromPartial({
    capabilities: { addCapabilities: [...security.addCapabilities], dropCapabilities: [...security.dropCapabilities] },
    privileged: security.privileged,
    namespaceOptions: namespaces(security),
    ...(security.runAsUser === undefined ? {} : { runAsUser: { value: BigInt(security.runAsUser) } }),
    ...(security.runAsGroup === undefined ? {} : { runAsGroup: { value: BigInt(security.runAsGroup) } }),
    runAsUsername: security.runAsUserName ?? '',
    readonlyRootfs: security.readOnlyRootFilesystem,
    supplementalGroups: security.supplementalGroups.map(BigInt),
    noNewPrivs: !security.allowPrivilegeEscalation,
    seccomp: seccompProfile(security.privileged ? 'Unconfined' : security.seccomp),
  });
}

export function fromSandbox(sandbox: cri.PodSandbox | cri.PodSandboxStatus): Sandbox {
  return {
    id: sandbox.id,
    pod: podOf(sandbox.labels),
    attempt: sandbox.metadata?.attempt ?? 0,
    state: sandbox.state === cri.PodSandboxState.SANDBOX_READY ? 'Ready' : 'NotReady',
    createdAt: milliseconds(sandbox.createdAt),
    labels: sandbox.labels,
    annotations: sandbox.annotations,
  };
}

export function addressesOf(status: cri.PodSandboxStatus): string[] {
  const all = [status.network?.ip ?? '', ...(status.network?.additionalIps ?? []).map(({ ip }) => ip)];
  return all.filter((address) => address !== '');
}

/** From the verbose part of a sandbox's status, as containerd writes it; undefined where it says nothing. */
export function networkNamespaceOf(info: Readonly<Record<string, string>>): string | undefined {
  const text = info.info;
  if (text === undefined) return undefined;
  let parsed: { runtimeSpec?: { linux?: { namespaces?: readonly { type?: string; path?: string }[] } } };
  try {
    parsed = JSON.parse(text);
  } catch {
    return undefined;
  }
  const path = parsed.runtimeSpec?.linux?.namespaces?.find((namespace) => namespace.type === 'network')?.path;
  return path === '' ? undefined : path;
}

const states: Readonly<Record<number, ContainerState>> = { 0: 'Created', 1: 'Running', 2: 'Exited' };

export function fromContainer(container: cri.Container): Container {
  return {
    id: container.id,
    sandboxId: container.podSandboxId,
    pod: podOf(container.labels),
    name: container.labels[containerNameLabel] ?? container.metadata?.name ?? '',
    attempt: container.metadata?.attempt ?? 0,
    state: states[container.state] ?? 'Unknown',
    createdAt: milliseconds(container.createdAt),
    image: container.image?.image ?? '',
    labels: container.labels,
    annotations: container.annotations,
  };
}

/** `sandboxId` is not part of CRI's status: it comes from the list, or from the verbose part. */
export function fromContainerStatus(status: cri.ContainerStatus, sandboxId: string): ContainerStatus {
  const exited = status.state === cri.ContainerState.CONTAINER_EXITED;
  return {
    id: status.id,
    sandboxId,
    pod: podOf(status.labels),
    name: status.labels[containerNameLabel] ?? status.metadata?.name ?? '',
    attempt: status.metadata?.attempt ?? 0,
    state: states[status.state] ?? 'Unknown',
    createdAt: milliseconds(status.createdAt),
    image: status.image?.image ?? '',
    labels: status.labels,
    annotations: status.annotations,
    startedAt: status.startedAt === 0n ? undefined : milliseconds(status.startedAt),
    // containerd notes the start once it has returned: a short program's end comes before it by a moment.
    finishedAt: exited && status.finishedAt !== 0n ? milliseconds(latest(status.finishedAt, status.startedAt)) : undefined,
    exitCode: exited ? status.exitCode : undefined,
    reason: status.reason,
    message: shortMessage(status.message),
    imageId: status.imageRef,
    logPath: status.logPath,
  };
}

/** Undefined: the container has no figures (it has just ended). */
export function fromStats(stats: cri.ContainerStats): ContainerStats | undefined {
  const { attributes, cpu, memory } = stats;
  if (attributes === undefined || cpu === undefined || memory === undefined) return undefined;
  return {
    id: attributes.id,
    pod: podOf(attributes.labels),
    name: attributes.labels[containerNameLabel] ?? attributes.metadata?.name ?? '',
    timestamp: milliseconds(cpu.timestamp),
    cpuUsageNanoseconds: cpu.usageCoreNanoSeconds?.value ?? 0n,
    memoryWorkingSetBytes: Number(memory.workingSetBytes?.value ?? 0n),
    memoryUsageBytes: Number(memory.usageBytes?.value ?? memory.workingSetBytes?.value ?? 0n),
    diskUsedBytes: Number(stats.writableLayer?.usedBytes?.value ?? 0n),
  };
}

export function fromImage(image: cri.Image, pinned: (tag: string) => boolean): Image {
  return {
    id: image.id,
    tags: image.repoTags,
    digests: image.repoDigests,
    size: Number(image.size),
    uid: image.uid === undefined ? undefined : Number(image.uid.value),
    userName: image.username,
    pinned: image.pinned || image.repoTags.some(pinned),
  };
}

function latest(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}

function milliseconds(nanoseconds: bigint): number {
  return Number(nanoseconds / 1_000_000n);
}
