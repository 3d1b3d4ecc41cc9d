/**
 * What a verb of the `berth` command is. Each stands in a file of its own under verbs/ and is listed in verbs/index.ts; it declares its
 * arguments and flags with commander and imports what it needs only when it runs, so that `berth --help` starts nothing but commander.
 * Invariant: a verb writes results to stdout, everything else to stderr, and gives its exit code; it never ends the process itself.
 */
import type { Readable, Writable } from 'node:stream';
import type { Command } from 'commander';
import type { Clock } from '#base/clock';

/** Exit codes that scripts may rely on. */
export const exitCodes = { ok: 0, error: 1, unschedulable: 2 } as const;

/** The world as a verb sees it; the process's own in `cmd/berth`, a test's in tests. */
export interface VerbContext {
  readonly stdin: Readable & { readonly isTTY?: boolean };
  readonly stdout: Writable & { readonly isTTY?: boolean; readonly columns?: number };
  readonly stderr: Writable & { readonly isTTY?: boolean; readonly columns?: number };
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly workingDirectory: string;
  readonly clock: Clock;
  /** Aborts on an interrupt. */
  readonly signal: AbortSignal;
}

export interface Verb {
  /** Adds the command with its arguments, flags and help to the program; `run` is called with what was parsed and its exit code is the process's. */
  declare(program: Command, run: (action: (context: VerbContext) => Promise<number>) => Promise<void>): void;
}

/** A mistake in how a verb was called, or a condition that its user can mend: printed without a stack, exit code 1. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
  /** The next command to try, or what to change. */
  readonly next: string | undefined;
  /** The server could not be reached; it may be in a moment. */
  readonly unreachable: boolean;

  constructor(message: string, next?: string, options: { readonly unreachable?: boolean } = {}) {
    super(message);
    this.next = next;
    this.unreachable = options.unreachable ?? false;
  }
}
