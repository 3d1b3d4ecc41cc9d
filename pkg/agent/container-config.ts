/** From a pod to what the runtime is told: sandbox and containers. Pure. */
import { milliOf, unitsOf } from '#api/quantity';
import type { Container, Pod } from '#api/shapes/types/core-v1';
import { ContainerConfigError, containerEnvironment, type EnvironmentSources, expandAll } from './environment.ts';
import { allContainersOf, annotation, containerHash, identityOf, qosClassOf } from './pod.ts';
import type { ContainerConfig, ContainerResources, ContainerSecurity, Image, RuntimeMount, SandboxConfig } from './runtime/runtime.ts';

export interface DnsConfig {
  readonly servers: readonly string[];
  readonly searches: readonly string[];
  readonly options: readonly string[];
}

export interface SandboxInput {
  readonly pod: Pod;
  readonly attempt: number;
  readonly logDirectory: string;
  readonly cgroupParent: string;
  readonly dns: DnsConfig;
}

export function sandboxConfig(input: SandboxInput): SandboxConfig {
  const { spec, metadata } = input.pod;
  const security = spec.securityContext ?? {};
  const hostNetwork = spec.hostNetwork === true;
  return {
    pod: identityOf(input.pod),
    attempt: input.attempt,
    hostname: hostNetwork ? '' : hostnameOf(input.pod),
    logDirectory: input.logDirectory,
    dns: input.dns,
    hostPorts: hostNetwork ? [] : hostPortsOf(input.pod),
    hostNetwork,
    hostPid: spec.hostPID === true,
    hostIpc: spec.hostIPC === true,
    shareProcessNamespace: spec.shareProcessNamespace === true,
    cgroupParent: input.cgroupParent,
    sysctls: Object.fromEntries((security.sysctls ?? []).map(({ name, value }) => [name, value])),
    labels: { ...metadata.labels, ...kubernetesLabels(input.pod) },
    annotations: {},
    supplementalGroups: groupsOf(input.pod),
    ...(security.runAsUser === undefined ? {} : { runAsUser: security.runAsUser }),
    ...(security.runAsUser === undefined || security.runAsGroup === undefined ? {} : { runAsGroup: security.runAsGroup }),
    privileged: allContainersOf(input.pod).some((container) => container.securityContext?.privileged === true),
  };
}

/** The name that the pod calls itself. */
export function hostnameOf(pod: Pod): string {
  const { hostname } = pod.spec;
  const name = hostname !== undefined && hostname !== '' ? hostname : (pod.metadata.name ?? '');
  return name.slice(0, 63).replace(/[-.]+$/, '');
}

function hostPortsOf(pod: Pod): SandboxConfig['hostPorts'] {
  return allContainersOf(pod).flatMap((container) =>
    (container.ports ?? [])
      .filter((port) => port.hostPort !== undefined && port.hostPort > 0)
      .map((port) => ({
        protocol: port.protocol === 'UDP' ? ('UDP' as const) : port.protocol === 'SCTP' ? ('SCTP' as const) : ('TCP' as const),
        containerPort: port.containerPort,
        hostPort: port.hostPort!,
        hostAddress: port.hostIP ?? '',
      })),
  );
}

/** The labels by which tools (crictl, cAdvisor) know a pod's parts. */
function kubernetesLabels(pod: Pod): Record<string, string> {
  const { namespace, name, uid } = identityOf(pod);
  return { 'io.kubernetes.pod.namespace': namespace, 'io.kubernetes.pod.name': name, 'io.kubernetes.pod.uid': uid };
}

function groupsOf(pod: Pod): readonly number[] {
  const { supplementalGroups = [], fsGroup } = pod.spec.securityContext ?? {};
  return [...new Set([...supplementalGroups, ...(fsGroup === undefined ? [] : [fsGroup])])];
}

export interface ContainerInput {
  readonly pod: Pod;
  readonly container: Container;
  readonly attempt: number;
  readonly backoffMilliseconds: number;
  readonly image: Image;
  readonly mounts: readonly RuntimeMount[];
  readonly sources: EnvironmentSources;
  /** The id of the container in whose PID namespace it is to run. */
  readonly processTarget?: string;
  /** Of the machine, in bytes: a share of it is what a burstable container's score depends on. */
  readonly memoryCapacity: number;
}

/** Throws `ContainerConfigError`. */
export function containerConfig(input: ContainerInput): ContainerConfig {
  const { pod, container } = input;
  const environment = containerEnvironment(pod, container, input.sources);
  return {
    name: container.name,
    attempt: input.attempt,
    image: input.image.id,
    command: expandAll(container.command, environment),
    args: expandAll(container.args, environment),
    workingDirectory: container.workingDir ?? '',
    environment,
    mounts: input.mounts,
    logPath: logPathOf(container.name, input.attempt),
    stdin: container.stdin === true,
    stdinOnce: container.stdinOnce === true,
    tty: container.tty === true,
    labels: { ...kubernetesLabels(pod), 'io.kubernetes.container.name': container.name },
    annotations: { [annotation.hash]: containerHash(container), [annotation.backoff]: String(input.backoffMilliseconds) },
    resources: resourcesOf(pod, container, input.memoryCapacity),
    security: {
      ...securityOf(pod, container, input.image),
      ...(input.processTarget === undefined ? {} : { processTarget: input.processTarget }),
    },
  };
}

/** Relative to the pod's log directory. */
export function logPathOf(container: string, attempt: number): string {
  return `${container}/${attempt}.log`;
}

const cpuPeriod = 100_000;

export function resourcesOf(pod: Pod, container: Container, memoryCapacity: number): ContainerResources {
  const { limits = {}, requests = {} } = container.resources ?? {};
  const cpuLimit = limits.cpu === undefined ? 0 : milliOf(limits.cpu);
  const cpuRequest = requests.cpu === undefined ? cpuLimit : milliOf(requests.cpu);
  const memoryRequest = requests.memory ?? limits.memory;
  return {
    cpuPeriod: cpuLimit > 0 ? cpuPeriod : 0,
    cpuQuota: cpuLimit > 0 ? Math.max(1000, Math.round((cpuLimit * cpuPeriod) / 1000)) : 0,
    cpuShares: sharesOf(cpuRequest),
    memoryLimitBytes: limits.memory === undefined ? 0 : unitsOf(limits.memory),
    oomScoreAdjustment: oomScore(pod, memoryRequest === undefined ? 0 : unitsOf(memoryRequest), memoryCapacity),
  };
}

/** The kernel's CPU weight (v1 shares) for thousandths of a CPU. */
export function sharesOf(milliCpu: number): number {
  return Math.min(262_144, Math.max(2, Math.floor((milliCpu * 1024) / 1000)));
}

function oomScore(pod: Pod, memoryRequest: number, memoryCapacity: number): number {
  switch (qosClassOf(pod)) {
    case 'Guaranteed':
      return -997;
    case 'BestEffort':
      return 1000;
    case 'Burstable':
      return Math.min(999, Math.max(3, Math.round(1000 - (1000 * memoryRequest) / Math.max(1, memoryCapacity))));
  }
}

function securityOf(pod: Pod, container: Container, image: Image): ContainerSecurity {
  const outer = pod.spec.securityContext ?? {};
  const inner = container.securityContext ?? {};
  const user = userOf(pod, container);
  const nonRoot = inner.runAsNonRoot ?? outer.runAsNonRoot ?? false;
  if (nonRoot) refuseRoot(container, user, image);
  const seccomp = inner.seccompProfile?.type ?? outer.seccompProfile?.type;
  return {
    privileged: inner.privileged === true,
    ...user,
    supplementalGroups: groupsOf(pod),
    readOnlyRootFilesystem: inner.readOnlyRootFilesystem === true,
    allowPrivilegeEscalation: inner.allowPrivilegeEscalation !== false,
    addCapabilities: inner.capabilities?.add ?? [],
    dropCapabilities: inner.capabilities?.drop ?? [],
    seccomp: seccomp === 'RuntimeDefault' ? 'RuntimeDefault' : 'Unconfined',
    hostNetwork: pod.spec.hostNetwork === true,
    hostPid: pod.spec.hostPID === true,
    hostIpc: pod.spec.hostIPC === true,
    shareProcessNamespace: pod.spec.shareProcessNamespace === true,
  };
}

type User = Pick<ContainerSecurity, 'runAsUser' | 'runAsGroup' | 'runAsUserName'>;

/** `berth.user` (Compose's `user`: a name or number, with a group after a colon) wins over the security context. */
function userOf(pod: Pod, container: Container): User {
  const outer = pod.spec.securityContext ?? {};
  const inner = container.securityContext ?? {};
  const named = container.berth?.user;
  if (named !== undefined && named !== '') {
    const [user = '', group] = named.split(':');
    if (group !== undefined && !/^\d+$/.test(group)) {
      throw new ContainerConfigError(
        `user "${named}" of container ${container.name}: the group must be a number, names of groups are not known to the runtime`,
      );
    }
    return {
      ...(/^\d+$/.test(user) ? { runAsUser: Number(user) } : { runAsUserName: user }),
      ...(group === undefined ? {} : { runAsGroup: Number(group) }),
    };
  }
  const runAsUser = inner.runAsUser ?? outer.runAsUser;
  const runAsGroup = inner.runAsGroup ?? outer.runAsGroup;
  return { ...(runAsUser === undefined ? {} : { runAsUser }), ...(runAsGroup === undefined ? {} : { runAsGroup }) };
}

function refuseRoot(container: Container, user: User, image: Image): void {
  const number = user.runAsUser ?? (user.runAsUserName === undefined ? image.uid : undefined);
  if (number === 0 || (number === undefined && image.userName === '' && user.runAsUserName === undefined)) {
    throw new ContainerConfigError(`container has runAsNonRoot and image will run as root (container: ${container.name})`);
  }
  if (number === undefined) {
    const name = user.runAsUserName ?? image.userName;
    throw new ContainerConfigError(
      `container has runAsNonRoot and image has non-numeric user (${name}), cannot verify user is non-root (container: ${container.name})`,
    );
  }
}

export interface NodeDns {
  /** Berth's own server on this node; undefined until the node's network is up. */
  readonly server: string | undefined;
  readonly domain: string;
  /** What the machine itself uses. */
  readonly host: DnsConfig;
}

/**
 * The pod's resolver by `dnsPolicy`. Pods of Compose networks ask for bare names as they are, and search only what the machine does, as with Docker: some
 * resolvers (busybox's nslookup) never ask for the bare name where there is anything to search.
 */
export function dnsOf(pod: Pod, node: NodeDns): DnsConfig {
  const { dnsPolicy = 'ClusterFirst', dnsConfig, hostNetwork } = pod.spec;
  const own = dnsConfig?.options?.map(({ name = '', value }) => (value === undefined ? name : `${name}:${value}`)) ?? [];
  const base = baseDns(pod, dnsPolicy, hostNetwork === true, node);
  const options = new Map<string, string>();
  for (const option of [...base.options, ...own]) options.set(option.split(':')[0]!, option);
  return {
    servers: [...new Set([...base.servers, ...(dnsConfig?.nameservers ?? [])])].slice(0, 3),
    searches: [...new Set([...base.searches, ...(dnsConfig?.searches ?? [])])],
    options: [...options.values()],
  };
}

function baseDns(pod: Pod, policy: string, hostNetwork: boolean, node: NodeDns): DnsConfig {
  if (policy === 'None') return { servers: [], searches: [], options: [] };
  const cluster = policy === 'ClusterFirstWithHostNet' || (policy === 'ClusterFirst' && !hostNetwork);
  if (!cluster || node.server === undefined) return node.host;
  const compose = (pod.spec.berth?.networks?.length ?? 0) > 0;
  return {
    servers: [node.server],
    searches: [
      ...(compose ? [] : [`${pod.metadata.namespace}.svc.${node.domain}`, `svc.${node.domain}`, node.domain]),
      ...node.host.searches,
    ],
    options: [compose ? 'ndots:0' : 'ndots:5'],
  };
}

/** The pod's `/etc/hosts`: itself (or, on the host's network, what the host says: `base`), and what `hostAliases` says. */
export function hostsFile(pod: Pod, addresses: readonly string[], domain: string, base?: string): string {
  const own = base === undefined ? ownHosts(pod, addresses, domain) : [base.trimEnd()];
  const aliases = (pod.spec.hostAliases ?? []).map(({ ip, hostnames }) => [ip, ...(hostnames ?? [])].join('\t'));
  return `${[...own, ...aliases].join('\n')}\n`;
}

function ownHosts(pod: Pod, addresses: readonly string[], domain: string): string[] {
  const lines = ['# Made by Berth for this pod.', '127.0.0.1\tlocalhost', '::1\tlocalhost ip6-localhost ip6-loopback'];
  const hostname = hostnameOf(pod);
  const { subdomain } = pod.spec;
  for (const address of addresses) {
    const full = subdomain === undefined || subdomain === '' ? [] : [`${hostname}.${subdomain}.${pod.metadata.namespace}.svc.${domain}`];
    lines.push([address, ...full, hostname].join('\t'));
  }
  return lines;
}
