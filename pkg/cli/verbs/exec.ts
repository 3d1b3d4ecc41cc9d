import type { Verb } from '../verb.ts';

interface ExecFlags {
  readonly stdin?: boolean;
  readonly tty?: boolean;
  readonly container?: string;
}

export const execVerb: Verb = {
  declare: (program, run) => {
    program
      .command('exec')
      .description('run a command in a container; its exit code becomes this one')
      .argument('<pod>', 'a pod')
      .argument('<command...>', 'the command and its arguments, after --')
      .option('-i, --stdin', 'pass stdin on')
      .option('-t, --tty', 'with a terminal')
      .option('-c, --container <name>', 'in this container (default: the first)')
      .passThroughOptions()
      .action((pod: string, words: string[], flags: ExecFlags, command) =>
        run(async (context) => {
          const [{ withConnection, pathOf }, { runRemoteCommand }, { pods }] = await Promise.all([
            import('../connection.ts'),
            import('../remote-command.ts'),
            import('#api/shapes/resources'),
          ]);
          const tty = flags.tty === true && context.stdin.isTTY === true;
          if (flags.tty && !tty) context.stderr.write('Unable to use a TTY - input is not a terminal\n');
          const stdin = flags.stdin === true;
          const query = new URLSearchParams({ stdout: 'true' });
          if (stdin) query.set('stdin', 'true');
          if (tty) query.set('tty', 'true');
          else query.set('stderr', 'true');
          if (flags.container !== undefined) query.set('container', flags.container);
          for (const word of words[0] === '--' ? words.slice(1) : words) query.append('command', word);
          return await withConnection(context, command.optsWithGlobals(), (connection) => {
            const path = `${pathOf(pods, connection.namespace, pod.replace(/^pods?\//, ''), 'exec')}?${query.toString()}`;
            return runRemoteCommand(context, connection, { path, stdin, tty });
          });
        }),
      );
  },
};
