/** `berth exec`: a command in a container of a pod, or of the first running pod of a stack or a workload. */
import { pods } from '#api/shapes/resources';
import { type Connection, type GlobalFlags, pathOf, withConnection } from './connection.ts';
import { memberPods } from './member-pods.ts';
import { runRemoteCommand } from './remote-command.ts';
import { UsageError, type VerbContext } from './verb.ts';

export interface ExecFlags {
  readonly stdin?: boolean;
  readonly tty?: boolean;
  readonly container?: string;
  readonly service?: string;
}

/** The command's exit code. */
export async function runExec(
  context: VerbContext,
  globals: GlobalFlags,
  word: string,
  command: readonly string[],
  flags: ExecFlags,
): Promise<number> {
  const tty = flags.tty === true && context.stdin.isTTY === true;
  if (flags.tty && !tty) context.stderr.write('Unable to use a TTY - input is not a terminal\n');
  const stdin = flags.stdin === true;
  const query = new URLSearchParams({ stdout: 'true' });
  if (stdin) query.set('stdin', 'true');
  if (tty) query.set('tty', 'true');
  else query.set('stderr', 'true');
  if (flags.container !== undefined) query.set('container', flags.container);
  for (const part of command) query.append('command', part);
  return await withConnection(context, globals, async (connection) => {
    const name = await findPod(connection, word, flags.service);
    const path = `${pathOf(pods, connection.namespace, name, 'exec')}?${query.toString()}`;
    return await runRemoteCommand(context, connection, { path, stdin, tty });
  });
}

async function findPod(connection: Connection, word: string, service: string | undefined): Promise<string> {
  const own = /^(?:pods?\/)?([^/]+)$/.exec(word)?.[1];
  if (own !== undefined && service === undefined) return own;
  const members = await memberPods(connection, word, service);
  const running = members.find((pod) => pod.status?.phase === 'Running');
  if (running === undefined)
    throw new UsageError(
      `${word} has no pod that runs`,
      members.length === 0 ? 'berth get pods shows what there is.' : `berth why ${word} says why.`,
    );
  return running.metadata.name ?? '';
}
