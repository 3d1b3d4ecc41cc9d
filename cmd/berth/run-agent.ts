import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { createAgent } from '#agent/agent';
import { messageOf } from '#base/errors';
import { createLogger } from '#base/logging';
import { berthHome } from '#cli/home';
import { packageVersion } from '#cli/package-version';
import { exitCodes, UsageError, type VerbContext } from '#cli/verb';
import { chosenOf, levels, pairsOf } from './flags.ts';

export interface AgentFlags {
  readonly server?: string;
  readonly tokenFile?: string;
  readonly token?: string;
  readonly nodeName?: string;
  readonly containerd?: string;
  readonly label: readonly string[];
  readonly forgetAssignments?: boolean;
  readonly logLevel: string;
}

/** `berth agent`: until it is asked to end; containers go on. */
export async function runAgent(flags: AgentFlags, context: VerbContext): Promise<number> {
  const token = await readToken(flags, context);
  const agent = createAgent({
    home: berthHome(context).directory,
    servers: flags.server === undefined ? [] : flags.server.split(','),
    ...(token === undefined ? {} : { token }),
    ...(flags.nodeName === undefined ? {} : { nodeName: flags.nodeName }),
    ...(flags.containerd === undefined
      ? {}
      : { endpoint: flags.containerd.includes('://') ? flags.containerd : `unix://${flags.containerd}` }),
    labels: pairsOf('--label', flags.label),
    forgetAssignments: flags.forgetAssignments ?? false,
    version: `v${await packageVersion()}`,
    clock: context.clock,
    log: createLogger({ level: chosenOf('--log-level', flags.logLevel, levels), format: context.stderr.isTTY ? 'text' : 'json' }),
  });
  try {
    await agent.run(context.signal);
  } catch (error) {
    throw new UsageError(messageOf(error));
  }
  return exitCodes.ok;
}

async function readToken(flags: AgentFlags, context: VerbContext): Promise<string | undefined> {
  if (flags.tokenFile === undefined) return flags.token;
  try {
    return (await readFile(resolve(context.workingDirectory, flags.tokenFile), 'utf8')).trim();
  } catch (error) {
    throw new UsageError(`the token file cannot be read: ${messageOf(error)}`);
  }
}
