/** Takes an agent off its machine, with all that it made: the end that `berth down --purge` needs. */
import { execFile } from 'node:child_process';
import { readFile, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import type { Clock } from '#base/clock';
import type { Logger } from '#base/logging';
import { cgroupParentOf } from './agent.ts';
import { openCgroups } from './cgroups.ts';
import { removeNetwork } from './network/remove-network.ts';
import { removeContainerd } from './runtime/containerd/remove.ts';

export interface RemoveAgentOptions {
  /** `$BERTH_HOME`; no agent may run in it. */
  readonly home: string;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Containers, then the network that they used, cgroups, mounts, and what the agent kept. Idempotent. */
export async function removeAgent({ home, clock, log }: RemoveAgentOptions): Promise<void> {
  await removeContainerd({ home, clock, log });
  await removeNetwork(home);
  await (await openCgroups({ parent: cgroupParentOf(home) })).removeParent();
  for (const mount of await mountsUnder(resolve(home))) await promisify(execFile)('umount', ['--lazy', mount]);
  await rm(join(home, 'agent'), { recursive: true, force: true });
}

/** Deepest first. */
async function mountsUnder(directory: string): Promise<string[]> {
  const table = await readFile('/proc/self/mounts', 'utf8');
  const unescape = (path: string): string =>
    path.replaceAll(/\\(\d{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
  return table
    .split('\n')
    .map((line) => unescape(line.split(' ')[1] ?? ''))
    .filter((path) => path.startsWith(`${directory}/`))
    .toSorted((a, b) => b.length - a.length);
}
