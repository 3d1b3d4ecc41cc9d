/** The `berth` command in the test's own process: its words in, what it printed and its exit code out. */
import { Readable, Writable } from 'node:stream';
import { type Clock, systemClock } from '#base/clock';
import { runProgram } from '#cli/program';
import type { CommandResult } from './commands.ts';

export interface CommandLine {
  readonly kubeconfig: string;
  readonly workingDirectory: string;
  readonly environment?: Readonly<Record<string, string>>;
  readonly input?: string;
  readonly clock?: Clock;
  readonly signal?: AbortSignal;
  /** Whether stderr is a terminal. */
  readonly terminal?: boolean;
}

export async function runBerth(argv: readonly string[], line: CommandLine): Promise<CommandResult & { readonly code: number }> {
  const [stdout, stderr] = [new Collector(), new Collector()];
  if (line.terminal === true) Object.assign(stderr, { isTTY: true, columns: 100 });
  const code = await runProgram(argv, {
    stdin: Readable.from(line.input === undefined ? [] : [Buffer.from(line.input)]),
    stdout,
    stderr,
    environment: { KUBECONFIG: line.kubeconfig, ...line.environment },
    workingDirectory: line.workingDirectory,
    clock: line.clock ?? systemClock,
    signal: line.signal ?? new AbortController().signal,
  });
  return { code, stdout: stdout.text, stderr: stderr.text };
}

/** Time that passes `times` as fast as it should. */
export function hurriedClock(times: number): Clock {
  return {
    now: () => Date.now(),
    monotonic: () => performance.now() * times,
    sleep: (ms, signal) => systemClock.sleep(ms / times, signal),
    schedule: (ms, callback) => systemClock.schedule(ms, callback),
  };
}

class Collector extends Writable {
  text = '';

  override _write(chunk: Buffer | string, _encoding: string, done: () => void): void {
    this.text += chunk.toString();
    done();
  }
}
