/** Keeps a process of Berth's running: one that runs already is taken up, one that ends is started again with back-off. */
import { spawn } from 'node:child_process';
import { open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { backoffDelay } from '#base/backoff';
import { messageOf } from '#base/errors';
import { isRunning, type ProcessRecord } from '#base/process-record';
import type { BerthHome } from '#cli/home';
import { findProcess, recordProcess, stopProcess } from '#cli/processes';
import { UsageError, type VerbContext } from '#cli/verb';

export const mainScript = fileURLToPath(new URL('./main.js', import.meta.url));

const restart = { initial: 500, maximum: 30_000 };
/** One that ran for so long was well: what ended it is no fault of how it was started. */
const wellAfter = 60_000;
/** How long a process may take to end. */
export const stopGrace = 20_000;

export interface KeptProcess {
  readonly name: 'server' | 'agent';
  arguments(): readonly string[] | Promise<readonly string[]>;
  /** Whether it has ever done its work: one that ends before that is not started again, since it would end the same way. */
  wasWell(): boolean;
}

/** Until `signal` aborts; then the process is ended. Throws `UsageError` with its last words when it ends before it was well. */
export async function keepRunning(home: BerthHome, context: VerbContext, kept: KeptProcess, signal: AbortSignal): Promise<void> {
  const { name } = kept;
  let failures = 0;
  while (!signal.aborted) {
    const began = context.clock.monotonic();
    const adopted = await findProcess(home.run, name);
    if (adopted === undefined) await runChild(home, context, kept, signal);
    else await followProcess(context, adopted, signal);
    if (signal.aborted) return;
    failures = context.clock.monotonic() - began > wellAfter ? 0 : failures + 1;
    const delay = backoffDelay(restart, Math.max(0, failures - 1));
    context.stderr.write(`the ${name} ended; it is started again in ${Math.round(delay)} ms\n`);
    await context.clock.sleep(delay, signal).catch(() => undefined);
  }
}

async function runChild(home: BerthHome, context: VerbContext, kept: KeptProcess, signal: AbortSignal): Promise<void> {
  const { name } = kept;
  const path = join(home.logs, `${name}.log`);
  const options = await kept.arguments();
  const log = await open(path, 'a', 0o600);
  const from = (await log.stat()).size;
  const child = spawn(process.execPath, [mainScript, ...options], {
    // Out of the terminal's reach: an interrupt comes to this process alone, which then ends the others in their order.
    detached: true,
    stdio: ['ignore', log.fd, log.fd],
    env: environmentOf(home, context),
    cwd: '/',
  });
  const ended = new Promise<string>((resolve) => {
    child.once('exit', (code, by) => resolve(by === null ? `ended with exit code ${code}` : `was ended by ${by}`));
    child.once('error', (error) => resolve(`could not be started: ${messageOf(error)}`));
  });
  await log.close();
  if (child.pid !== undefined) await recordProcess(home.run, name, child.pid).catch(() => undefined);
  const onAbort = (): void => void endProcess(home, context, name);
  signal.addEventListener('abort', onAbort, { once: true });
  if (signal.aborted) onAbort();
  const how = await ended;
  signal.removeEventListener('abort', onAbort);
  if (signal.aborted || kept.wasWell()) return;
  const words = (await readFile(path)).subarray(from).toString('utf8');
  throw new UsageError(`the ${name} ${how}${lastLines(words)}`, `Its log is ${path}.`);
}

/** Of a process that is no child of ours the kernel tells no end: it is looked at twice a second. */
async function followProcess(context: VerbContext, record: ProcessRecord, signal: AbortSignal): Promise<void> {
  while (isRunning(record)) {
    if (signal.aborted) {
      await stopProcess(record, stopGrace, context.clock);
      return;
    }
    await context.clock.sleep(500, signal).catch(() => undefined);
  }
}

async function endProcess(home: BerthHome, context: VerbContext, name: string): Promise<void> {
  const record = await findProcess(home.run, name);
  if (record !== undefined) await stopProcess(record, stopGrace, context.clock);
}

/** For the processes that this one starts. */
export function environmentOf(home: BerthHome, context: VerbContext): NodeJS.ProcessEnv {
  return { ...context.environment, BERTH_HOME: home.directory };
}

/** The last few, each indented on a line of its own; empty for none. */
export function lastLines(text: string, count = 5): string {
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  return lines
    .slice(-count)
    .map((line) => `\n  ${line.replace(/^error: /, '')}`)
    .join('');
}
