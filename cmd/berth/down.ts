import type { Verb } from '#cli/verb';
import type { DownFlags } from './run-down.ts';

export const downVerb: Verb = {
  declare: (program, run) => {
    program
      .command('down')
      .description('end what `berth up` started on this machine')
      .option('--purge', 'and remove all that it made: containers, networks, mounts, data; kernel settings are put back')
      .action((flags: DownFlags) =>
        run(async (context) => {
          const { runDown } = await import('./run-down.ts');
          return await runDown(flags, context);
        }),
      );
  },
};
