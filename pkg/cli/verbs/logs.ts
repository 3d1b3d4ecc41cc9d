import type { LogFlags } from '../print-logs.ts';
import type { Verb } from '../verb.ts';

export const logsVerb: Verb = {
  declare: (program, run) => {
    program
      .command('logs')
      .description('what containers wrote')
      .argument('[pod]', 'a pod, or deployment/NAME, or stack/NAME')
      .argument('[container]', 'this container (default: the first)')
      .option('-f, --follow', 'and what they write from now on')
      .option('-p, --previous', "the container's run before this one")
      .option('-c, --container <name>', 'this container (default: the first)')
      .option('--all-containers', 'all containers of the pod')
      .option('--service <name>', 'of a stack: this service alone')
      .option('--tail <lines>', 'only so many lines from the end')
      .option('--since <duration>', 'only what is newer: 5s, 2m, 3h')
      .option('--since-time <time>', 'only what is newer: 2026-01-31T12:00:00Z')
      .option('--timestamps', 'with the time of each line')
      .option('--limit-bytes <bytes>', 'at most so many bytes')
      .option('-l, --selector <labels>', 'of all pods with these labels')
      .option('--prefix', 'each line with its pod')
      .action((word: string | undefined, container: string | undefined, flags: LogFlags, command) =>
        run(async (context) => {
          const [{ withConnection }, { printLogs }] = await Promise.all([import('../connection.ts'), import('../print-logs.ts')]);
          return await withConnection(context, command.optsWithGlobals(), (connection) =>
            printLogs(context, connection, word, container, flags),
          );
        }),
      );
  },
};
