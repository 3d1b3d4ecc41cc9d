/** The processes that `berth up` keeps on this machine, each recorded in a file of its own. */
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '#base/clock';
import { codeOf } from '#base/errors';
import { isRunning, type ProcessRecord, readProcessRecord, recordOf } from '#base/process-record';

/** Records a running process; throws when there is none with this id. */
export async function recordProcess(directory: string, name: string, pid: number): Promise<void> {
  const record = recordOf(pid);
  if (record === undefined) throw new Error(`process ${pid} (${name}) ended before it could be recorded`);
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const path = join(directory, `${name}.json`);
  await writeFile(`${path}.new`, JSON.stringify(record));
  await rename(`${path}.new`, path);
}

/** The recorded process if it still runs; a stale record is removed. */
export async function findProcess(directory: string, name: string): Promise<ProcessRecord | undefined> {
  const path = join(directory, `${name}.json`);
  const record = readProcessRecord(path);
  if (record === undefined || isRunning(record)) return record;
  await rm(path, { force: true });
  return undefined;
}

/** Asks the process to end, and kills it after `graceMilliseconds`; resolves when it is gone. */
export async function stopProcess(record: ProcessRecord, graceMilliseconds: number, clock: Clock): Promise<void> {
  const deadline = clock.monotonic() + graceMilliseconds;
  let signal: 'SIGTERM' | 'SIGKILL' | undefined = 'SIGTERM';
  while (isRunning(record)) {
    if (signal !== undefined) sendSignal(record.pid, signal);
    signal = signal === 'SIGTERM' || clock.monotonic() < deadline ? undefined : 'SIGKILL';
    await clock.sleep(50);
  }
}

function sendSignal(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    // It ended in between.
    if (codeOf(error) !== 'ESRCH') throw error;
  }
}
