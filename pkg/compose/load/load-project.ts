/**
 * Compose files → the canonical project, as `docker compose config` would have it. Pure but for `readFile`: neither the file system nor the process's
 * environment is looked at. Every stage is a file of its own; this one says in which order they run. Per document: parse, interpolate, include, extends,
 * drop what is reset, merge over what came before, remove duplicates, check the shape, long forms. Then over all: check values, resolve paths and
 * environment, normalise, finish, choose services, check consistency, read env files.
 */
import { ComposeError, type SourcePosition } from '../compose-error.ts';
import type { ComposeProject, Service } from '../model.ts';
import { checkShape } from '../schema.ts';
import { toCanonical } from './canonical.ts';
import { checkConsistency } from './consistency.ts';
import { type FileContents, readContents } from './contents.ts';
import { decodeText, isMissing, LoadContext, type LoadOptions, lookupIn, type ReadFile, readError } from './context.ts';
import { setDefaults } from './defaults.ts';
import { parseDotenv } from './dotenv.ts';
import { readServiceFiles, resolveEnvironment } from './environment.ts';
import { applyExtends } from './extends.ts';
import { finish } from './finish.ts';
import { applyInclude } from './include.ts';
import { interpolateTree } from './interpolate.ts';
import { mergeMappings } from './merge.ts';
import { checkProjectName, normalise, normaliseProjectName } from './normalise.ts';
import { type ParsedDocument, parseYaml } from './parse.ts';
import { selectServices } from './profiles.ts';
import { dropPaths } from './reset.ts';
import { resolvePath, resolvePaths } from './resolve-paths.ts';
import { interpolate } from './template.ts';
import { describeValue, getKey, isMapping, type Mapping, type Path } from './tree.ts';
import { removeDuplicates } from './unique.ts';
import { checkValues } from './validate.ts';

export interface ComposeFile {
  /** As messages name it, and what `readFile` is asked for if there is no content. */
  readonly path: string;
  readonly content?: string;
}

export interface LoadRequest {
  /** At least one; each is merged over those before it. */
  readonly files: readonly ComposeFile[];
  /** Paths in the files are relative to it. Give it absolute; empty leaves them relative. */
  readonly workingDirectory: string;
  /** Wins over what env files say. */
  readonly environment: Readonly<Record<string, string>>;
  /** Wins over `name:` in the files, and must be a valid name (`-p`, COMPOSE_PROJECT_NAME). */
  readonly projectName?: string;
  /** Used, after being made valid, where no file has a `name:`: the folder's name. */
  readonly defaultProjectName?: string;
  readonly profiles?: readonly string[];
  /** Env files for interpolation, later ones win; each must be there. Absent: `.env` in the working directory, if there is one. */
  readonly envFiles?: readonly string[];
  /** Reads a file by the path that it is given; rejects with Node's codes (`ENOENT`). Bytes, or text. */
  readonly readFile: ReadFile;
  /** What `~` in paths stands for. */
  readonly home?: string;
  readonly options?: LoadOptions;
}

export interface LoadedProject {
  readonly project: ComposeProject;
  /** What configs and secrets of the enabled services hold. Never part of the project. */
  readonly contents: FileContents;
  /** Services that no profile enables, or that were not selected. */
  readonly disabledServices: Readonly<Record<string, Service>>;
  readonly warnings: readonly string[];
  /** Where something of the project stands in its files, by its path (`services.web.ports[0]`). */
  locate(path: string): SourcePosition | undefined;
}

/** Throws ComposeError: what is wrong, where, and what to do about it. */
export async function loadProject(request: LoadRequest): Promise<LoadedProject> {
  const context = new LoadContext(request.readFile, request.options ?? {});
  try {
    return await new Loader(request, context).load();
  } catch (error) {
    throw context.explain(error);
  }
}

interface Model {
  readonly files: readonly ComposeFile[];
  /** Paths in the model are made relative to it. */
  readonly workingDirectory: string;
  /** What is named by the files is read from it. */
  readonly folder: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly resolvePaths: boolean;
}

class Loader {
  readonly #request: LoadRequest;
  readonly #context: LoadContext;
  readonly #options: LoadOptions;
  readonly #parsed = new Map<string, readonly ParsedDocument[]>();

  constructor(request: LoadRequest, context: LoadContext) {
    this.#request = request;
    this.#context = context;
    this.#options = request.options ?? {};
  }

  async load(): Promise<LoadedProject> {
    const { files, workingDirectory } = this.#request;
    const environment = { ...(await this.#envFiles()), ...this.#request.environment };
    const name = await this.#projectName(environment);
    environment.COMPOSE_PROJECT_NAME = name;
    const model = await this.#model(
      { files, workingDirectory, folder: workingDirectory, environment, resolvePaths: this.#options.resolvePaths !== false },
      files.map((file) => resolvePath(file.path, { workingDirectory })),
    );
    if (Object.keys(model).length === 0) throw new ComposeError('the Compose file is empty', { file: files[0]?.path ?? '' });
    const normal = this.#options.skipNormalisation === true ? { ...model, name } : normalise(model, name, lookupIn(environment));
    const all = finish(normal) as unknown as ComposeProject;
    const { project, disabled } = selectServices(all, this.#request.profiles ?? [], this.#options.selectedServices);
    if (this.#options.skipConsistencyCheck !== true) checkConsistency(project, disabled);
    const complete = await readServiceFiles(project, environment, this.#context);
    const contents = await readContents(complete, environment, this.#context);
    const { warnings } = this.#context;
    return { project: complete, contents, disabledServices: disabled, warnings, locate: (path) => this.#context.locate(path) };
  }

  async #envFiles(): Promise<Record<string, string>> {
    const { envFiles, workingDirectory, environment } = this.#request;
    const result: Record<string, string> = {};
    for (const file of envFiles ?? ['.env']) {
      const path = resolvePath(file, { workingDirectory });
      let text: string;
      try {
        text = decodeText(await this.#context.readFile(path), path);
      } catch (error) {
        if (envFiles === undefined && (isMissing(error) || readError(error, path, '').reason.endsWith('is a directory'))) continue;
        throw error instanceof ComposeError ? error : readError(error, path, 'env file');
      }
      Object.assign(result, parseDotenv(text, lookupIn({ ...result, ...environment }), path));
    }
    return result;
  }

  async #projectName(environment: Readonly<Record<string, string>>): Promise<string> {
    const { files, projectName, defaultProjectName } = this.#request;
    if (projectName !== undefined) {
      checkProjectName(projectName);
      return projectName;
    }
    let name: string | undefined;
    for (const file of files) {
      for (const document of await this.#parse(file)) {
        const given = isMapping(document.value) ? getKey(document.value, 'name') : undefined;
        if (given === undefined || given === null) continue;
        if (typeof given !== 'string') throw new ComposeError(`must be a string, not ${describeValue(given)}`, { path: 'name' });
        const text = this.#options.skipInterpolation === true ? given : interpolate(given, lookupIn(environment));
        if (text !== '') name = text;
      }
    }
    const normal = normaliseProjectName(name ?? defaultProjectName ?? '');
    if (normal === '')
      throw new ComposeError('the project has no name', { path: 'name', next: 'add name: to the file, or give it with -p' });
    return normal;
  }

  async #parse(file: ComposeFile): Promise<readonly ParsedDocument[]> {
    const known = this.#parsed.get(file.path);
    if (known !== undefined) return known;
    const text = file.content ?? (await this.#context.readText(file.path, 'file'));
    const documents = parseYaml(text, file.path);
    for (const document of documents) {
      this.#context.remember(document);
    }
    this.#parsed.set(file.path, documents);
    return documents;
  }

  /** All files of one project (or of one include) merged, in canonical form, paths resolved. */
  async #model(model: Model, trail: readonly string[]): Promise<Mapping> {
    let merged: Mapping = {};
    for (const file of model.files) {
      for (const document of await this.#parse(file)) {
        merged = await this.#mergeDocument(merged, document, file, model, trail);
      }
    }
    if (Object.keys(merged).length === 0) return merged;
    merged = setDefaults(merged);
    if (this.#options.skipValidation !== true) checkValues(merged);
    if (model.resolvePaths) {
      const { home } = this.#request;
      merged = resolvePaths(merged, { workingDirectory: model.workingDirectory, ...(home === undefined ? {} : { home }) });
    }
    return resolveEnvironment(merged, lookupIn(model.environment));
  }

  async #mergeDocument(
    base: Mapping,
    document: ParsedDocument,
    file: ComposeFile,
    model: Model,
    trail: readonly string[],
  ): Promise<Mapping> {
    const { value, resets } = document;
    if (value === null) return base;
    let mapping = this.#interpolate(value, file.path, model.environment);
    if (this.#options.skipInclude !== true) {
      mapping = await applyInclude(mapping, {
        load: this.#context,
        workingDirectory: model.folder,
        environment: model.environment,
        trail,
        resets,
        loadModel: (included, path) =>
          this.#model(
            {
              files: included.files.map((one) => ({ path: one })),
              workingDirectory: included.workingDirectory,
              folder: included.folder,
              environment: included.environment,
              resolvePaths: true,
            },
            path,
          ),
      });
    }
    if (this.#options.skipExtends !== true) {
      mapping = await applyExtends(mapping, {
        workingDirectory: model.folder,
        file: file.path,
        resets,
        load: (path) => this.#extended(path, model.environment),
      });
    }
    const rest = dropPaths(base, resets);
    const merged = removeDuplicates(mergeMappings(rest, mapping)) as Mapping;
    if (this.#options.skipValidation !== true) checkShape(merged);
    const { version, models, ...current } = merged;
    if (models !== undefined) this.#context.warn(`${file.path}: models have no effect: Berth runs no AI models`);
    if (version !== undefined) this.#context.warn(`${file.path}: version is obsolete and ignored: remove it`);
    return removeDuplicates(toCanonical(current)) as Mapping;
  }

  #interpolate(value: ParsedDocument['value'], file: string, environment: Readonly<Record<string, string>>): Mapping {
    if (!isMapping(value)) throw new ComposeError(`the file must be a mapping with services, not ${describeValue(value)}`, { file });
    if (this.#options.skipInterpolation === true) return value;
    return interpolateTree(value, lookupIn(environment), {
      onUnset: (name) => this.#context.warn(`the variable ${name} is not set: it is taken as empty`),
    });
  }

  /** The services of a file that `extends` names: not validated, since parts of it need not stand alone. */
  async #extended(path: string, environment: Readonly<Record<string, string>>): Promise<{ services: Mapping; resets: Path[] }> {
    const documents = parseYaml(await this.#context.readText(path, 'file'), path);
    let merged: Mapping = {};
    const resets: Path[] = [];
    for (const document of documents) {
      const mapping = this.#interpolate(document.value, path, environment);
      merged = removeDuplicates(mergeMappings(dropPaths(merged, document.resets), mapping)) as Mapping;
      resets.push(...document.resets);
    }
    const canonical = removeDuplicates(toCanonical(merged)) as Mapping;
    const services = getKey(canonical, 'services');
    return { services: isMapping(services) ? services : {}, resets };
  }
}
