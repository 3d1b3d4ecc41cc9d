/**
 * A runtime in memory that does what a script says, on an injected clock: for unit tests, and for simulating nodes by the thousand. Invariant:
 * it keeps the same suite as the real drivers (runtime.suite.ts). It has no streams: exec, attach and port-forward are `Unsupported`.
 */
import { appendFileSync, mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Clock } from '#base/clock';
import { EventQueue } from '../event-queue.ts';
import {
  type Container,
  type ContainerConfig,
  type ContainerResources,
  type ContainerStats,
  type ContainerStatus,
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
import { behaviourOf, everythingRuns, type FakeBehaviour, type FakeImage, type FakeScript } from './script.ts';

export interface FakeRuntimeOptions {
  readonly clock: Clock;
  readonly script?: FakeScript;
  /** Only what this node made is seen, when several share one `FakeMachine`. */
  readonly instance?: string;
  readonly machine?: FakeMachine;
}

interface FakeSandbox {
  readonly instance: string;
  readonly config: SandboxConfig;
  readonly address: string;
  status: Sandbox;
}

interface FakeContainer {
  readonly instance: string;
  readonly config: ContainerConfig;
  readonly sandbox: FakeSandbox;
  readonly behaviour: FakeBehaviour;
  status: ContainerStatus;
  resources: ContainerResources;
  timer: { cancel(): void } | undefined;
  /** Called when it has ended. */
  readonly waiting: Set<() => void>;
}

/** What several fake runtimes share, as two agents share one containerd; and what outlives a runtime that is made again. */
export class FakeMachine {
  readonly sandboxes = new Map<string, FakeSandbox>();
  readonly containers = new Map<string, FakeContainer>();
  readonly pulled = new Set<string>();
  readonly listeners = new Map<EventQueue<RuntimeEvent>, string>();
  #ids = 0;
  #addresses = 0;

  nextId(prefix: string): string {
    return `${prefix}-${(this.#ids++).toString(16).padStart(12, '0')}`;
  }

  nextAddress(): string {
    const number = ++this.#addresses;
    return `10.${64 + ((number >> 16) & 63)}.${(number >> 8) & 255}.${number & 255}`;
  }

  /** As a runtime that was restarted does: every subscription is told to list again. */
  interruptEvents(): void {
    for (const queue of this.listeners.keys()) queue.push({ type: 'Resynchronize' });
  }
}

export class FakeRuntime implements Runtime {
  readonly machine: FakeMachine;
  readonly #clock: Clock;
  readonly #instance: string;
  #script: FakeScript;

  constructor(options: FakeRuntimeOptions) {
    this.#clock = options.clock;
    this.#script = options.script ?? everythingRuns;
    this.#instance = options.instance ?? 'node';
    this.machine = options.machine ?? new FakeMachine();
  }

  /** From now on; what was made before keeps its behaviour. */
  setScript(script: FakeScript): void {
    this.#script = script;
  }

  async info(): Promise<RuntimeInfo> {
    return { name: 'fake', version: '1' };
  }

  async conditions(): Promise<Awaited<ReturnType<Runtime['conditions']>>> {
    return ['RuntimeReady', 'NetworkReady'].map((type) => ({ type, status: true, reason: '', message: '' }));
  }

  async runSandbox(config: SandboxConfig, signal: AbortSignal): Promise<string> {
    const failure = this.#script.sandboxFailures?.[config.pod.name];
    if (failure !== undefined) throw new RuntimeError(failure.code, failure.message);
    const taken = [...this.#sandboxes()].some(
      (other) => other.config.pod.uid === config.pod.uid && other.config.attempt === config.attempt,
    );
    if (taken) throw new RuntimeError('AlreadyExists', `sandbox of pod "${config.pod.name}", attempt ${config.attempt}, exists`);
    if (this.#script.sandboxMilliseconds !== undefined) await this.#clock.sleep(this.#script.sandboxMilliseconds, signal);
    const id = this.machine.nextId('sandbox');
    const { pod, attempt, labels, annotations } = config;
    this.machine.sandboxes.set(id, {
      instance: this.#instance,
      config,
      address: this.machine.nextAddress(),
      status: { id, pod, attempt, state: 'Ready', createdAt: this.#clock.now(), labels, annotations },
    });
    return id;
  }

  async stopSandbox(id: string): Promise<void> {
    const sandbox = this.machine.sandboxes.get(id);
    if (sandbox === undefined || sandbox.status.state === 'NotReady') return;
    for (const container of this.machine.containers.values()) {
      if (container.sandbox === sandbox && container.status.state === 'Running') this.#end(container, 137, 'Error');
    }
    sandbox.status = { ...sandbox.status, state: 'NotReady' };
    this.#emit(sandbox.instance, { type: 'SandboxExited', id });
  }

  async removeSandbox(id: string): Promise<void> {
    await this.stopSandbox(id);
    for (const container of this.machine.containers.values()) {
      if (container.status.sandboxId === id) await this.removeContainer(container.status.id);
    }
    this.machine.sandboxes.delete(id);
  }

  async listSandboxes(): Promise<readonly Sandbox[]> {
    return [...this.#sandboxes()].map(({ status }) => status);
  }

  async sandboxStatus(id: string): Promise<SandboxStatus | undefined> {
    const sandbox = this.machine.sandboxes.get(id);
    if (sandbox === undefined || sandbox.instance !== this.#instance) return undefined;
    return { ...sandbox.status, addresses: sandbox.config.hostNetwork ? [] : [sandbox.address] };
  }

  async createContainer(sandboxId: string, config: ContainerConfig): Promise<string> {
    const sandbox = this.machine.sandboxes.get(sandboxId);
    if (sandbox === undefined) throw new RuntimeError('NotFound', `sandbox "${sandboxId}": not found`);
    const image = this.#image(config.image);
    if (image === undefined) throw new RuntimeError('NotFound', `image "${config.image}": not found`);
    for (const { status } of this.machine.containers.values()) {
      if (status.sandboxId === sandboxId && status.name === config.name && status.attempt === config.attempt) {
        throw new RuntimeError('AlreadyExists', `container "${config.name}", attempt ${config.attempt}, exists`);
      }
    }
    const id = this.machine.nextId('container');
    this.machine.containers.set(id, {
      instance: this.#instance,
      config,
      sandbox,
      behaviour: behaviourOf(image.image, config),
      status: {
        id,
        sandboxId,
        pod: sandbox.config.pod,
        name: config.name,
        attempt: config.attempt,
        state: 'Created',
        createdAt: this.#clock.now(),
        image: config.image,
        labels: config.labels,
        annotations: config.annotations,
        startedAt: undefined,
        finishedAt: undefined,
        exitCode: undefined,
        reason: '',
        message: '',
        imageId: imageId(image.reference),
        logPath: join(sandbox.config.logDirectory, config.logPath),
      },
      resources: config.resources,
      timer: undefined,
      waiting: new Set(),
    });
    return id;
  }

  async startContainer(id: string): Promise<void> {
    const container = this.#container(id);
    const { behaviour, status } = container;
    if (status.state !== 'Created') throw new RuntimeError('InvalidArgument', `container "${id}" is in state ${status.state}`);
    const { startFailure } = behaviour;
    if (startFailure !== undefined) {
      this.#end(container, 128, 'StartError');
      throw new RuntimeError(startFailure.code, startFailure.message);
    }
    container.status = { ...status, state: 'Running', startedAt: this.#clock.now() };
    this.#writeOutput(container);
    this.#emit(container.instance, { type: 'ContainerStarted', id });
    if (behaviour.exitAfterMilliseconds === undefined) return;
    container.timer = this.#clock.schedule(behaviour.exitAfterMilliseconds, () => {
      if (behaviour.outOfMemory === true) {
        this.#emit(container.instance, { type: 'ContainerOutOfMemory', id });
        this.#end(container, 137, 'OOMKilled');
      } else {
        const code = behaviour.exitCode ?? 0;
        this.#end(container, code, code === 0 ? 'Completed' : 'Error');
      }
    });
  }

  async stopContainer(id: string, graceSeconds: number): Promise<void> {
    const container = this.machine.containers.get(id);
    if (container === undefined || container.status.state === 'Exited') return;
    if (container.status.state === 'Created') return this.#end(container, 137, 'Error');
    if (container.behaviour.ignoresTerm !== true) return this.#end(container, 143, 'Error');
    const ended = new Promise<void>((resolve) => container.waiting.add(resolve));
    const kill = this.#clock.schedule(graceSeconds * 1_000, () => this.#end(container, 137, 'Error'));
    await ended;
    kill.cancel();
  }

  async removeContainer(id: string): Promise<void> {
    const container = this.machine.containers.get(id);
    if (container === undefined) return;
    if (container.status.state === 'Running') this.#end(container, 137, 'Error');
    this.machine.containers.delete(id);
  }

  async listContainers(): Promise<readonly Container[]> {
    return [...this.#containers()].map(({ status }) => status);
  }

  async containerStatus(id: string): Promise<ContainerStatus | undefined> {
    const container = this.machine.containers.get(id);
    return container?.instance === this.#instance ? container.status : undefined;
  }

  async updateResources(id: string, resources: ContainerResources): Promise<void> {
    this.#container(id).resources = resources;
  }

  async stats(): Promise<readonly ContainerStats[]> {
    const running = [...this.#containers()].filter(({ status }) => status.state === 'Running');
    return running.map(({ status }) => ({
      id: status.id,
      pod: status.pod,
      name: status.name,
      timestamp: this.#clock.now(),
      cpuUsageNanoseconds: BigInt(Math.max(0, Math.floor(this.#clock.now() - (status.startedAt ?? 0)))) * 10_000n,
      memoryWorkingSetBytes: 1 << 20,
      memoryUsageBytes: 1 << 20,
      diskUsedBytes: 4_096,
    }));
  }

  async reopenLog(id: string): Promise<void> {
    this.#container(id);
  }

  async execSync(id: string, command: readonly string[], timeoutMilliseconds: number): Promise<ExecResult> {
    const container = this.#container(id);
    if (container.status.state !== 'Running') throw new RuntimeError('Unknown', `container "${id}" is not running`);
    const scripted = container.behaviour.commands?.[command.join(' ')];
    if (scripted === undefined) throw new RuntimeError('NotFound', `exec: "${command[0] ?? ''}": executable file not found`);
    const milliseconds = scripted.milliseconds ?? 0;
    if (milliseconds > 0) await this.#clock.sleep(Math.min(milliseconds, timeoutMilliseconds));
    if (milliseconds > timeoutMilliseconds) {
      throw new RuntimeError('DeadlineExceeded', `command timed out after ${timeoutMilliseconds} ms`);
    }
    return {
      exitCode: scripted.exitCode ?? 0,
      stdout: Buffer.from(scripted.stdout ?? ''),
      stderr: Buffer.from(scripted.stderr ?? ''),
    };
  }

  async exec(): Promise<StreamEndpoint> {
    throw noStreams();
  }

  async attach(): Promise<StreamEndpoint> {
    throw noStreams();
  }

  async portForward(): Promise<StreamEndpoint> {
    throw noStreams();
  }

  async imageStatus(reference: string): Promise<Image | undefined> {
    const found = this.#image(reference);
    return found === undefined ? undefined : toImage(found.reference, found.image);
  }

  async listImages(): Promise<readonly Image[]> {
    const present = Object.entries(this.#script.images).filter(([reference, image]) => image.present === true && reference !== '*');
    const references = new Set([...present.map(([reference]) => reference), ...this.machine.pulled]);
    return [...references].map((reference) => toImage(reference, this.#scripted(reference) ?? {}));
  }

  async pullImage(reference: string, options: PullOptions): Promise<string> {
    const image = this.#scripted(reference);
    if (image === undefined) throw new RuntimeError('NotFound', `failed to pull image "${reference}": not found`);
    const totalBytes = image.size ?? 1 << 20;
    options.onProgress?.({ doneBytes: 0, totalBytes });
    if (image.pullMilliseconds !== undefined) await this.#clock.sleep(image.pullMilliseconds, options.signal);
    if (image.pullFailure !== undefined) throw new RuntimeError(image.pullFailure.code, image.pullFailure.message);
    options.onProgress?.({ doneBytes: totalBytes, totalBytes });
    this.machine.pulled.add(reference);
    return imageId(reference);
  }

  async removeImage(id: string): Promise<void> {
    this.machine.pulled.delete(referenceOf(id));
  }

  async *events(signal: AbortSignal): AsyncGenerator<RuntimeEvent> {
    const queue = new EventQueue<RuntimeEvent>(signal);
    this.machine.listeners.set(queue, this.#instance);
    queue.push({ type: 'Resynchronize' });
    try {
      yield* queue;
    } finally {
      this.machine.listeners.delete(queue);
    }
  }

  *#sandboxes(): Generator<FakeSandbox> {
    for (const sandbox of this.machine.sandboxes.values()) if (sandbox.instance === this.#instance) yield sandbox;
  }

  *#containers(): Generator<FakeContainer> {
    for (const container of this.machine.containers.values()) if (container.instance === this.#instance) yield container;
  }

  #container(id: string): FakeContainer {
    const container = this.machine.containers.get(id);
    if (container === undefined) throw new RuntimeError('NotFound', `container "${id}": not found`);
    return container;
  }

  #scripted(reference: string): FakeImage | undefined {
    return this.#script.images[reference] ?? this.#script.images['*'];
  }

  /** An image that is there, by name or by id. */
  #image(nameOrId: string): { readonly reference: string; readonly image: FakeImage } | undefined {
    const reference = referenceOf(nameOrId);
    const image = this.#scripted(reference);
    return image !== undefined && (image.present === true || this.machine.pulled.has(reference)) ? { reference, image } : undefined;
  }

  #end(container: FakeContainer, exitCode: number, reason: string): void {
    container.timer?.cancel();
    if (container.status.state === 'Exited') return;
    container.status = { ...container.status, state: 'Exited', finishedAt: this.#clock.now(), exitCode, reason };
    this.#emit(container.instance, { type: 'ContainerExited', id: container.status.id });
    for (const resolve of container.waiting) resolve();
    container.waiting.clear();
  }

  #emit(instance: string, event: RuntimeEvent): void {
    for (const [queue, listener] of this.machine.listeners) if (listener === instance) queue.push(event);
  }

  #writeOutput({ behaviour, status }: FakeContainer): void {
    if (behaviour.output === undefined) return;
    const stamp = new Date(this.#clock.now()).toISOString();
    mkdirSync(dirname(status.logPath), { recursive: true });
    appendFileSync(status.logPath, behaviour.output.map((line) => `${stamp} stdout F ${line}\n`).join(''));
  }
}

function noStreams(): RuntimeError {
  return new RuntimeError('Unsupported', 'the fake runtime has no streams');
}

const idPrefix = 'sha256:fake-';

function imageId(reference: string): string {
  return `${idPrefix}${reference}`;
}

function referenceOf(nameOrId: string): string {
  return nameOrId.startsWith(idPrefix) ? nameOrId.slice(idPrefix.length) : nameOrId;
}

function toImage(reference: string, image: FakeImage): Image {
  return {
    id: imageId(reference),
    tags: [reference],
    digests: [],
    size: image.size ?? 1 << 20,
    uid: image.uid,
    userName: image.userName ?? '',
    pinned: false,
  };
}
