import type { Verb } from '../verb.ts';

export const whyVerb: Verb = {
  declare: (program, run) => {
    program
      .command('why')
      .description('why a pod is where it is or does not run, node by node, and the smallest change that would help')
      .argument('<pod>', 'pod/NAME; stack/NAME or deployment/NAME for all pods of it')
      .action((word: string, _flags: object, command) =>
        run(async (context) => {
          const [{ withConnection }, { explainWhy }] = await Promise.all([import('../connection.ts'), import('../explain-why.ts')]);
          return await withConnection(context, command.optsWithGlobals(), (connection) => explainWhy(context, connection, word));
        }),
      );
  },
};
