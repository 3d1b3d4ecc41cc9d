/**
 * What the runtime has on this node, by pod: kept current by the runtime's own events and looked at by every worker, so that none of them asks
 * the runtime. Invariant: after `refresh…` has resolved, the view is at least as new as the call. It changes nothing in the runtime.
 */
import { setMaxListeners } from 'node:events';
import type { Clock } from '#base/clock';
import { messageOf } from '#base/errors';
import { isAbort, type Runnable } from '#base/lifecycle';
import type { Logger } from '#base/logging';
import type { ContainerStatus, Runtime, SandboxStatus } from './runtime/runtime.ts';

export interface PodView {
  readonly sandboxes: readonly SandboxStatus[];
  readonly containers: readonly ContainerStatus[];
}

export interface RuntimeView extends Runnable {
  /** Resolves once everything has been listed; never rejects. */
  readonly synced: Promise<void>;
  pod(uid: string): PodView;
  /** Uids of all pods that have anything in the runtime. */
  pods(): readonly string[];
  container(id: string): ContainerStatus | undefined;
  /** Asks the runtime about one thing and takes the answer in; of a missing one, forgets it. */
  refreshContainer(id: string): Promise<ContainerStatus | undefined>;
  refreshSandbox(id: string): Promise<SandboxStatus | undefined>;
  /** Gives back how to stop it. */
  onChange(listener: (uid: string) => void): () => void;
}

export interface RuntimeViewOptions {
  readonly runtime: Runtime;
  readonly clock: Clock;
  readonly log: Logger;
}

/** A container is still shown as running for some 60 ms after its end was told: how often, and after how long each, to look again. */
const lookAgain = [15, 30, 60, 120, 250, 500, 1000, 2000, 4000];
/** So many questions to the runtime at once while listing. */
const concurrency = 8;

export function createRuntimeView(options: RuntimeViewOptions): RuntimeView {
  return new View(options);
}

class View implements RuntimeView {
  readonly name = 'runtime view';
  readonly synced: Promise<void>;
  readonly #runtime: Runtime;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #sandboxes = new Map<string, SandboxStatus>();
  readonly #containers = new Map<string, ContainerStatus>();
  readonly #byPod = new Map<string, { sandboxes: Set<string>; containers: Set<string> }>();
  readonly #listeners = new Set<(uid: string) => void>();
  /** Rises with each answer that was taken in, so that an older answer of a list does not undo a newer one of a question. */
  #generation = 0;
  readonly #touched = new Map<string, number>();
  #markSynced: () => void = () => undefined;

  constructor(options: RuntimeViewOptions) {
    this.#runtime = options.runtime;
    this.#clock = options.clock;
    this.#log = options.log;
    this.synced = new Promise((resolve) => {
      this.#markSynced = resolve;
    });
  }

  pod(uid: string): PodView {
    const found = this.#byPod.get(uid);
    if (found === undefined) return { sandboxes: [], containers: [] };
    return {
      sandboxes: [...found.sandboxes].flatMap((id) => this.#sandboxes.get(id) ?? []),
      containers: [...found.containers].flatMap((id) => this.#containers.get(id) ?? []),
    };
  }

  pods(): readonly string[] {
    return [...this.#byPod.keys()];
  }

  container(id: string): ContainerStatus | undefined {
    return this.#containers.get(id);
  }

  async refreshContainer(id: string): Promise<ContainerStatus | undefined> {
    const status = await this.#runtime.containerStatus(id);
    this.#takeContainer(id, status);
    return status;
  }

  async refreshSandbox(id: string): Promise<SandboxStatus | undefined> {
    const status = await this.#runtime.sandboxStatus(id);
    this.#takeSandbox(id, status);
    return status;
  }

  onChange(listener: (uid: string) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  async run(signal: AbortSignal): Promise<void> {
    // Every look at an end listens on it: that is no leak.
    setMaxListeners(0, signal);
    for await (const event of this.#runtime.events(signal)) {
      if (event.type === 'Resynchronize') void this.#resynchronizeUntilDone(signal);
      else if (event.type === 'SandboxExited')
        void this.#follow(
          () => this.refreshSandbox(event.id),
          (status) => status?.state !== 'Ready',
          signal,
        );
      else if (event.type === 'ContainerStarted')
        void this.#follow(
          () => this.refreshContainer(event.id),
          () => true,
          signal,
        );
      else
        void this.#follow(
          () => this.refreshContainer(event.id),
          (status) => status === undefined || status.state === 'Exited',
          signal,
        );
    }
  }

  /** Asks until the answer shows what the event told; gives up where it never does, for another event will come. */
  async #follow<T>(ask: () => Promise<T>, settled: (answer: T) => boolean, signal: AbortSignal): Promise<void> {
    for (const delay of [...lookAgain, 0]) {
      if (signal.aborted) return;
      try {
        if (settled(await ask())) return;
      } catch (error) {
        this.#log.debug('the runtime gave no answer about an event', { error: messageOf(error) });
      }
      if (delay === 0) return;
      await this.#clock.sleep(delay, signal).catch(() => undefined);
    }
  }

  async #resynchronizeUntilDone(signal: AbortSignal): Promise<void> {
    for (let failures = 0; !signal.aborted; failures++) {
      try {
        await this.#resynchronize();
        this.#markSynced();
        return;
      } catch (error) {
        if (isAbort(error)) return;
        this.#log.warn('cannot list what the runtime has, trying again', { error: messageOf(error) });
        await this.#clock.sleep(Math.min(5000, 200 * 2 ** failures), signal).catch(() => undefined);
      }
    }
  }

  async #resynchronize(): Promise<void> {
    const begun = this.#generation;
    const [sandboxes, containers] = await Promise.all([this.#runtime.listSandboxes(), this.#runtime.listContainers()]);
    const present = new Set([...sandboxes, ...containers].map(({ id }) => id));
    const asks: (() => Promise<unknown>)[] = [
      ...sandboxes.map(
        ({ id }) =>
          () =>
            this.refreshSandbox(id),
      ),
      ...containers.map(
        ({ id }) =>
          () =>
            this.refreshContainer(id),
      ),
    ];
    await Promise.all(
      Array.from({ length: Math.min(concurrency, asks.length) }, async () => {
        for (let ask = asks.pop(); ask !== undefined; ask = asks.pop()) await ask();
      }),
    );
    const newer = (id: string): boolean => (this.#touched.get(id) ?? 0) > begun;
    for (const id of [...this.#containers.keys()]) if (!present.has(id) && !newer(id)) this.#takeContainer(id, undefined);
    for (const id of [...this.#sandboxes.keys()]) if (!present.has(id) && !newer(id)) this.#takeSandbox(id, undefined);
  }

  #takeContainer(id: string, status: ContainerStatus | undefined): void {
    const before = this.#containers.get(id);
    // Nothing comes back to life: an answer that was overtaken by the news of the end is dropped.
    if (before?.state === 'Exited' && status !== undefined && status.state !== 'Exited') return;
    const uid = status?.pod.uid ?? before?.pod.uid;
    if (uid === undefined) return;
    this.#touch(id);
    if (status === undefined) {
      this.#containers.delete(id);
      this.#touched.delete(id);
      this.#byPod.get(uid)?.containers.delete(id);
      this.#dropEmpty(uid);
    } else {
      this.#containers.set(id, status);
      this.#entry(uid).containers.add(id);
    }
    if (before === undefined || status === undefined || !sameContainer(before, status)) this.#tell(uid);
  }

  #takeSandbox(id: string, status: SandboxStatus | undefined): void {
    const before = this.#sandboxes.get(id);
    const uid = status?.pod.uid ?? before?.pod.uid;
    if (uid === undefined) return;
    this.#touch(id);
    if (status === undefined) {
      this.#sandboxes.delete(id);
      this.#touched.delete(id);
      this.#byPod.get(uid)?.sandboxes.delete(id);
      this.#dropEmpty(uid);
    } else {
      // A sandbox that has ended tells no address any more: what it had is still the pod's.
      const addresses = status.addresses.length === 0 && before !== undefined ? before.addresses : status.addresses;
      this.#sandboxes.set(id, { ...status, addresses });
      this.#entry(uid).sandboxes.add(id);
    }
    if (before?.state !== status?.state || before?.addresses.join() !== status?.addresses.join()) this.#tell(uid);
  }

  #touch(id: string): void {
    this.#touched.set(id, ++this.#generation);
  }

  #entry(uid: string): { sandboxes: Set<string>; containers: Set<string> } {
    let entry = this.#byPod.get(uid);
    if (entry === undefined) {
      entry = { sandboxes: new Set(), containers: new Set() };
      this.#byPod.set(uid, entry);
    }
    return entry;
  }

  #dropEmpty(uid: string): void {
    const entry = this.#byPod.get(uid);
    if (entry !== undefined && entry.sandboxes.size + entry.containers.size === 0) this.#byPod.delete(uid);
  }

  #tell(uid: string): void {
    for (const listener of this.#listeners) listener(uid);
  }
}

function sameContainer(a: ContainerStatus, b: ContainerStatus): boolean {
  return (
    a.state === b.state &&
    a.startedAt === b.startedAt &&
    a.finishedAt === b.finishedAt &&
    a.exitCode === b.exitCode &&
    a.reason === b.reason
  );
}
