/**
 * The processes that `berth up` keeps on this machine. Each writes its id, with the time it started as the kernel tells it, into a file of its
 * own, so that an id that the kernel gave to another program since is never taken for ours.
 */
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '#base/clock';

export interface ProcessRecord {
  readonly name: string;
  readonly pid: number;
  /** Field 22 of /proc/PID/stat: clock ticks since boot. */
  readonly startTicks: string;
}

/** Records a running process; throws when there is none with this id. */
export async function recordProcess(directory: string, name: string, pid: number): Promise<void> {
  const startTicks = await startTicksOf(pid);
  if (startTicks === undefined) throw new Error(`process ${pid} (${name}) ended before it could be recorded`);
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const path = join(directory, `${name}.json`);
  await writeFile(`${path}.new`, JSON.stringify({ name, pid, startTicks }));
  await rename(`${path}.new`, path);
}

/** The recorded process if it still runs; a stale record is removed. */
export async function findProcess(directory: string, name: string): Promise<ProcessRecord | undefined> {
  const path = join(directory, `${name}.json`);
  const text = await readFile(path, 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  const record = JSON.parse(text) as ProcessRecord;
  if ((await startTicksOf(record.pid)) === record.startTicks) return record;
  await rm(path, { force: true });
  return undefined;
}

/** Asks the process to end, and kills it after `graceMilliseconds`; resolves when it is gone. */
export async function stopProcess(record: ProcessRecord, graceMilliseconds: number, clock: Clock): Promise<void> {
  process.kill(record.pid, 'SIGTERM');
  const deadline = clock.monotonic() + graceMilliseconds;
  let killed = false;
  while ((await startTicksOf(record.pid)) === record.startTicks) {
    if (!killed && clock.monotonic() > deadline) {
      process.kill(record.pid, 'SIGKILL');
      killed = true;
    }
    await clock.sleep(50);
  }
}

/** Undefined: no such process, or a zombie. */
async function startTicksOf(pid: number): Promise<string | undefined> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return fields[0] === 'Z' ? undefined : fields[19];
}
