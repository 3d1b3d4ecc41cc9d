import { messageOf } from '#base/errors';
import { type GlobalFlags, withConnection } from './connection.ts';
import { renderYaml } from './output.ts';
import { packageVersion } from './package-version.ts';
import { exitCodes, UsageError, type VerbContext } from './verb.ts';

interface VersionInfo {
  readonly gitVersion: string;
}

export async function printVersion(
  context: VerbContext,
  globals: GlobalFlags,
  flags: { readonly client?: boolean; readonly output?: string },
): Promise<number> {
  if (flags.output !== undefined && flags.output !== 'json' && flags.output !== 'yaml')
    throw new UsageError(`-o is json or yaml, not "${flags.output}"`);
  const client = await packageVersion();
  let server: VersionInfo | undefined;
  let problem: string | undefined;
  if (!flags.client) {
    try {
      server = await withConnection(context, globals, (connection) => connection.json<VersionInfo>({ path: '/version' }));
    } catch (error) {
      problem = messageOf(error);
    }
  }
  const document = { clientVersion: { version: client }, ...(server === undefined ? {} : { serverVersion: server }) };
  if (flags.output === 'json') context.stdout.write(`${JSON.stringify(document, undefined, 2)}\n`);
  else if (flags.output === 'yaml') context.stdout.write(renderYaml(document));
  else {
    context.stdout.write(`Berth: ${client}\n`);
    if (server !== undefined) context.stdout.write(`Server: ${server.gitVersion}\n`);
  }
  if (problem !== undefined) context.stderr.write(`The server did not answer: ${problem}\n`);
  return problem === undefined ? exitCodes.ok : exitCodes.error;
}
