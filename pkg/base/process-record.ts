/**
 * Names a process beyond its number: numbers are used again, after a reboot at the latest. A record on disk outlives whoever wrote it, so that the
 * next one finds (and never mistakes) what was left running.
 */
import { readFileSync } from 'node:fs';
import { codeOf } from './errors.ts';

export interface ProcessRecord {
  readonly pid: number;
  /** The kernel's ticks at the process' start. */
  readonly startTime: string;
  readonly bootId: string;
}

/** Undefined: there is no such process now. */
export function recordOf(pid: number): ProcessRecord | undefined {
  const startTime = startTimeOf(pid);
  return startTime === undefined ? undefined : { pid, startTime, bootId: currentBootId() };
}

export function isRunning(record: ProcessRecord): boolean {
  return record.bootId === currentBootId() && startTimeOf(record.pid) === record.startTime;
}

export function currentBootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
}

/** Undefined for no file and for one that says nothing (a crash in the middle of writing it). */
export function readProcessRecord(path: string): ProcessRecord | undefined {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
  try {
    const record = JSON.parse(text) as Partial<ProcessRecord>;
    const { pid, startTime, bootId } = record;
    return pid === undefined || startTime === undefined || bootId === undefined ? undefined : { pid, startTime, bootId };
  } catch {
    return undefined;
  }
}

/** Undefined: no such process, or a dead one that nobody has waited for. */
function startTimeOf(pid: number): string | undefined {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ESRCH') return undefined;
    throw error;
  }
  // The second field, the name, may hold anything but ends with the last parenthesis.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields[0] === 'Z' ? undefined : fields[19];
}
