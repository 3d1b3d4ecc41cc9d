import type { Clock } from '#base/clock';
import type { Logger } from '#base/logging';
import type { Runtime } from './runtime.ts';

export interface RuntimeDriverOptions {
  /** Where the runtime listens, e.g. `unix:///run/containerd/containerd.sock`. */
  readonly endpoint: string;
  /** The node's name: what this agent makes is told by it from another's on the same runtime. */
  readonly instance: string;
  readonly clock: Clock;
  readonly log: Logger;
}

/** One way to run containers; `index.ts` lists them. */
export interface RuntimeDriver {
  /** As `--runtime` names it. */
  readonly name: string;
  create(options: RuntimeDriverOptions): Runtime & { close?(): void };
}
