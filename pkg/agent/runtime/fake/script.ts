/** What a fake runtime does, as data: which images there are, and what their containers do. */
import type { ContainerConfig, RuntimeErrorCode } from '../runtime.ts';

export interface FakeBehaviour {
  /** Runs on unless given. */
  readonly exitAfterMilliseconds?: number;
  /** 0 unless given. */
  readonly exitCode?: number;
  /** Ends by the kernel's hand: code 137, `OOMKilled`. */
  readonly outOfMemory?: boolean;
  /** Written to the container's log when it starts, one line each. */
  readonly output?: readonly string[];
  /** Does nothing about TERM: ends only when the grace period is over. */
  readonly ignoresTerm?: boolean;
  /** The start fails with this. */
  readonly startFailure?: FakeFailure;
  /** Commands in the running container, by their words joined with a space; any other is `NotFound`. */
  readonly commands?: Readonly<Record<string, FakeCommand>>;
}

export interface FakeCommand {
  readonly exitCode?: number;
  readonly stdout?: string;
  readonly stderr?: string;
  /** How long it takes; 0 unless given. */
  readonly milliseconds?: number;
}

export interface FakeFailure {
  readonly code: RuntimeErrorCode;
  readonly message: string;
}

export interface FakeImage {
  /** Present from the beginning; else it must be pulled. */
  readonly present?: boolean;
  readonly pullMilliseconds?: number;
  readonly pullFailure?: FakeFailure;
  /** Bytes; 1 MiB unless given. */
  readonly size?: number;
  readonly uid?: number;
  readonly userName?: string;
  /** By attempt, the last one for all further attempts; or decided by what the container was made with. */
  readonly containers?: readonly FakeBehaviour[] | ((config: ContainerConfig) => FakeBehaviour);
}

export interface FakeScript {
  /** By reference; `*` stands for every other name. */
  readonly images: Readonly<Record<string, FakeImage>>;
  /** What starting a sandbox takes; 0 unless given. */
  readonly sandboxMilliseconds?: number;
  /** Each sandbox that is to fail, by pod name. */
  readonly sandboxFailures?: Readonly<Record<string, FakeFailure>>;
}

/** Every image is there and its containers run on: what a simulated node needs. */
export const everythingRuns: FakeScript = { images: { '*': { present: true } } };

export function behaviourOf(image: FakeImage, config: ContainerConfig): FakeBehaviour {
  const { containers } = image;
  if (containers === undefined) return {};
  if (typeof containers === 'function') return containers(config);
  return containers[Math.min(config.attempt, containers.length - 1)] ?? {};
}
