import { stringify } from 'yaml';
import { messageOf } from '#base/errors';
import { type GlobalFlags, withConnection } from './connection.ts';
import { packageVersion } from './package-version.ts';
import { exitCodes, type VerbContext } from './verb.ts';

interface VersionInfo {
  readonly gitVersion: string;
}

export async function printVersion(
  context: VerbContext,
  globals: GlobalFlags,
  flags: { readonly client?: boolean; readonly output?: string },
): Promise<number> {
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
  else if (flags.output === 'yaml') context.stdout.write(stringify(document));
  else {
    context.stdout.write(`Berth: ${client}\n`);
    if (server !== undefined) context.stdout.write(`Server: ${server.gitVersion}\n`);
  }
  if (problem !== undefined) context.stderr.write(`The server did not answer: ${problem}\n`);
  return problem === undefined ? exitCodes.ok : exitCodes.error;
}
