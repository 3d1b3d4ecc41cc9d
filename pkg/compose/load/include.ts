/** `include`: other Compose projects are loaded with folders and environments of their own, and their parts put beside this file's. */
import { dirname, isAbsolute, join, relative } from 'node:path';
import { ComposeError } from '../compose-error.ts';
import { decodeText, isMissing, type LoadContext, lookupIn, readError } from './context.ts';
import { parseDotenv } from './dotenv.ts';
import { mergeValues } from './merge.ts';
import { dropPaths } from './reset.ts';
import { describeValue, displayPath, getKey, isMapping, type Mapping, type Path, setKey, type Value } from './tree.ts';

export interface IncludedModel {
  readonly files: readonly string[];
  /** For paths in the model: relative to the folder of the including file. */
  readonly workingDirectory: string;
  /** For reading what the included files name. */
  readonly folder: string;
  readonly environment: Readonly<Record<string, string>>;
}

export interface IncludeContext {
  readonly load: LoadContext;
  readonly workingDirectory: string;
  readonly environment: Readonly<Record<string, string>>;
  /** The files that led here. */
  readonly trail: readonly string[];
  readonly resets: readonly Path[];
  loadModel(included: IncludedModel, trail: readonly string[]): Promise<Mapping>;
}

const sections = ['services', 'volumes', 'networks', 'secrets', 'configs', 'models'];

export async function applyInclude(file: Mapping, context: IncludeContext): Promise<Mapping> {
  const include = getKey(file, 'include');
  const { include: _include, ...rest } = file;
  if (include === undefined || include === null) return include === undefined ? file : rest;
  if (!Array.isArray(include)) throw new ComposeError(`must be a list, not ${describeValue(include)}`, { path: 'include' });
  let result: Mapping = rest;
  for (const [index, entry] of include.entries()) {
    const path: Path = ['include', index];
    const { paths, directory, envFiles } = readEntry(entry, path);
    const inside = (one: string): string => (isAbsolute(one) ? one : join(context.workingDirectory, one));
    const files = paths.map(inside);
    const first = files[0] ?? '';
    const again = files.find((one) => context.trail.includes(one));
    if (again !== undefined) {
      throw new ComposeError(`files include each other in a circle: ${[...context.trail, again].join(' → ')}`, { path: displayPath(path) });
    }
    const folder = directory === undefined ? dirname(first) : inside(directory);
    const fromParent = isAbsolute(directory ?? paths[0] ?? '') ? folder : relative(context.workingDirectory, folder);
    const environment = { ...(await readEnvironment(context, envFiles?.map(inside), folder)), ...context.environment };
    try {
      const model = await context.loadModel({ files, workingDirectory: fromParent === '' ? '.' : fromParent, folder, environment }, [
        ...context.trail,
        ...files,
      ]);
      result = importModel(model, result, context.resets);
    } catch (error) {
      throw error instanceof ComposeError && error.path === undefined ? error.with({ path: displayPath(path) }) : error;
    }
  }
  return result;
}

function readEntry(entry: Value, path: Path): { paths: string[]; directory?: string; envFiles?: string[] } {
  if (typeof entry === 'string') return { paths: [entry] };
  if (!isMapping(entry)) throw new ComposeError(`must be a string or a mapping, not ${describeValue(entry)}`, { path: displayPath(path) });
  const strings = (key: string): string[] | undefined => {
    const value = getKey(entry, key);
    if (value === undefined || value === null) return undefined;
    const list = Array.isArray(value) ? value : [value];
    for (const item of list) {
      if (typeof item !== 'string')
        throw new ComposeError(`must be a string, not ${describeValue(item)}`, { path: displayPath([...path, key]) });
    }
    return list as string[];
  };
  const paths = strings('path');
  if (paths === undefined || paths.length === 0) throw new ComposeError('missing key "path"', { path: displayPath(path) });
  const directory = strings('project_directory')?.[0];
  const envFiles = strings('env_file')?.filter((one) => one !== '/dev/null');
  return { paths, ...(directory === undefined ? {} : { directory }), ...(envFiles === undefined ? {} : { envFiles }) };
}

/** The given files, or `.env` in the project's folder if there is one. */
async function readEnvironment(
  context: IncludeContext,
  files: readonly string[] | undefined,
  folder: string,
): Promise<Record<string, string>> {
  const result: Record<string, string> = {};
  for (const file of files ?? [join(folder, '.env')]) {
    let text: string;
    try {
      text = decodeText(await context.load.readFile(file), file);
    } catch (error) {
      if (files === undefined && isMissing(error)) return result;
      throw error instanceof ComposeError ? error : readError(error, file, 'env file');
    }
    const known = { ...result, ...context.environment };
    Object.assign(result, parseDotenv(text, lookupIn(known), file));
  }
  return result;
}

/** What this file says of the same name is merged over what was included. */
function importModel(model: Mapping, file: Mapping, resets: readonly Path[]): Mapping {
  const result: Mapping = { ...file };
  for (const section of sections) {
    const from = getKey(model, section);
    if (!isMapping(from)) continue;
    const present = getKey(file, section);
    const to: Mapping = isMapping(present) ? { ...present } : {};
    for (const [name, value] of Object.entries(from)) {
      const own = getKey(to, name);
      if (own === undefined) {
        setKey(to, name, value);
        continue;
      }
      const kept = getKey(dropPaths({ [section]: { [name]: value } }, resets), section);
      const base = isMapping(kept) ? (getKey(kept, name) ?? null) : null;
      setKey(to, name, mergeValues(base, own, [section, name]));
    }
    result[section] = to;
  }
  return result;
}
