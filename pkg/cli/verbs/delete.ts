import type { DeleteFlags } from '../delete-objects.ts';
import { collect } from '../flags.ts';
import type { Verb } from '../verb.ts';

export const deleteVerb: Verb = {
  declare: (program, run) => {
    program
      .command('delete')
      .description('delete resources, and what belongs to them')
      .argument('[type...]', 'a type and names, or type/name')
      .option('-f, --filename <file>', 'all that is in these files (- for stdin); of a Compose file, its stack', collect)
      .option('-R, --recursive', 'folders within folders too')
      .option('--env-file <file>', 'Compose: a file of variables (default: .env beside the first file)', collect)
      .option('-p, --project-name <name>', "the Compose project's name")
      .option('-l, --selector <labels>', 'only those with these labels')
      .option('--field-selector <fields>', 'only those with these fields')
      .option('--all', 'all of the type')
      .option('-A, --all-namespaces', 'in every namespace')
      .option('--cascade <policy>', 'what belongs to them: background (default), foreground (default for stacks) or orphan')
      .option('--grace-period <seconds>', 'how long they may take to end')
      .option('--now', 'with a second of grace')
      .option('--force', 'at once, with no grace')
      .option('--wait', 'wait until they are gone', true)
      .option('--no-wait', 'do not wait')
      .option('--timeout <duration>', 'how long to wait: 90s, 5m', '2m')
      .option('--dry-run [where]', 'let the server check and change nothing')
      .option('-o, --output <format>', 'name')
      .option('--ignore-not-found', 'say nothing of what does not exist')
      .action((words: string[], flags: DeleteFlags, command) =>
        run(async (context) => {
          const [{ withConnection }, { deleteObjects }] = await Promise.all([import('../connection.ts'), import('../delete-objects.ts')]);
          return await withConnection(context, command.optsWithGlobals(), (connection) => deleteObjects(context, connection, words, flags));
        }),
      );
  },
};
