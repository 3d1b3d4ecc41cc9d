/**
 * Bounds the logs of running containers: a file past its size is renamed and the runtime told to open a new one; of the renamed, the newest are
 * kept. Looks at sizes once a second: a stat per container is cheaper than a wake-up per line, and in a second even the fastest writer does not get far.
 */
import { rename, rm, stat } from 'node:fs/promises';
import type { Clock } from '#base/clock';
import { codeOf, messageOf } from '#base/errors';
import type { Runnable } from '#base/lifecycle';
import type { Logger } from '#base/logging';
import { logFilesOf } from './read-logs.ts';

export interface LogRotationOptions {
  /** The running containers and their current log files. */
  readonly running: () => readonly { readonly id: string; readonly logPath: string }[];
  readonly reopen: (id: string) => Promise<void>;
  readonly clock: Clock;
  readonly log: Logger;
  /** Bytes of one file; 10 MiB unless given. */
  readonly maximumSize?: number;
  /** Files of one container, the current one included; 5 unless given. They are fewer where they came out larger than a file should be. */
  readonly maximumFiles?: number;
}

const interval = 1000;

export function createLogRotation(options: LogRotationOptions): Runnable {
  return {
    name: 'log rotation',
    async run(signal) {
      while (!signal.aborted) {
        for (const container of options.running()) {
          await rotateIfLarge(container.logPath, () => options.reopen(container.id), options).catch((error: unknown) =>
            options.log.warn('cannot rotate a log', { path: container.logPath, error: messageOf(error) }),
          );
        }
        await options.clock.sleep(interval, signal).catch(() => undefined);
      }
    },
  };
}

/** Returns whether it rotated. When the runtime cannot open a new file, the old one gets its name back. */
export async function rotateIfLarge(
  path: string,
  reopen: () => Promise<void>,
  options: Pick<LogRotationOptions, 'clock' | 'maximumSize' | 'maximumFiles'>,
): Promise<boolean> {
  let size: number;
  try {
    size = (await stat(path)).size;
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return false;
    throw error;
  }
  const maximumSize = options.maximumSize ?? 10 * 1024 * 1024;
  if (size < maximumSize) return false;
  const stamp = new Date(options.clock.now()).toISOString().replace(/[-:TZ.]/g, '');
  let target = `${path}.${stamp}`;
  for (let n = 1; await exists(target); n++) target = `${path}.${stamp}-${String(n).padStart(3, '0')}`;
  await rename(path, target);
  try {
    await reopen();
  } catch (error) {
    await rename(target, path);
    throw error;
  }
  const rotated = (await logFilesOf(path)).slice(0, -1);
  const keep = (options.maximumFiles ?? 5) - 1;
  let bytes = 0;
  for (const [age, old] of rotated.toReversed().entries()) {
    if (age > 0 && (age >= keep || bytes >= keep * maximumSize)) await rm(old, { force: true });
    else bytes += (await stat(old)).size;
  }
  return true;
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
