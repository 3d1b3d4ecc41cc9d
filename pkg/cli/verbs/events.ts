import type { EventFlags } from '../print-events.ts';
import type { Verb } from '../verb.ts';

export const eventsVerb: Verb = {
  declare: (program, run) => {
    program
      .command('events')
      .description('what happened lately')
      .option('-A, --all-namespaces', 'in every namespace')
      .option('--for <type/name>', 'to this object alone')
      .option('--types <types>', 'Normal, Warning')
      .option('-w, --watch', 'then show what happens')
      .action((flags: EventFlags, command) =>
        run(async (context) => {
          const [{ withConnection }, { printEvents }] = await Promise.all([import('../connection.ts'), import('../print-events.ts')]);
          return await withConnection(context, command.optsWithGlobals(), (connection) => printEvents(context, connection, flags));
        }),
      );
  },
};
