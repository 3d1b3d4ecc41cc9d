/** Observes the machine and its runtime, and reports the Node when what it sees has changed. */
import type { Node } from '#api/shapes/types/core-v1';
import type { Clock } from '#base/clock';
import { messageOf } from '#base/errors';
import type { Runnable } from '#base/lifecycle';
import type { Logger } from '#base/logging';
import { observedNode } from './node.ts';
import { type MachineFacts, machineAddresses, readPressure } from './node-facts.ts';
import type { Image, Runtime, RuntimeInfo } from './runtime/runtime.ts';

export interface NodeKeeperOptions {
  readonly name: string;
  readonly home: string;
  readonly facts: MachineFacts;
  readonly labels: Readonly<Record<string, string>>;
  readonly maximumPods: number;
  readonly volumeDirectory: string;
  readonly version: string;
  readonly runtime: Runtime;
  /** Interfaces of the pod network, which are not the machine's. */
  readonly isPodInterface: (name: string) => boolean;
  readonly networkProblem: () => string | undefined;
  readonly report: (node: Node) => void;
  readonly clock: Clock;
  readonly log: Logger;
}

export interface NodeKeeper extends Runnable {
  /** As last observed. */
  readonly node: Node;
  addresses(): readonly string[];
  runtimeName(): string;
  /** Looks again now: something that the Node shows has changed. */
  refresh(): void;
  /** Looks again now; resolves when it has. */
  observation(): Promise<void>;
}

const interval = 10_000;
/** Images are looked at more seldom: a list of them is long, and little depends on it. */
const imagesEvery = 6;

export function createNodeKeeper(options: NodeKeeperOptions): NodeKeeper {
  return new Keeper(options);
}

class Keeper implements NodeKeeper {
  readonly name = 'node status';
  readonly #options: NodeKeeperOptions;
  #node: Node;
  #addresses: readonly string[] = [];
  #info: RuntimeInfo | undefined;
  #images: readonly Image[] = [];
  #asked = 0;
  #wake: () => void = () => undefined;
  #waiting: (() => void)[] = [];

  constructor(options: NodeKeeperOptions) {
    this.#options = options;
    this.#addresses = machineAddresses(options.isPodInterface);
    this.#node = this.#build('the runtime has not answered yet', { memory: false, disk: false, pid: false });
  }

  get node(): Node {
    return this.#node;
  }

  addresses(): readonly string[] {
    return this.#addresses;
  }

  runtimeName(): string {
    return this.#info?.name ?? 'containerd';
  }

  refresh(): void {
    this.#asked++;
    this.#wake();
  }

  observation(): Promise<void> {
    const observed = new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.refresh();
    return observed;
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock, report } = this.#options;
    for (let round = 0; !signal.aborted; round++) {
      const before = JSON.stringify(this.#node);
      const asked = this.#asked;
      const waiting = this.#waiting;
      this.#waiting = [];
      await this.#observe(round % imagesEvery === 0, signal);
      if (!signal.aborted && JSON.stringify(this.#node) !== before) report(this.#node);
      for (const resolve of waiting) resolve();
      if (asked !== this.#asked) continue;
      const wait = new AbortController();
      this.#wake = () => wait.abort();
      await clock.sleep(interval, AbortSignal.any([signal, wait.signal])).catch(() => undefined);
    }
  }

  async #observe(withImages: boolean, signal: AbortSignal): Promise<void> {
    const { runtime, home, isPodInterface, networkProblem, log } = this.#options;
    this.#addresses = machineAddresses(isPodInterface);
    let problem: string | undefined;
    try {
      this.#info = await runtime.info(signal);
      const conditions = await runtime.conditions();
      if (withImages || this.#images.length === 0) this.#images = await runtime.listImages();
      problem = networkProblem();
      const failing = conditions.find(({ status }) => !status);
      if (failing !== undefined) problem ??= `the runtime is not ready: ${failing.type}: ${failing.reason} ${failing.message}`.trim();
    } catch (error) {
      if (signal.aborted) return;
      problem = `the runtime does not answer: ${messageOf(error)}`;
      log.warn('the runtime does not answer', { error: messageOf(error) });
    }
    this.#node = this.#build(problem, await readPressure(home));
  }

  #build(problem: string | undefined, pressure: { memory: boolean; disk: boolean; pid: boolean }): Node {
    const { name, facts, labels, maximumPods, volumeDirectory, version, clock } = this.#options;
    return observedNode({
      name,
      facts,
      addresses: this.#addresses,
      labels,
      maximumPods,
      volumeDirectory,
      runtime: this.#info,
      problem,
      pressure,
      images: this.#images,
      version,
      previous: this.#node,
      now: clock.now(),
    });
  }
}
