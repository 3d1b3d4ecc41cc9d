import { createLogger } from '#base/logging';
import { berthHome } from '#cli/home';
import { packageVersion } from '#cli/package-version';
import { exitCodes, UsageError, type VerbContext } from '#cli/verb';
import { startServer } from '#server/server';
import { chosenOf, levels, portOf } from './flags.ts';
import { rememberStore, resolveStoreFlags, type StoreFlags, serverTokenOf, storeOf } from './store-flags.ts';

export interface ServerFlags extends StoreFlags {
  readonly home?: string;
  readonly host: string;
  readonly port: string;
  readonly agentPort: string;
  readonly clusterCidr: string;
  readonly serviceCidr: string;
  readonly tlsSan: readonly string[];
  readonly advertiseAddress?: string;
  readonly serverTokenFile?: string;
  readonly logLevel: string;
}

/** `berth server`: until it is asked to end, or one of its parts fails. */
export async function runServer(flags: ServerFlags, context: VerbContext): Promise<number> {
  const log = createLogger({ level: chosenOf('--log-level', flags.logLevel, levels), format: context.stderr.isTTY ? 'text' : 'json' });
  const home = berthHome(context);
  const resolved = await resolveStoreFlags(flags, context);
  const store = await storeOf(resolved, context);
  const serverToken = await serverTokenOf(flags.serverTokenFile, store.store, context);
  const server = await startServer({
    home: home.directory,
    ...store,
    ...(serverToken === undefined ? {} : { serverToken }),
    ...(flags.advertiseAddress === undefined ? {} : { advertiseAddress: flags.advertiseAddress }),
    host: flags.host,
    port: portOf('--port', flags.port),
    agentPort: portOf('--agent-port', flags.agentPort),
    clusterCidr: flags.clusterCidr,
    serviceCidr: flags.serviceCidr,
    tlsSans: flags.tlsSan,
    version: await packageVersion(),
    clock: context.clock,
    log,
  });
  await rememberStore(home, resolved);
  const stop = (): void => void server.stop().catch(() => undefined);
  context.signal.addEventListener('abort', stop, { once: true });
  if (context.signal.aborted) stop();
  context.stdout.write(`The server is ready at ${server.url}; agents dial port ${server.agentPort}.\n`);
  try {
    await server.done;
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
  return exitCodes.ok;
}
