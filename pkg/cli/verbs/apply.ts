import { collect, isDryRun } from '../flags.ts';
import type { Verb } from '../verb.ts';

interface ApplyVerbFlags {
  readonly filename: readonly string[];
  readonly recursive?: boolean;
  readonly envFile?: readonly string[];
  readonly profile?: readonly string[];
  readonly projectName?: string;
  readonly wait: boolean;
  readonly timeout: string;
  readonly dryRun?: true | string;
}

export const applyVerb: Verb = {
  declare: (program, run) => {
    program
      .command('apply')
      .description('make the cluster be as Compose files or Kubernetes manifests say')
      .requiredOption('-f, --filename <file>', 'a file, a folder, or - for stdin; several Compose files are merged in order', collect)
      .option('-R, --recursive', 'folders within folders too')
      .option('--env-file <file>', 'Compose: a file of variables (default: .env beside the first file)', collect)
      .option('--profile <name>', 'Compose: services of this profile too', collect)
      .option('-p, --project-name <name>', "Compose: the project's name")
      .option('--wait', 'wait until all is healthy', true)
      .option('--no-wait', 'do not wait')
      .option('--timeout <duration>', 'how long to wait: 90s, 5m', '5m')
      .option('--dry-run [where]', 'let the server check everything and change nothing')
      .action((flags: ApplyVerbFlags, command) =>
        run(async (context) => {
          const [{ withConnection }, { readManifests }] = await Promise.all([import('../connection.ts'), import('../manifests.ts')]);
          const chosen = { ...flags, dryRun: isDryRun(flags.dryRun) };
          const set = await readManifests(flags.filename, context, { recursive: flags.recursive ?? false });
          return await withConnection(context, command.optsWithGlobals(), async (connection) => {
            if (set.type === 'kubernetes') {
              const { applyManifests } = await import('../apply-manifests.ts');
              return await applyManifests(context, connection, set.manifests, chosen);
            }
            const { applyCompose } = await import('../apply-compose.ts');
            return await applyCompose(context, connection, set.files, chosen);
          });
        }),
      );
  },
};
