import type { Verb } from '../verb.ts';

export const versionVerb: Verb = {
  declare: (program, run) => {
    program
      .command('version')
      .description("the version of this command and, where one answers, of the cluster's server")
      .option('--client', 'this command alone')
      .option('-o, --output <format>', 'json or yaml')
      .action((options: { client?: boolean; output?: string }, command) =>
        run(async (context) => {
          const { printVersion } = await import('../print-version.ts');
          return await printVersion(context, command.optsWithGlobals(), options);
        }),
      );
  },
};
