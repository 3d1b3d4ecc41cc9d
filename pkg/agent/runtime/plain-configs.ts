/** Sandboxes and containers that ask for nothing: what tests and benches that speak to a `Runtime` directly build on. */
import type { ContainerConfig, ContainerSecurity, SandboxConfig } from './runtime.ts';

/** The cgroup of plain sandboxes: the process's own, so that several may run at once. Runtimes never remove it. */
export const plainCgroupParent = `/berth-test-${process.pid}`;

/** `overrides` replace whole fields; `pod` and `logDirectory` have no default. */
export function plainSandbox(overrides: Partial<SandboxConfig> & Pick<SandboxConfig, 'pod' | 'logDirectory'>): SandboxConfig {
  return {
    attempt: 0,
    hostname: overrides.pod.name,
    dns: { servers: [], searches: [], options: [] },
    hostPorts: [],
    hostNetwork: false,
    hostPid: false,
    hostIpc: false,
    shareProcessNamespace: false,
    cgroupParent: plainCgroupParent,
    sysctls: {},
    labels: {},
    annotations: {},
    supplementalGroups: [],
    privileged: false,
    ...overrides,
  };
}

/** The security of a container that asks for none: the runtime's default seccomp profile and capabilities, the sandbox's own namespaces. */
export const plainSecurity: ContainerSecurity = {
  privileged: false,
  supplementalGroups: [],
  readOnlyRootFilesystem: false,
  allowPrivilegeEscalation: true,
  addCapabilities: [],
  dropCapabilities: [],
  seccomp: 'RuntimeDefault',
  hostNetwork: false,
  hostPid: false,
  hostIpc: false,
  shareProcessNamespace: false,
};

/** `overrides` replace whole fields; `image` and `command` have no default. */
export function plainContainer(overrides: Partial<ContainerConfig> & Pick<ContainerConfig, 'image' | 'command'>): ContainerConfig {
  return {
    name: 'main',
    attempt: 0,
    args: [],
    workingDirectory: '',
    environment: [],
    mounts: [],
    logPath: 'main.log',
    stdin: false,
    stdinOnce: false,
    tty: false,
    labels: {},
    annotations: {},
    resources: { cpuPeriod: 0, cpuQuota: 0, cpuShares: 0, memoryLimitBytes: 0, oomScoreAdjustment: 0 },
    security: plainSecurity,
    ...overrides,
  };
}
