import type { Verb } from '#cli/verb';

export const toyVerb: Verb = {
  declare: (program, run) => {
    program
      .command('toy')
      .description('play')
      .action(() =>
        run(async (context) => {
          context.stdout.write('wheee\n');
          return 0;
        }),
      );
  },
};
