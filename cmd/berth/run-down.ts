/** `berth down`: ends what `berth up` started; with --purge it also takes away all that this home has on the machine. */
import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { removeAgent } from '#agent/remove-agent';
import { createLogger } from '#base/logging';
import { berthHome } from '#cli/home';
import { findProcess, stopProcess } from '#cli/processes';
import { exitCodes, UsageError, type VerbContext } from '#cli/verb';

export interface DownFlags {
  readonly purge?: boolean;
}

const grace = 20_000;

export async function runDown(flags: DownFlags, context: VerbContext): Promise<number> {
  const home = berthHome(context);
  if (flags.purge && process.getuid?.() !== 0 && [join(home.directory, 'containerd'), join(home.directory, 'network')].some(existsSync))
    throw new UsageError('containers and networks were made here by root', 'Run it as root: sudo berth down --purge');
  let ended = 0;
  // The one that would start the others again goes first.
  for (const name of ['up', 'agent', 'server']) {
    const record = await findProcess(home.run, name);
    if (record === undefined) continue;
    await stopProcess(record, grace, context.clock);
    ended++;
  }
  if (flags.purge && existsSync(home.directory)) {
    if (process.getuid?.() === 0) await removeAgent({ home: home.directory, clock: context.clock, log: createLogger({ format: 'text' }) });
    await rm(home.directory, { recursive: true, force: true });
    context.stdout.write(`Berth and all that it made in ${home.directory} are removed.\n`);
  } else if (ended > 0)
    context.stdout.write('Berth has ended. Containers go on; `berth up` takes them up again, `berth down --purge` removes them.\n');
  else context.stdout.write('Nothing of Berth runs here.\n');
  return exitCodes.ok;
}
