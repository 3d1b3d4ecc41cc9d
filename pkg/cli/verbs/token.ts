import type { TokenFlags } from '../join-tokens.ts';
import type { Verb } from '../verb.ts';

export const tokenVerb: Verb = {
  declare: (program, run) => {
    const token = program.command('token').description('tokens with which machines join the cluster');
    token
      .command('create')
      .description('make a join token and print the command that uses it')
      .option('--ttl <duration>', 'how long it can be used: 30m, 24h', '24h')
      .option('--description <text>', 'what it is for')
      .option('-q, --quiet', 'print the token alone')
      .action((flags: TokenFlags, command) =>
        run(async (context) => {
          const { createToken } = await import('../join-tokens.ts');
          return await createToken(context, command.optsWithGlobals(), flags);
        }),
      );
  },
};
