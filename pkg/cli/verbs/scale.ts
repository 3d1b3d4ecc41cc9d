import { collect } from '../flags.ts';
import type { ScaleFlags } from '../scale-objects.ts';
import type { Verb } from '../verb.ts';

export const scaleVerb: Verb = {
  declare: (program, run) => {
    program
      .command('scale')
      .description('set how many replicas run')
      .argument('[type...]', 'a type and names, or type/name')
      .requiredOption('--replicas <number>', 'how many')
      .option('--current-replicas <number>', 'only if it has so many now')
      .option('-f, --filename <file>', 'what is in these files', collect)
      .option('--service <name>', 'of a stack: the service to scale')
      .action((words: string[], flags: ScaleFlags, command) =>
        run(async (context) => {
          const [{ withConnection }, { scaleObjects }] = await Promise.all([import('../connection.ts'), import('../scale-objects.ts')]);
          return await withConnection(context, command.optsWithGlobals(), (connection) => scaleObjects(context, connection, words, flags));
        }),
      );
  },
};
