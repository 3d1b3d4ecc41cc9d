import { collect, collectWords } from '../flags.ts';
import type { GetFlags } from '../get-objects.ts';
import type { Verb } from '../verb.ts';

export const getVerb: Verb = {
  declare: (program, run) => {
    program
      .command('get')
      .description('show one or many resources')
      .argument('[type...]', 'a type (pods, stacks, all), a type and names, or type/name')
      .option('-o, --output <format>', 'wide, name, json, yaml, jsonpath=TEMPLATE or custom-columns=HEADER:.path')
      .option('-A, --all-namespaces', 'in every namespace')
      .option('-l, --selector <labels>', 'only those with these labels')
      .option('--field-selector <fields>', 'only those with these fields')
      .option('-w, --watch', 'then show what changes')
      .option('--watch-only', 'show what changes from now on')
      .option('--no-headers', 'leave the heading out')
      .option('--show-labels', 'labels as the last column')
      .option('-L, --label-columns <labels>', 'these labels as columns', collectWords)
      .option('--show-kind', 'names with their type')
      .option('--sort-by <path>', 'in order of what stands there: .metadata.creationTimestamp')
      .option('-f, --filename <file>', 'what is in these files', collect)
      .option('--raw <path>', 'what the server answers under this path')
      .option('--ignore-not-found', 'say nothing of what does not exist')
      .action((words: string[], flags: GetFlags, command) =>
        run(async (context) => {
          const [{ withConnection }, { getObjects }] = await Promise.all([import('../connection.ts'), import('../get-objects.ts')]);
          return await withConnection(context, command.optsWithGlobals(), (connection) => getObjects(context, connection, words, flags));
        }),
      );
  },
};
