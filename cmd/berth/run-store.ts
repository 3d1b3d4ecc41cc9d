/** `berth store`: on the store itself, with no server between. */
import { resolve } from 'node:path';
import { messageOf } from '#base/errors';
import { createLogger } from '#base/logging';
import { berthHome } from '#cli/home';
import { findProcess } from '#cli/processes';
import { exitCodes, UsageError, type VerbContext } from '#cli/verb';
import { exportCluster, importCluster, restoreCluster, type StoreOptions } from '#server/stores';
import { type StoreFlags, storeOf } from './store-flags.ts';

export async function runExport(file: string, flags: StoreFlags, context: VerbContext): Promise<number> {
  const path = resolve(context.workingDirectory, file);
  const { keys, revision } = await attempt(exportCluster(await optionsOf(flags, context), path));
  context.stdout.write(`${keys} keys at revision ${revision} are in ${path}. Keep it as a secret: the cluster's are in it.\n`);
  return exitCodes.ok;
}

export async function runImport(file: string, flags: StoreFlags, context: VerbContext): Promise<number> {
  const path = resolve(context.workingDirectory, file);
  const { keys, revision } = await attempt(importCluster(await optionsOf(flags, context), path));
  context.stdout.write(
    `${keys} keys, as they were at revision ${revision}, are in the store ${flags.store}. Start the server on it with the same $BERTH_HOME/pki: the certificates of nodes and users are from there.\n`,
  );
  return exitCodes.ok;
}

export async function runRestore(flags: StoreFlags, context: VerbContext): Promise<number> {
  const revision = await attempt(restoreCluster(await optionsOf(flags, context)));
  context.stdout.write(`The store goes on above revision ${revision}. Start the server.\n`);
  return exitCodes.ok;
}

async function optionsOf(flags: StoreFlags, context: VerbContext): Promise<StoreOptions> {
  const home = berthHome(context);
  const running = await findProcess(home.run, 'server');
  if (running !== undefined)
    throw new UsageError(`a server runs here (process ${running.pid})`, 'End it with `berth down`; containers go on.');
  return {
    home: home.directory,
    ...(await storeOf(flags, context)),
    clock: context.clock,
    signal: context.signal,
    log: createLogger({ format: 'text' }),
  };
}

/** What is in the way is for the operator to mend. */
async function attempt<T>(action: Promise<T>): Promise<T> {
  try {
    return await action;
  } catch (error) {
    throw new UsageError(messageOf(error));
  }
}
