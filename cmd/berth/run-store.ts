/** `berth store`: on the store itself, with no server between. */
import { resolve } from 'node:path';
import { messageOf } from '#base/errors';
import { createLogger } from '#base/logging';
import { berthHome } from '#cli/home';
import { findProcess } from '#cli/processes';
import { exitCodes, UsageError, type VerbContext } from '#cli/verb';
import { exportCluster, importCluster, restoreCluster, type StoreOptions } from '#server/stores';
import { type ResolvedStoreFlags, rememberStore, resolveStoreFlags, type StoreFlags, storeOf } from './store-flags.ts';

export async function runExport(file: string, flags: StoreFlags, context: VerbContext): Promise<number> {
  const path = resolve(context.workingDirectory, file);
  const { options } = await openOptions(flags, context);
  const { keys, revision } = await attempt(exportCluster(options, path));
  context.stdout.write(`${keys} keys at revision ${revision} are in ${path}. Keep it as a secret: the cluster's are in it.\n`);
  return exitCodes.ok;
}

export async function runImport(file: string, flags: StoreFlags, context: VerbContext): Promise<number> {
  const path = resolve(context.workingDirectory, file);
  const { options, resolved } = await openOptions(flags, context);
  const { keys, revision } = await attempt(importCluster(options, path));
  await rememberStore(berthHome(context), resolved);
  context.stdout.write(
    `${keys} keys, as they were at revision ${revision}, are in the store ${options.store}, with which this $BERTH_HOME goes on. Start the server on it with the same $BERTH_HOME/pki: the certificates of nodes and users are from there.\n`,
  );
  return exitCodes.ok;
}

export async function runRestore(flags: StoreFlags, context: VerbContext): Promise<number> {
  const { options } = await openOptions(flags, context);
  const revision = await attempt(restoreCluster(options));
  context.stdout.write(`The store goes on above revision ${revision}. Start the server.\n`);
  return exitCodes.ok;
}

async function openOptions(
  flags: StoreFlags,
  context: VerbContext,
): Promise<{ readonly options: StoreOptions; readonly resolved: ResolvedStoreFlags }> {
  const home = berthHome(context);
  const running = await findProcess(home.run, 'server');
  if (running !== undefined)
    throw new UsageError(`a server runs here (process ${running.pid})`, 'End it with `berth down`; containers go on.');
  const resolved = await resolveStoreFlags(flags, context);
  const options: StoreOptions = {
    home: home.directory,
    ...(await storeOf(resolved, context)),
    clock: context.clock,
    signal: context.signal,
    log: createLogger({ format: 'text' }),
  };
  return { options, resolved };
}

/** What is in the way is for the operator to mend. */
async function attempt<T>(action: Promise<T>): Promise<T> {
  try {
    return await action;
  } catch (error) {
    throw new UsageError(messageOf(error));
  }
}
