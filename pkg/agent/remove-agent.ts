/** Takes an agent off its machine, with all that it made: the end that `berth down --purge` needs. */
import { execFile } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import type { Clock } from '#base/clock';
import type { Logger } from '#base/logging';
import { cgroupParentOf } from './agent.ts';
import { openCgroups } from './cgroups.ts';
import { removeNetwork } from './network/remove-network.ts';
import { removeContainerd } from './runtime/containerd/remove.ts';
import { hostMounter } from './volumes/mounter.ts';

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
  for (const mount of await hostMounter.mountsBelow(resolve(home))) await promisify(execFile)('umount', ['--lazy', mount]);
  await rm(join(home, 'agent'), { recursive: true, force: true });
}
