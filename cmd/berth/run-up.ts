/**
 * `berth up`: keeps a server and an agent running on this machine as processes of their own. If this process is killed, they go on, and the
 * next `berth up` takes them up again; if one of them ends, it is started again with back-off. One that cannot even start ends it, saying why.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, open, readFile, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { isRunning, recordOf } from '#base/process-record';
import { connect } from '#cli/connection';
import { type BerthHome, berthHome } from '#cli/home';
import { createJoinToken } from '#cli/join-tokens';
import { findProcess, recordProcess, stopProcess } from '#cli/processes';
import { exitCodes, UsageError, type VerbContext } from '#cli/verb';
import { awaitNode, awaitServer } from './await-cluster.ts';
import { portOf } from './flags.ts';
import { environmentOf, keepRunning, lastLines, mainScript, stopGrace } from './keep-running.ts';
import { checkPorts, checkUser } from './machine-checks.ts';
import { type ResolvedStoreFlags, resolveStoreFlags, type StoreFlags, serverTokenOf, storeArguments, storeOf } from './store-flags.ts';

export interface UpFlags extends StoreFlags {
  readonly detach?: boolean;
  readonly port: string;
  readonly agentPort: string;
  readonly clusterCidr: string;
  readonly serviceCidr: string;
  readonly serverTokenFile?: string;
  readonly nodeName?: string;
  readonly containerd?: string;
  readonly logLevel: string;
}

type ResolvedUpFlags = UpFlags & ResolvedStoreFlags;

export async function runUp(given: UpFlags, context: VerbContext): Promise<number> {
  const home = berthHome(context);
  const ports = [
    { flag: '--port', port: portOf('--port', given.port) },
    { flag: '--agent-port', port: portOf('--agent-port', given.agentPort) },
  ];
  const any = ports.find(({ port }) => port === 0);
  if (any !== undefined) throw new UsageError(`${any.flag} is a port from 1 to 65535: server and agent must both know it`);
  checkUser(given);
  const running = await findProcess(home.run, 'up');
  if (running !== undefined) {
    if (!given.detach) throw new UsageError(`\`berth up\` already runs here (process ${running.pid})`, '`berth down` ends it.');
    await awaitServer(home, context);
    context.stdout.write(`Berth runs on this machine already, with its state in ${home.directory}.\n`);
    return exitCodes.ok;
  }
  const flags = { ...given, ...(await resolveStoreFlags(given, context)) };
  const { store } = await storeOf(flags, context);
  await serverTokenOf(flags.serverTokenFile, store, context);
  if ((await findProcess(home.run, 'server')) === undefined) await checkPorts(ports);
  await mkdir(home.logs, { recursive: true, mode: 0o700 });
  return flags.detach ? await detach(home, flags, context) : await supervise(home, flags, context);
}

/** In this process, until it is interrupted. */
async function supervise(home: BerthHome, flags: ResolvedUpFlags, context: VerbContext): Promise<number> {
  await recordProcess(home.run, 'up', process.pid);
  const failed = new AbortController();
  const signal = AbortSignal.any([context.signal, failed.signal]);
  const inner: VerbContext = { ...context, signal };
  const well = { server: false, agent: false };
  const guarded = async (part: Promise<void>): Promise<void> => {
    try {
      await part;
    } catch (error) {
      failed.abort();
      if (!context.signal.aborted && !(signal.aborted && error === signal.reason)) throw error;
    }
  };
  const parts = [
    keepRunning(home, inner, { name: 'server', arguments: () => serverArguments(flags, context), wasWell: () => well.server }, signal),
    (async () => {
      await awaitServer(home, inner);
      well.server = true;
      await keepRunning(
        home,
        inner,
        { name: 'agent', arguments: () => agentArguments(home, inner, flags), wasWell: () => well.agent },
        signal,
      );
    })(),
    (async () => {
      await awaitServer(home, inner);
      await awaitNode(home, inner);
      well.agent = true;
      context.stdout.write(`Berth runs on this machine. Its kubeconfig is ${home.kubeconfig}; its logs are in ${home.logs}.\n`);
    })(),
  ];
  try {
    const results = await Promise.allSettled(parts.map(guarded));
    const reasons = results.flatMap((result) => (result.status === 'rejected' ? [result.reason as unknown] : []));
    if (reasons.length > 0) throw reasons[0];
    return exitCodes.ok;
  } finally {
    await rm(join(home.run, 'up.json'), { force: true });
  }
}

/** In a process of its own, which is left running once all is well, and ended where that does not come about. */
async function detach(home: BerthHome, flags: ResolvedUpFlags, context: VerbContext): Promise<number> {
  const path = join(home.logs, 'up.log');
  const log = await open(path, 'a', 0o600);
  const from = (await log.stat()).size;
  const child = spawn(process.execPath, [mainScript, 'up', ...upArguments(flags, context)], {
    detached: true,
    stdio: ['ignore', log.fd, log.fd],
    env: environmentOf(home, context),
    cwd: '/',
  });
  child.unref();
  await log.close();
  const settled = new AbortController();
  const inner: VerbContext = { ...context, signal: AbortSignal.any([context.signal, settled.signal]) };
  const ready = (async () => {
    await awaitServer(home, inner);
    await awaitNode(home, inner);
  })();
  try {
    const ended = await Promise.race([ready.then(() => false), endOf(child).then(() => true)]);
    if (ended) throw new UsageError(`\`berth up\` could not start${lastLines((await readFile(path)).subarray(from).toString('utf8'))}`);
  } catch (error) {
    await stopDetached(child, context);
    throw error;
  } finally {
    settled.abort();
    ready.catch(() => undefined);
  }
  context.stdout.write(`Berth runs on this machine. Its kubeconfig is ${home.kubeconfig}; its logs are in ${home.logs}.\n`);
  return exitCodes.ok;
}

async function stopDetached(child: ChildProcess, context: VerbContext): Promise<void> {
  const record = child.pid === undefined ? undefined : recordOf(child.pid);
  // It ends server and agent in their order, which takes as long as theirs.
  if (record !== undefined && isRunning(record)) await stopProcess(record, 2 * stopGrace, context.clock);
}

function endOf(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    child.once('exit', () => resolve());
    child.once('error', () => resolve());
  });
}

function upArguments(flags: ResolvedUpFlags, context: VerbContext): string[] {
  return [...serverArguments(flags, context).slice(1), ...nodeArguments(flags)];
}

function serverArguments(flags: ResolvedUpFlags, context: VerbContext): string[] {
  return [
    'server',
    ...storeArguments(flags),
    ...(flags.serverTokenFile === undefined ? [] : ['--server-token-file', resolve(context.workingDirectory, flags.serverTokenFile)]),
    ...['--port', flags.port],
    ...['--agent-port', flags.agentPort],
    ...['--cluster-cidr', flags.clusterCidr],
    ...['--service-cidr', flags.serviceCidr],
    ...['--log-level', flags.logLevel],
  ];
}

function nodeArguments(flags: ResolvedUpFlags): string[] {
  return [
    ...(flags.nodeName === undefined ? [] : ['--node-name', flags.nodeName]),
    ...(flags.containerd === undefined ? [] : ['--containerd', flags.containerd]),
  ];
}

async function agentArguments(home: BerthHome, context: VerbContext, flags: ResolvedUpFlags): Promise<readonly string[]> {
  const options = ['agent', '--server', `127.0.0.1:${flags.agentPort}`, '--log-level', flags.logLevel, ...nodeArguments(flags)];
  if (existsSync(join(home.agent, 'node.crt'))) return options;
  const tokenFile = join(home.run, 'join-token');
  const connection = await connect(context, { kubeconfig: home.kubeconfig });
  try {
    const token = await createJoinToken(connection, context.clock, { lifetimeSeconds: 600, description: 'made by berth up' });
    await writeFile(tokenFile, `${token}\n`, { mode: 0o600 });
  } finally {
    connection.close();
  }
  return [...options, '--token-file', tokenFile];
}
