/** Reads what configs and secrets hold: files, environment variables, inline content. It stays beside the project and never gets into a Stack. */
import { ComposeError } from '../compose-error.ts';
import type { ComposeProject, FileObject } from '../model.ts';
import { type LoadContext, lookupIn, readError } from './context.ts';

export interface FileContents {
  /** By the name in the file. What is external has none. */
  readonly configs: ReadonlyMap<string, Uint8Array>;
  readonly secrets: ReadonlyMap<string, Uint8Array>;
}

/** Only what an enabled service uses is read. Throws ComposeError for a missing file or an unset variable. */
export async function readContents(
  project: ComposeProject,
  environment: Readonly<Record<string, string>>,
  context: LoadContext,
): Promise<FileContents> {
  if (context.options.skipContents === true) return { configs: new Map(), secrets: new Map() };
  return {
    configs: await readKind('configs', project, environment, context),
    secrets: await readKind('secrets', project, environment, context),
  };
}

async function readKind(
  kind: 'configs' | 'secrets',
  project: ComposeProject,
  environment: Readonly<Record<string, string>>,
  context: LoadContext,
): Promise<Map<string, Uint8Array>> {
  const used = new Set(Object.values(project.services).flatMap((service) => (service[kind] ?? []).map(({ source }) => source)));
  const result = new Map<string, Uint8Array>();
  for (const [name, object] of Object.entries(project[kind] ?? {})) {
    if (!used.has(name) || object.external === true) continue;
    const content = await read(object, `${kind}.${name}`, environment, context);
    if (content !== undefined) result.set(name, typeof content === 'string' ? new TextEncoder().encode(content) : content);
  }
  return result;
}

async function read(
  object: FileObject,
  path: string,
  environment: Readonly<Record<string, string>>,
  context: LoadContext,
): Promise<string | Uint8Array | undefined> {
  if (object.content !== undefined) return object.content;
  if (object.environment !== undefined) {
    const value = lookupIn(environment)(object.environment);
    if (value === undefined) {
      throw new ComposeError(`the variable ${object.environment} is not set`, {
        path: `${path}.environment`,
        next: 'set it in the environment or in the .env file',
      });
    }
    return value;
  }
  if (object.file === undefined) return undefined;
  try {
    return await context.readFile(object.file);
  } catch (error) {
    throw readError(error, object.file, 'file').with({ path: `${path}.file` });
  }
}
