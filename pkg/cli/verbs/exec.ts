import type { ExecFlags } from '../run-exec.ts';
import type { Verb } from '../verb.ts';

export const execVerb: Verb = {
  declare: (program, run) => {
    program
      .command('exec')
      .description('run a command in a container; its exit code becomes this one')
      .argument('<pod>', 'a pod, or the first of deployment/NAME or stack/NAME')
      .argument('<command...>', 'the command and its arguments, after --')
      .option('-i, --stdin', 'pass stdin on')
      .option('-t, --tty', 'with a terminal')
      .option('-c, --container <name>', 'in this container (default: the first)')
      .option('--service <name>', 'of a stack: the first pod of this service')
      .action((pod: string, words: string[], flags: ExecFlags, command) =>
        run(async (context) => {
          const { runExec } = await import('../run-exec.ts');
          return await runExec(context, command.optsWithGlobals(), pod, words, flags);
        }),
      );
  },
};
