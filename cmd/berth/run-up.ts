/**
 * `berth up`: keeps a server and an agent running on this machine as processes of their own. If this process is killed, they go on, and the
 * next `berth up` takes them up again; if one of them ends, it is started again with back-off.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, open, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { backoffDelay } from '#base/backoff';
import { messageOf } from '#base/errors';
import { isRunning, type ProcessRecord } from '#base/process-record';
import { connect } from '#cli/connection';
import { type BerthHome, berthHome } from '#cli/home';
import { createJoinToken } from '#cli/join-tokens';
import { findProcess, recordProcess } from '#cli/processes';
import { exitCodes, UsageError, type VerbContext } from '#cli/verb';

export interface UpFlags {
  readonly detach?: boolean;
  readonly store: string;
  readonly port: string;
  readonly agentPort: string;
  readonly nodeName?: string;
  readonly containerd?: string;
  readonly logLevel: string;
}

const main = fileURLToPath(new URL('./main.js', import.meta.url));
const restart = { initial: 500, maximum: 30_000 };
const readyWithin = 60_000;

export async function runUp(flags: UpFlags, context: VerbContext): Promise<number> {
  const home = berthHome(context);
  await mkdir(home.logs, { recursive: true, mode: 0o700 });
  const running = await findProcess(home.run, 'up');
  if (running !== undefined) {
    if (!flags.detach) throw new UsageError(`\`berth up\` already runs here (process ${running.pid})`, '`berth down` ends it.');
    await waitUntilReady(home, context, flags);
    context.stdout.write('Berth runs on this machine already.\n');
    return exitCodes.ok;
  }
  if (flags.detach) return await detach(home, flags, context);
  await recordProcess(home.run, 'up', process.pid);
  try {
    const stop = context.signal;
    await Promise.all([
      keepRunning(home, context, 'server', () => [
        'server',
        '--store',
        flags.store,
        '--port',
        flags.port,
        '--agent-port',
        flags.agentPort,
        '--log-level',
        flags.logLevel,
      ]),
      keepRunning(home, context, 'agent', async () => {
        await waitUntilReady(home, context, flags);
        return await agentArguments(home, context, flags);
      }),
    ]);
    return stop.aborted ? exitCodes.ok : exitCodes.error;
  } finally {
    await rm(join(home.run, 'up.json'), { force: true });
  }
}

async function detach(home: BerthHome, flags: UpFlags, context: VerbContext): Promise<number> {
  const log = await open(join(home.logs, 'up.log'), 'a', 0o600);
  const options = ['--store', flags.store, '--port', flags.port, '--agent-port', flags.agentPort, '--log-level', flags.logLevel];
  if (flags.nodeName !== undefined) options.push('--node-name', flags.nodeName);
  if (flags.containerd !== undefined) options.push('--containerd', flags.containerd);
  const child = spawn(process.execPath, [main, 'up', ...options], {
    detached: true,
    stdio: ['ignore', log.fd, log.fd],
    env: environmentOf(home, context),
    cwd: '/',
  });
  child.unref();
  await log.close();
  await waitUntilReady(home, context, flags, child);
  await waitUntilNodeReady(home, context, child);
  context.stdout.write(`Berth runs on this machine. Its kubeconfig is ${home.kubeconfig}; its logs are in ${home.logs}.\n`);
  return exitCodes.ok;
}

/** Starts the process, and again whenever it ends, until the signal aborts; then ends it. One that runs already is taken up. */
async function keepRunning(
  home: BerthHome,
  context: VerbContext,
  name: string,
  argumentsOf: () => readonly string[] | Promise<readonly string[]>,
): Promise<void> {
  let failures = 0;
  while (!context.signal.aborted) {
    const began = context.clock.monotonic();
    try {
      const adopted = await findProcess(home.run, name);
      if (adopted === undefined) await runChild(home, context, name, await argumentsOf());
      else await followProcess(context, adopted);
    } catch (error) {
      if (context.signal.aborted) return;
      context.stderr.write(`${name}: ${messageOf(error)}\n`);
    }
    if (context.signal.aborted) return;
    failures = context.clock.monotonic() - began > 60_000 ? 0 : failures + 1;
    const delay = backoffDelay(restart, Math.max(0, failures - 1));
    context.stderr.write(`${name} ended; it is started again in ${Math.round(delay)} ms\n`);
    await context.clock.sleep(delay, context.signal).catch(() => undefined);
  }
}

async function runChild(home: BerthHome, context: VerbContext, name: string, options: readonly string[]): Promise<void> {
  const log = await open(join(home.logs, `${name}.log`), 'a', 0o600);
  const child = spawn(process.execPath, [main, ...options], {
    detached: true,
    stdio: ['ignore', log.fd, log.fd],
    env: environmentOf(home, context),
    cwd: '/',
  });
  await log.close();
  if (child.pid === undefined) throw new Error('the process could not be started');
  const ended = new Promise<void>((resolve, reject) => {
    child.once('exit', () => resolve());
    child.once('error', reject);
  });
  await recordProcess(home.run, name, child.pid);
  const onAbort = (): void => void child.kill('SIGTERM');
  context.signal.addEventListener('abort', onAbort, { once: true });
  if (context.signal.aborted) onAbort();
  await ended;
  context.signal.removeEventListener('abort', onAbort);
}

/** Of a process that is no child of ours the kernel tells no end: it is looked at twice a second. */
async function followProcess(context: VerbContext, record: ProcessRecord): Promise<void> {
  while (isRunning(record)) {
    if (context.signal.aborted) {
      process.kill(record.pid, 'SIGTERM');
      return;
    }
    await context.clock.sleep(500, context.signal).catch(() => undefined);
  }
}

async function agentArguments(home: BerthHome, context: VerbContext, flags: UpFlags): Promise<readonly string[]> {
  const options = ['agent', '--server', `127.0.0.1:${flags.agentPort}`, '--log-level', flags.logLevel];
  if (flags.nodeName !== undefined) options.push('--node-name', flags.nodeName);
  if (flags.containerd !== undefined) options.push('--containerd', flags.containerd);
  if (existsSync(join(home.agent, 'node.crt'))) return options;
  const tokenFile = join(home.run, 'join-token');
  const connection = await connect({ ...context, environment: environmentOf(home, context) }, { kubeconfig: home.kubeconfig });
  try {
    const token = await createJoinToken(connection, context.clock, { lifetimeSeconds: 600, description: 'made by berth up' });
    await writeFile(tokenFile, `${token}\n`, { mode: 0o600 });
  } finally {
    connection.close();
  }
  return [...options, '--token-file', tokenFile];
}

function environmentOf(home: BerthHome, context: VerbContext): NodeJS.ProcessEnv {
  return { ...context.environment, BERTH_HOME: home.directory };
}

async function waitUntilReady(home: BerthHome, context: VerbContext, flags: UpFlags, child?: ChildProcess): Promise<void> {
  await poll(context, child, home, 'the server did not become ready', async () => {
    if (!existsSync(home.kubeconfig)) return false;
    const connection = await connect(context, { kubeconfig: home.kubeconfig });
    try {
      await (await connection.stream({ path: '/readyz', accept: '*/*' })).resume();
      return true;
    } finally {
      connection.close();
    }
  });
}

async function waitUntilNodeReady(home: BerthHome, context: VerbContext, child: ChildProcess): Promise<void> {
  await poll(context, child, home, 'the node did not become ready', async () => {
    const connection = await connect(context, { kubeconfig: home.kubeconfig });
    try {
      const list = await connection.json<{ items: { status?: { conditions?: { type: string; status: string }[] } }[] }>({
        path: '/api/v1/nodes',
      });
      return list.items.some((node) =>
        node.status?.conditions?.some((condition) => condition.type === 'Ready' && condition.status === 'True'),
      );
    } finally {
      connection.close();
    }
  });
}

async function poll(
  context: VerbContext,
  child: ChildProcess | undefined,
  home: BerthHome,
  failure: string,
  attempt: () => Promise<boolean>,
): Promise<void> {
  const deadline = context.clock.monotonic() + readyWithin;
  let reason = '';
  for (;;) {
    try {
      if (await attempt()) return;
    } catch (error) {
      reason = messageOf(error);
    }
    const ended = child !== undefined && child.exitCode !== null;
    if (ended || context.clock.monotonic() > deadline) {
      const tail = await lastLines(home);
      throw new UsageError(
        `${failure}${ended ? ' (berth up ended)' : ` within ${readyWithin / 1000} s`}${reason === '' ? '' : `: ${reason}`}${tail}`,
        `Its logs are in ${home.logs}.`,
      );
    }
    await context.clock.sleep(100, context.signal);
  }
}

async function lastLines(home: BerthHome): Promise<string> {
  const logs = await Promise.all(['up', 'server', 'agent'].map((name) => readFile(join(home.logs, `${name}.log`), 'utf8').catch(() => '')));
  const lines = logs.flatMap((text) =>
    text
      .trimEnd()
      .split('\n')
      .filter((line) => line !== '')
      .slice(-3),
  );
  return lines.length === 0 ? '' : `\n  ${lines.join('\n  ')}`;
}
