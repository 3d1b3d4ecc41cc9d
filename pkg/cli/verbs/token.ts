import type { Verb } from '../verb.ts';

export const tokenVerb: Verb = {
  declare: (program, run) => {
    const token = program.command('token').description('tokens with which machines join the cluster');
    token
      .command('create')
      .description('make a join token and print the command that uses it')
      .option('--ttl <seconds>', 'how long it can be used', '86400')
      .option('--description <text>', 'what it is for')
      .option('-q, --quiet', 'print the token alone')
      .action((flags: { ttl: string; description?: string; quiet?: boolean }, command) =>
        run(async (context) => {
          const [{ withConnection }, { createJoinToken }, { UsageError, exitCodes }] = await Promise.all([
            import('../connection.ts'),
            import('../join-tokens.ts'),
            import('../verb.ts'),
          ]);
          const lifetimeSeconds = Number(flags.ttl);
          if (!Number.isInteger(lifetimeSeconds) || lifetimeSeconds <= 0)
            throw new UsageError(`--ttl is a whole number of seconds, not "${flags.ttl}"`);
          return await withConnection(context, command.optsWithGlobals(), async (connection) => {
            const text = await createJoinToken(connection, context.clock, {
              lifetimeSeconds,
              ...(flags.description === undefined ? {} : { description: flags.description }),
            });
            const host = new URL(connection.options.server).hostname;
            context.stdout.write(
              flags.quiet
                ? `${text}\n`
                : `${text}\n\nOn the machine that is to join:\n  berth agent --server ${host}:6444 --token-file FILE-WITH-THE-TOKEN\n`,
            );
            return exitCodes.ok;
          });
        }),
      );
  },
};
