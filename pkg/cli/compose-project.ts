/** Compose files as the command line names them → the loaded project: what `docker compose` would take from flags and environment. */
import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { basename, dirname, resolve } from 'node:path';
import { ComposeError } from '#compose/compose-error';
import { type LoadedProject, loadProject } from '#compose/load/load-project';
import { UsageError, type VerbContext } from './verb.ts';

export interface ComposeFlags {
  readonly projectName?: string;
  readonly profile?: readonly string[];
  readonly envFile?: readonly string[];
}

export async function loadComposeProject(
  context: VerbContext,
  files: readonly { readonly path: string; readonly content: string }[],
  flags: ComposeFlags,
): Promise<LoadedProject> {
  const first = files[0]?.path ?? '-';
  const workingDirectory = first === '-' ? context.workingDirectory : dirname(resolve(context.workingDirectory, first));
  const environment = Object.fromEntries(
    Object.entries(context.environment).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
  const projectName = flags.projectName ?? (environment.COMPOSE_PROJECT_NAME || undefined);
  const profiles = flags.profile ?? environment.COMPOSE_PROFILES?.split(',').filter((profile) => profile !== '') ?? [];
  try {
    return await loadProject({
      files: files.map(({ path, content }) => ({ path: path === '-' ? path : resolve(context.workingDirectory, path), content })),
      workingDirectory,
      environment,
      ...(projectName === undefined ? {} : { projectName }),
      defaultProjectName: basename(workingDirectory),
      profiles,
      ...(flags.envFile === undefined ? {} : { envFiles: flags.envFile.map((path) => resolve(context.workingDirectory, path)) }),
      readFile: (path) => readFile(path),
      home: homedir(),
    });
  } catch (error) {
    if (error instanceof ComposeError) throw new UsageError(error.message, 'Nothing was applied.');
    throw error;
  }
}
