/**
 * The driver for everything that speaks CRI v1 (containerd, CRI-O), over its socket. Invariant: it labels what it makes with Berth's label
 * and this node's instance, and lists, reports and counts nothing else. What it leaves to others: configuring and starting
 * the runtime (../containerd), loading archives (../images), the streams behind exec, attach and port-forward (their URLs are handed out).
 */
import { setMaxListeners } from 'node:events';
import { backoffDelay } from '#base/backoff';
import { type Clock, systemClock } from '#base/clock';
import { messageOf } from '#base/errors';
import { aborted } from '#base/lifecycle';
import { type Logger, silentLogger } from '#base/logging';
import { EventQueue } from '../event-queue.ts';
import { pauseImageReference } from '../images/pause-image.ts';
import {
  type Container,
  type ContainerConfig,
  type ContainerResources,
  type ContainerStats,
  type ContainerStatus,
  type ExecOptions,
  type ExecResult,
  type Image,
  type PullOptions,
  type Runtime,
  RuntimeError,
  type RuntimeEvent,
  type RuntimeInfo,
  type Sandbox,
  type SandboxConfig,
  type SandboxStatus,
  type StreamEndpoint,
} from '../runtime.ts';
import { type CriChannel, call, containerdMetadata, disconnected, openChannel, toRuntimeError } from './channel.ts';
import {
  addressesOf,
  fromContainer,
  fromContainerStatus,
  fromImage,
  fromSandbox,
  fromStats,
  isOwn,
  networkNamespaceOf,
  ownLabels,
  toContainerConfig,
  toResources,
  toSandboxConfig,
} from './convert.ts';
import { containerdReports, criReports, type Report } from './event-source.ts';
import type * as cri from './generated/runtime.ts';
import { ContainerState, PodSandboxState } from './generated/runtime.ts';
import { DownloadTotals } from './pull-progress.ts';

export interface CriRuntimeOptions {
  /** `unix:///absolute/path`. */
  readonly endpoint: string;
  /** Tells this agent's sandboxes from another's on the same runtime; the node's name. */
  readonly instance: string;
  readonly clock?: Clock;
  readonly log?: Logger;
}

/** For calls that read or change records; what runs programs or moves data has its own bound or none. */
const shortDeadline = 30_000;
const runDeadline = 240_000;
const progressInterval = 500;
/** After an exit event the status follows within about 60 ms; it is looked at again at growing distances until then. */
const settleDelays: readonly number[] = [5, 10, 20, 20, 20, 40, 80, 160, 320, 640, 1_280];

export class CriRuntime implements Runtime {
  readonly #channel: CriChannel;
  readonly #instance: string;
  readonly #clock: Clock;
  readonly #log: Logger;
  /** Sandbox of each known container: CRI's status does not say it. */
  readonly #sandboxOf = new Map<string, string>();
  readonly #sandboxes = new Set<string>();

  constructor(options: CriRuntimeOptions) {
    this.#channel = openChannel(options.endpoint);
    this.#instance = options.instance;
    this.#clock = options.clock ?? systemClock;
    this.#log = options.log ?? silentLogger;
  }

  /** Ends the connection; what runs goes on. */
  close(): void {
    this.#channel.close();
  }

  async info(signal?: AbortSignal): Promise<RuntimeInfo> {
    const { runtime } = this.#channel;
    const reply = await call(runtime.version.bind(runtime), { version: 'v1' }, { deadline: 5_000, signal });
    return { name: reply.runtimeName, version: reply.runtimeVersion };
  }

  /** Resolves when the connection, made if it is not there, ends; or when the signal aborts. */
  disconnected(signal: AbortSignal): Promise<void> {
    return disconnected(this.#channel, signal);
  }

  async conditions(): Promise<Awaited<ReturnType<Runtime['conditions']>>> {
    const { runtime } = this.#channel;
    const reply = await call(runtime.status.bind(runtime), { verbose: false }, { deadline: shortDeadline });
    return reply.status?.conditions ?? [];
  }

  async runSandbox(config: SandboxConfig, signal: AbortSignal): Promise<string> {
    const { runtime } = this.#channel;
    const request = { config: toSandboxConfig(config, this.#instance), runtimeHandler: '' };
    const reply = await call(runtime.runPodSandbox.bind(runtime), request, { deadline: runDeadline, signal });
    this.#sandboxes.add(reply.podSandboxId);
    return reply.podSandboxId;
  }

  async stopSandbox(id: string): Promise<void> {
    const { runtime } = this.#channel;
    await ignoreMissing(call(runtime.stopPodSandbox.bind(runtime), { podSandboxId: id }, { deadline: runDeadline }));
  }

  async removeSandbox(id: string): Promise<void> {
    const { runtime } = this.#channel;
    await ignoreMissing(call(runtime.removePodSandbox.bind(runtime), { podSandboxId: id }, { deadline: runDeadline }));
    this.#sandboxes.delete(id);
    for (const [container, sandbox] of this.#sandboxOf) if (sandbox === id) this.#sandboxOf.delete(container);
  }

  async listSandboxes(): Promise<readonly Sandbox[]> {
    const { runtime } = this.#channel;
    const filter = { id: '', state: undefined, labelSelector: ownLabels(this.#instance) };
    const reply = await call(runtime.listPodSandbox.bind(runtime), { filter }, { deadline: shortDeadline });
    this.#sandboxes.clear();
    for (const { id } of reply.items) this.#sandboxes.add(id);
    return reply.items.map(fromSandbox);
  }

  async sandboxStatus(id: string): Promise<SandboxStatus | undefined> {
    const reply = await this.#sandboxReply(id, true);
    if (reply?.status === undefined) return undefined;
    const networkNamespace = networkNamespaceOf(reply.info);
    return {
      ...fromSandbox(reply.status),
      addresses: addressesOf(reply.status),
      ...(networkNamespace === undefined ? {} : { networkNamespace }),
    };
  }

  /** Undefined for a missing sandbox and for one that is not ours. */
  async #sandboxReply(id: string, verbose: boolean): Promise<cri.PodSandboxStatusResponse | undefined> {
    const { runtime } = this.#channel;
    const request = { podSandboxId: id, verbose };
    const reply = await ignoreMissing(call(runtime.podSandboxStatus.bind(runtime), request, { deadline: shortDeadline }));
    return reply?.status !== undefined && isOwn(reply.status.labels, this.#instance) ? reply : undefined;
  }

  async createContainer(sandboxId: string, config: ContainerConfig, sandbox: SandboxConfig): Promise<string> {
    const { runtime } = this.#channel;
    const request = {
      podSandboxId: sandboxId,
      config: toContainerConfig(config, sandbox, this.#instance),
      sandboxConfig: toSandboxConfig(sandbox, this.#instance),
    };
    const reply = await call(runtime.createContainer.bind(runtime), request, { deadline: runDeadline });
    this.#sandboxOf.set(reply.containerId, sandboxId);
    return reply.containerId;
  }

  async startContainer(id: string): Promise<void> {
    const { runtime } = this.#channel;
    await call(runtime.startContainer.bind(runtime), { containerId: id }, { deadline: runDeadline });
  }

  async stopContainer(id: string, graceSeconds: number): Promise<void> {
    const { runtime } = this.#channel;
    const request = { containerId: id, timeout: BigInt(Math.max(0, Math.ceil(graceSeconds))) };
    await ignoreMissing(call(runtime.stopContainer.bind(runtime), request, { deadline: graceSeconds * 1_000 + runDeadline }));
  }

  async removeContainer(id: string): Promise<void> {
    const { runtime } = this.#channel;
    await ignoreMissing(call(runtime.removeContainer.bind(runtime), { containerId: id }, { deadline: runDeadline }));
    this.#sandboxOf.delete(id);
  }

  async listContainers(): Promise<readonly Container[]> {
    const containers = (await this.#containers({ labelSelector: ownLabels(this.#instance) })).map(fromContainer);
    this.#sandboxOf.clear();
    for (const { id, sandboxId } of containers) this.#sandboxOf.set(id, sandboxId);
    return containers;
  }

  async #containers(filter: { readonly id?: string; readonly labelSelector: Record<string, string> }): Promise<readonly cri.Container[]> {
    const { runtime } = this.#channel;
    const request = { filter: { id: '', state: undefined, podSandboxId: '', ...filter } };
    return (await call(runtime.listContainers.bind(runtime), request, { deadline: shortDeadline })).containers;
  }

  async containerStatus(id: string): Promise<ContainerStatus | undefined> {
    const status = await this.#containerReply(id);
    if (status === undefined) return undefined;
    let sandboxId = this.#sandboxOf.get(id);
    if (sandboxId === undefined) {
      const listed = await this.#containers({ id, labelSelector: ownLabels(this.#instance) });
      sandboxId = listed[0]?.podSandboxId;
      if (sandboxId === undefined) return undefined;
      this.#sandboxOf.set(id, sandboxId);
    }
    return fromContainerStatus(status, sandboxId);
  }

  /** Undefined for a missing container and for one that is not ours. */
  async #containerReply(id: string): Promise<cri.ContainerStatus | undefined> {
    const { runtime } = this.#channel;
    const request = { containerId: id, verbose: false };
    const reply = await ignoreMissing(call(runtime.containerStatus.bind(runtime), request, { deadline: shortDeadline }));
    return reply?.status !== undefined && isOwn(reply.status.labels, this.#instance) ? reply.status : undefined;
  }

  async updateResources(id: string, resources: ContainerResources): Promise<void> {
    const { runtime } = this.#channel;
    const request = { containerId: id, linux: toResources(resources), annotations: {} };
    await call(runtime.updateContainerResources.bind(runtime), request, { deadline: shortDeadline });
  }

  async stats(): Promise<readonly ContainerStats[]> {
    const { runtime } = this.#channel;
    const filter = { id: '', podSandboxId: '', labelSelector: ownLabels(this.#instance) };
    const reply = await call(runtime.listContainerStats.bind(runtime), { filter }, { deadline: shortDeadline });
    return reply.stats.flatMap((stats) => fromStats(stats) ?? []);
  }

  async reopenLog(id: string): Promise<void> {
    const { runtime } = this.#channel;
    await call(runtime.reopenContainerLog.bind(runtime), { containerId: id }, { deadline: shortDeadline });
  }

  async execSync(id: string, command: readonly string[], timeoutMilliseconds: number): Promise<ExecResult> {
    const { runtime } = this.#channel;
    // CRI counts whole seconds; the call's own deadline is exact and kills the process just the same.
    const request = { containerId: id, cmd: [...command], timeout: BigInt(Math.ceil(timeoutMilliseconds / 1_000)) };
    const end = Date.now() + timeoutMilliseconds;
    try {
      return await call(runtime.execSync.bind(runtime), request, { deadline: timeoutMilliseconds });
    } catch (error) {
      // A runtime that notices the deadline before this side does tells it in words of its own.
      const over = error instanceof RuntimeError && (error.code === 'DeadlineExceeded' || (error.code === 'Unknown' && Date.now() >= end));
      if (!over) throw error;
      throw new RuntimeError('DeadlineExceeded', `command timed out after ${timeoutMilliseconds} ms`, { cause: error });
    }
  }

  async exec(id: string, options: ExecOptions): Promise<StreamEndpoint> {
    const { runtime } = this.#channel;
    const { command, ...streams } = options;
    return call(runtime.exec.bind(runtime), { containerId: id, cmd: [...command], ...streams }, { deadline: shortDeadline });
  }

  async attach(id: string, options: Omit<ExecOptions, 'command'>): Promise<StreamEndpoint> {
    const { runtime } = this.#channel;
    return call(runtime.attach.bind(runtime), { containerId: id, ...options }, { deadline: shortDeadline });
  }

  async portForward(sandboxId: string, ports: readonly number[]): Promise<StreamEndpoint> {
    const { runtime } = this.#channel;
    return call(runtime.portForward.bind(runtime), { podSandboxId: sandboxId, port: [...ports] }, { deadline: shortDeadline });
  }

  async imageStatus(reference: string): Promise<Image | undefined> {
    const { images } = this.#channel;
    const request = { image: { image: reference, annotations: {} }, verbose: false };
    const reply = await ignoreMissing(call(images.imageStatus.bind(images), request, { deadline: shortDeadline }));
    return reply?.image === undefined ? undefined : fromImage(reply.image, isPause);
  }

  async listImages(): Promise<readonly Image[]> {
    const { images } = this.#channel;
    const reply = await call(images.listImages.bind(images), { filter: undefined }, { deadline: shortDeadline });
    return reply.images.map((image) => fromImage(image, isPause));
  }

  async pullImage(reference: string, options: PullOptions): Promise<string> {
    const { images } = this.#channel;
    const request = {
      image: { image: reference, annotations: {} },
      // The server's address stays empty: naming an alias of the registry makes containerd withhold the credentials.
      auth: options.auth === undefined ? undefined : { ...options.auth, auth: '', serverAddress: '', identityToken: '', registryToken: '' },
      sandboxConfig: undefined,
    };
    const done = new AbortController();
    const watching =
      options.onProgress === undefined
        ? undefined
        : this.#watchDownloads(options.onProgress, AbortSignal.any([options.signal, done.signal]));
    try {
      const reply = await call(images.pullImage.bind(images), request, { signal: options.signal });
      return reply.imageRef;
    } finally {
      done.abort();
      await watching;
    }
  }

  /** Never rejects: a pull does not fail because its progress cannot be told. */
  async #watchDownloads(onProgress: NonNullable<PullOptions['onProgress']>, signal: AbortSignal): Promise<void> {
    const { content } = this.#channel;
    const totals = new DownloadTotals();
    try {
      while (!signal.aborted) {
        await this.#clock.sleep(progressInterval, signal);
        const limits = { metadata: containerdMetadata(), deadline: 5_000, signal };
        const { statuses } = await call(content.listStatuses.bind(content), { filters: [] }, limits);
        const progress = totals.update(
          statuses.map(({ ref, offset, total }) => ({ reference: ref, offset: Number(offset), total: Number(total) })),
        );
        if (progress.totalBytes > 0) onProgress(progress);
      }
    } catch (error) {
      if (!signal.aborted) this.#log.debug('the progress of a pull cannot be told', { reason: messageOf(error) });
    }
  }

  async removeImage(id: string): Promise<void> {
    const { images } = this.#channel;
    const request = { image: { image: id, annotations: {} } };
    await ignoreMissing(call(images.removeImage.bind(images), request, { deadline: runDeadline }));
  }

  async *events(signal: AbortSignal): AsyncGenerator<RuntimeEvent> {
    for (let failures = 0; !signal.aborted; ) {
      const connection = new AbortController();
      const stop = AbortSignal.any([signal, connection.signal]);
      // Every container that has just ended waits on it for its status: that is no leak.
      setMaxListeners(0, stop);
      const queue = new EventQueue<RuntimeEvent>(stop);
      const pumping = this.#pump(queue, stop);
      pumping.catch((error: unknown) => queue.fail(error));
      try {
        for await (const event of queue) {
          failures = 0;
          yield event;
        }
      } catch (error) {
        const delay = backoffDelay({ initial: 50, maximum: 1_000 }, failures++);
        this.#log[failures > 3 ? 'warn' : 'debug']('events of the runtime ended, connecting again', { reason: messageOf(error), delay });
        await this.#clock.sleep(delay, signal).catch(() => aborted(signal));
      } finally {
        connection.abort();
      }
    }
  }

  /** Turns reports into events until the connection ends, then rejects. An exit is told when the status shows it. */
  async #pump(queue: EventQueue<RuntimeEvent>, signal: AbortSignal): Promise<void> {
    const { name } = await this.info(signal);
    const reports = name === 'containerd' ? containerdReports(this.#channel, this.#clock, signal) : criReports(this.#channel, signal);
    for await (const report of reports) {
      if (report.type === 'Subscribed') queue.push({ type: 'Resynchronize' });
      else {
        this.#toEvent(report, signal).then(
          (event) => event !== undefined && queue.push(event),
          (error: unknown) => queue.fail(error),
        );
      }
    }
    throw new RuntimeError('Unavailable', 'the runtime closed the stream of events');
  }

  async #toEvent(report: Exclude<Report, { type: 'Subscribed' }>, signal: AbortSignal): Promise<RuntimeEvent | undefined> {
    const { id } = report;
    if (!(this.#sandboxOf.has(id) || this.#sandboxes.has(id)) && !(await this.#adopt(id))) return undefined;
    const isSandbox = this.#sandboxes.has(id);
    if (report.type === 'Started') return isSandbox ? undefined : { type: 'ContainerStarted', id };
    if (report.type === 'OutOfMemory') return isSandbox ? undefined : { type: 'ContainerOutOfMemory', id };
    for (const delay of settleDelays) {
      const ended = isSandbox ? await this.#sandboxEnded(id) : await this.#containerEnded(id);
      if (ended) break;
      await this.#clock.sleep(delay, signal);
    }
    return { type: isSandbox ? 'SandboxExited' : 'ContainerExited', id };
  }

  async #sandboxEnded(id: string): Promise<boolean> {
    return (await this.#sandboxReply(id, false))?.status?.state !== PodSandboxState.SANDBOX_READY;
  }

  async #containerEnded(id: string): Promise<boolean> {
    const state = (await this.#containerReply(id))?.state;
    return state !== ContainerState.CONTAINER_RUNNING && state !== ContainerState.CONTAINER_CREATED;
  }

  /** Whether an id that this driver has not seen yet is ours all the same (made by this node's agent before it restarted). */
  async #adopt(id: string): Promise<boolean> {
    if ((await this.containerStatus(id)) !== undefined) return true;
    if ((await this.#sandboxReply(id, false)) === undefined) return false;
    this.#sandboxes.add(id);
    return true;
  }
}

function isPause(tag: string): boolean {
  return tag === pauseImageReference;
}

async function ignoreMissing<T>(call: Promise<T>): Promise<T | undefined> {
  try {
    return await call;
  } catch (error) {
    const known = toRuntimeError(error);
    if (known.code === 'NotFound') return undefined;
    throw known;
  }
}
