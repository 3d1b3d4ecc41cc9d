/** `extends`: a service takes over another's keys, of the same file or of another, and adds its own. */
import { dirname, isAbsolute, join, relative } from 'node:path';
import { ComposeError } from '../compose-error.ts';
import { mergeMappings } from './merge.ts';
import { dropPaths } from './reset.ts';
import { resolvePaths } from './resolve-paths.ts';
import { describeValue, displayPath, getKey, isMapping, type Mapping, type Path, setKey, type Value } from './tree.ts';

/** One document of another file, interpolated and canonical, with its own `extends` still in it. */
export interface ExtendedFile {
  readonly services: Mapping;
  readonly resets: readonly Path[];
}

export interface ExtendsContext {
  readonly workingDirectory: string;
  readonly file: string;
  readonly resets: readonly Path[];
  load(path: string): Promise<ExtendedFile>;
}

/** The document with every `extends` worked in. Throws ComposeError for a missing base and for a cycle. */
export async function applyExtends(file: Mapping, context: ExtendsContext): Promise<Mapping> {
  const services = getKey(file, 'services');
  if (services === undefined || services === null) return file;
  if (!isMapping(services)) throw new ComposeError(`must be a mapping, not ${describeValue(services)}`, { path: 'services' });
  const resolver = new Resolver(context);
  const result: Mapping = {};
  for (const name of Object.keys(services)) {
    const service = await resolver.resolve(name, services, context.file, [], context.resets, true);
    if (service !== undefined) setKey(result, name, service);
  }
  return { ...file, services: result };
}

class Resolver {
  readonly #context: ExtendsContext;

  constructor(context: ExtendsContext) {
    this.#context = context;
  }

  async resolve(
    name: string,
    services: Mapping,
    file: string,
    trail: readonly string[],
    resets: readonly Path[],
    top: boolean,
  ): Promise<Value | undefined> {
    const service = getKey(services, name);
    if (service === undefined || service === null) return top ? service : {};
    const path = displayPath(['services', name]);
    if (!isMapping(service)) throw new ComposeError(`must be a mapping, not ${describeValue(service)}`, { path });
    const extended = getKey(service, 'extends');
    if (extended === undefined || extended === null) return service;
    const { base, from } = reference(extended, `${path}.extends`);
    const here = `${name} in ${file === '' ? 'the file' : file}`;
    if (trail.includes(here)) {
      throw new ComposeError(`services extend each other in a circle: ${[...trail, here].join(' → ')}`, { path: `${path}.extends` });
    }
    let baseServices = services;
    let baseFile = file;
    let baseResets: readonly Path[] = [];
    if (from !== undefined) {
      const loaded = await this.#load(from, path);
      baseServices = loaded.services;
      baseResets = loaded.resets;
      baseFile = from;
    }
    if (getKey(baseServices, base) === undefined) {
      throw new ComposeError(`service "${base}" not found${from === undefined ? ' in this file' : ` in ${from}`}`, {
        path: `${path}.extends`,
      });
    }
    const source =
      (await this.resolve(base, baseServices, baseFile, [...trail, here], from === undefined ? resets : baseResets, false)) ?? {};
    // What this service resets is dropped from what it takes over, and only there.
    const own = resets.filter((reset) => reset[0] === 'services' && reset[1] === name).map((reset) => reset.slice(2));
    const inherited = dropPaths(
      isMapping(source) ? source : {},
      own.filter((reset) => reset.length > 0),
    );
    const { extends: _extends, ...rest } = service;
    return mergeMappings(inherited, rest, ['services', name]);
  }

  async #load(from: string, path: string): Promise<ExtendedFile> {
    const { workingDirectory } = this.#context;
    const place = isAbsolute(from) ? from : join(workingDirectory, from);
    try {
      const loaded = await this.#context.load(place);
      const folder = isAbsolute(from) ? dirname(from) : relative(workingDirectory, dirname(place));
      const resolved = resolvePaths({ services: loaded.services }, { workingDirectory: folder });
      const services = getKey(resolved, 'services');
      return { services: isMapping(services) ? services : {}, resets: loaded.resets };
    } catch (error) {
      throw error instanceof ComposeError ? error.with({ path: `${path}.extends` }) : error;
    }
  }
}

function reference(extended: Value, path: string): { base: string; from?: string } {
  if (typeof extended === 'string') return { base: extended };
  if (!isMapping(extended)) throw new ComposeError(`must be a string or a mapping, not ${describeValue(extended)}`, { path });
  const base = getKey(extended, 'service');
  const from = getKey(extended, 'file');
  if (typeof base !== 'string') throw new ComposeError('missing key "service"', { path });
  if (from !== undefined && from !== null && typeof from !== 'string')
    throw new ComposeError(`must be a string, not ${describeValue(from)}`, { path: `${path}.file` });
  return typeof from === 'string' ? { base, from } : { base };
}
