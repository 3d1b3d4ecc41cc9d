import type { DescribeFlags } from '../describe-objects.ts';
import { collect } from '../flags.ts';
import type { Verb } from '../verb.ts';

export const describeVerb: Verb = {
  declare: (program, run) => {
    program
      .command('describe')
      .description('show resources in detail, with their events')
      .argument('[type...]', 'a type and names, or type/name')
      .option('-A, --all-namespaces', 'in every namespace')
      .option('-l, --selector <labels>', 'only those with these labels')
      .option('-f, --filename <file>', 'what is in these files', collect)
      .option('--show-events', 'with events', true)
      .option('--no-show-events', 'without events')
      .action((words: string[], flags: DescribeFlags, command) =>
        run(async (context) => {
          const [{ withConnection }, { describeObjects }] = await Promise.all([
            import('../connection.ts'),
            import('../describe-objects.ts'),
          ]);
          return await withConnection(context, command.optsWithGlobals(), (connection) =>
            describeObjects(context, connection, words, flags),
          );
        }),
      );
  },
};
