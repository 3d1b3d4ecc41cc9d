/**
 * What the agent needs of a container runtime, in CRI's nouns. Drivers: `cri/` (containerd, CRI-O), `fake/` (scripted by
 * data), later `docker/`; one suite (`runtime.suite.ts`) runs over all. Invariant: only what carries Berth's label
 * (`io.berth.managed`, set by the driver) is ever listed or touched. Pods, probes, restarts and volumes are the agent's matter, not a driver's.
 */

export interface RuntimeInfo {
  /** e.g. `containerd`. */
  readonly name: string;
  readonly version: string;
}

/** What names a pod on the node; part of every sandbox and container, so that a restarted agent can adopt them. */
export interface PodIdentity {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
}

export interface SandboxConfig {
  readonly pod: PodIdentity;
  readonly attempt: number;
  /** Must be empty for the host's network. */
  readonly hostname: string;
  /** Absolute; made by the agent. */
  readonly logDirectory: string;
  readonly dns: { readonly servers: readonly string[]; readonly searches: readonly string[]; readonly options: readonly string[] };
  readonly hostPorts: readonly HostPort[];
  readonly hostNetwork: boolean;
  readonly hostPid: boolean;
  readonly hostIpc: boolean;
  /** All containers share one PID namespace. */
  readonly shareProcessNamespace: boolean;
  /** Absolute cgroup path, e.g. `/kubepods/pod<uid>`. */
  readonly cgroupParent: string;
  readonly sysctls: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly supplementalGroups: readonly number[];
  readonly runAsUser?: number;
  readonly runAsGroup?: number;
  readonly privileged: boolean;
}

export interface HostPort {
  readonly protocol: 'TCP' | 'UDP' | 'SCTP';
  readonly containerPort: number;
  readonly hostPort: number;
  readonly hostAddress: string;
}

export interface ContainerConfig {
  readonly name: string;
  /** Rises with each restart of this container in its sandbox; name and attempt are unique there. */
  readonly attempt: number;
  /** As `imageStatus` gave it (an id), so that what runs is what was pulled. */
  readonly image: string;
  readonly command: readonly string[];
  readonly args: readonly string[];
  readonly workingDirectory: string;
  readonly environment: readonly { readonly name: string; readonly value: string }[];
  readonly mounts: readonly RuntimeMount[];
  /** Relative to the sandbox's log directory. */
  readonly logPath: string;
  readonly stdin: boolean;
  readonly stdinOnce: boolean;
  readonly tty: boolean;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly resources: ContainerResources;
  readonly security: ContainerSecurity;
}

export interface RuntimeMount {
  readonly containerPath: string;
  readonly hostPath: string;
  readonly readOnly: boolean;
  readonly propagation: 'None' | 'HostToContainer' | 'Bidirectional';
}

export interface ContainerResources {
  /** Microseconds; 0: not set. */
  readonly cpuPeriod: number;
  readonly cpuQuota: number;
  readonly cpuShares: number;
  readonly memoryLimitBytes: number;
  readonly oomScoreAdjustment: number;
}

export interface ContainerSecurity {
  readonly privileged: boolean;
  readonly runAsUser?: number;
  readonly runAsGroup?: number;
  /** A name from the image's passwd; excludes `runAsUser`. */
  readonly runAsUserName?: string;
  readonly supplementalGroups: readonly number[];
  readonly readOnlyRootFilesystem: boolean;
  readonly allowPrivilegeEscalation: boolean;
  readonly addCapabilities: readonly string[];
  readonly dropCapabilities: readonly string[];
  readonly seccomp: 'RuntimeDefault' | 'Unconfined';
  /** The sandbox's choices, which CRI wants with each container again. */
  readonly hostNetwork: boolean;
  readonly hostPid: boolean;
  readonly hostIpc: boolean;
  readonly shareProcessNamespace: boolean;
  /** The container in whose PID namespace this one runs. */
  readonly processTarget?: string;
}

export interface Sandbox {
  readonly id: string;
  readonly pod: PodIdentity;
  readonly attempt: number;
  readonly state: 'Ready' | 'NotReady';
  /** Milliseconds since 1970, as all times here. */
  readonly createdAt: number;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

export interface SandboxStatus extends Sandbox {
  /** The primary one first; empty for the host's network. */
  readonly addresses: readonly string[];
  /** Path of the network namespace, where the runtime tells; for checks and clean-up. */
  readonly networkNamespace?: string;
}

export type ContainerState = 'Created' | 'Running' | 'Exited' | 'Unknown';

export interface Container {
  readonly id: string;
  readonly sandboxId: string;
  readonly pod: PodIdentity;
  readonly name: string;
  readonly attempt: number;
  readonly state: ContainerState;
  readonly createdAt: number;
  readonly image: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

export interface ContainerStatus extends Container {
  readonly startedAt: number | undefined;
  readonly finishedAt: number | undefined;
  readonly exitCode: number | undefined;
  /** `OOMKilled`, `Error`, `Completed`, … as the runtime says. */
  readonly reason: string;
  readonly message: string;
  /** Digest or id of the image that runs. */
  readonly imageId: string;
  readonly logPath: string;
}

export interface ContainerStats {
  readonly id: string;
  readonly pod: PodIdentity;
  readonly name: string;
  readonly timestamp: number;
  /** Nanoseconds of CPU since the container's start. */
  readonly cpuUsageNanoseconds: bigint;
  readonly memoryWorkingSetBytes: number;
  readonly memoryUsageBytes: number;
  readonly diskUsedBytes: number;
}

export interface Image {
  readonly id: string;
  readonly tags: readonly string[];
  readonly digests: readonly string[];
  readonly size: number;
  /** The image's own user, by number or by name. */
  readonly uid: number | undefined;
  readonly userName: string;
  readonly pinned: boolean;
}

export interface PullProgress {
  readonly doneBytes: number;
  readonly totalBytes: number;
}

export interface PullOptions {
  readonly auth?: { readonly username: string; readonly password: string };
  readonly onProgress?: (progress: PullProgress) => void;
  readonly signal: AbortSignal;
}

export type RuntimeEvent =
  | { readonly type: 'ContainerStarted' | 'ContainerExited' | 'ContainerOutOfMemory' | 'SandboxExited'; readonly id: string }
  /** The connection was (re)made: events may have been missed, list again. Always the first event. */
  | { readonly type: 'Resynchronize' };

export interface ExecResult {
  readonly exitCode: number;
  readonly stdout: Uint8Array;
  readonly stderr: Uint8Array;
}

export interface ExecOptions {
  readonly command: readonly string[];
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  readonly tty: boolean;
}

/** Where the runtime serves one stream, once: an HTTP/1.1 upgrade to this URL (SPDY/3.1, or WebSocket up to v4.channel.k8s.io). */
export interface StreamEndpoint {
  readonly url: string;
}

export interface Runtime {
  info(signal?: AbortSignal): Promise<RuntimeInfo>;
  /** Conditions such as `RuntimeReady` and `NetworkReady`, with the reason when one does not hold. */
  conditions(): Promise<readonly { readonly type: string; readonly status: boolean; readonly reason: string; readonly message: string }[]>;

  /** Sandbox with its network, ready. Idempotent in nothing: a second call with the same pod and attempt throws `AlreadyExists`. */
  runSandbox(config: SandboxConfig, signal: AbortSignal): Promise<string>;
  /** Kills what runs in it and releases its network; of a missing one: nothing. */
  stopSandbox(id: string): Promise<void>;
  removeSandbox(id: string): Promise<void>;
  listSandboxes(): Promise<readonly Sandbox[]>;
  /** Undefined: there is none. */
  sandboxStatus(id: string): Promise<SandboxStatus | undefined>;

  createContainer(sandboxId: string, config: ContainerConfig, sandbox: SandboxConfig): Promise<string>;
  startContainer(id: string): Promise<void>;
  /** TERM (or the image's stop signal), then KILL after `graceSeconds`; resolves when it has ended. Of a missing one: nothing. */
  stopContainer(id: string, graceSeconds: number): Promise<void>;
  removeContainer(id: string): Promise<void>;
  listContainers(): Promise<readonly Container[]>;
  containerStatus(id: string): Promise<ContainerStatus | undefined>;
  updateResources(id: string, resources: ContainerResources): Promise<void>;
  stats(): Promise<readonly ContainerStats[]>;
  /** After the log file was renamed. */
  reopenLog(id: string): Promise<void>;

  /** Throws `RuntimeError` with code `DeadlineExceeded` after `timeoutMilliseconds`, `NotFound` when the command does not exist. */
  execSync(id: string, command: readonly string[], timeoutMilliseconds: number): Promise<ExecResult>;
  exec(id: string, options: ExecOptions): Promise<StreamEndpoint>;
  attach(id: string, options: Omit<ExecOptions, 'command'>): Promise<StreamEndpoint>;
  portForward(sandboxId: string, ports: readonly number[]): Promise<StreamEndpoint>;

  imageStatus(reference: string): Promise<Image | undefined>;
  listImages(): Promise<readonly Image[]>;
  /** The image's id. Throws `RuntimeError`: `NotFound`, `Unauthenticated`, `Unavailable` (the registry could not be reached), … */
  pullImage(reference: string, options: PullOptions): Promise<string>;
  removeImage(id: string): Promise<void>;

  /** What happens to sandboxes and containers, from now on; reconnects by itself, with `Resynchronize` each time. Ends with the signal. */
  events(signal: AbortSignal): AsyncIterable<RuntimeEvent>;
}

export type RuntimeErrorCode =
  | 'NotFound'
  | 'AlreadyExists'
  | 'InvalidArgument'
  | 'DeadlineExceeded'
  | 'Unauthenticated'
  /** The runtime, or a registry, could not be reached: try again. */
  | 'Unavailable'
  | 'Unsupported'
  | 'Unknown';

export class RuntimeError extends Error {
  override readonly name = 'RuntimeError';
  readonly code: RuntimeErrorCode;
  constructor(code: RuntimeErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}
