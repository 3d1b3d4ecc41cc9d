/** Makes the paths of a file relative to another folder, or absolute. What is no path of this machine (a URL, an image, a Windows path) stays. */
import { isAbsolute, join, normalize } from 'node:path';
import { getKey, isMapping, type Mapping, type Path, patternTable, transformTree, type Value } from './tree.ts';
import { isWindowsPath } from './volume-spec.ts';

export interface PathContext {
  /** Paths are relative to it; relative or empty: they stay relative. */
  readonly workingDirectory: string;
  /** What `~` stands for; absent: `~` stays. */
  readonly home?: string;
}

type Resolver = (text: string, context: PathContext) => string;

const rules = patternTable<Resolver | 'mount' | 'driver options'>({
  'services.*.build.context': resolveContext,
  'services.*.build.additional_contexts.*': (text, context) => {
    const equals = /^[\w.-]+=/.exec(text)?.[0] ?? '';
    return `${equals}${resolveContext(text.slice(equals.length), context)}`;
  },
  'services.*.env_file.*.path': resolvePath,
  'services.*.label_file.*': resolvePath,
  'services.*.extends.file': resolvePath,
  'services.*.develop.watch.*.path': resolvePath,
  'services.*.volumes.*': 'mount',
  'configs.*.file': resolvePath,
  'secrets.*.file': resolvePath,
  'volumes.*': 'driver options',
});

export function resolvePaths(file: Mapping, context: PathContext): Mapping {
  const change = (path: Path): ((value: Value) => Value) | undefined => {
    const rule = rules(path);
    if (rule === undefined) return undefined;
    if (rule === 'mount') return (value) => resolveMount(value, context);
    if (rule === 'driver options') return (value) => resolveDriverOptions(value, context);
    return (value) => (typeof value === 'string' ? rule(value, context) : value);
  };
  return transformTree(file, change) as Mapping;
}

export function resolvePath(text: string, context: PathContext): string {
  if (text === '') return text;
  const path = expandHome(text, context);
  if (isAbsolute(path) || isWindowsPath(path)) return path;
  const joined = context.workingDirectory === '' ? normalize(path) : join(context.workingDirectory, path);
  return joined.length > 1 ? joined.replace(/\/$/, '') : joined;
}

function expandHome(text: string, context: PathContext): string {
  return context.home !== undefined && (text === '~' || text.startsWith('~/')) ? join(context.home, text.slice(1)) : text;
}

function resolveContext(text: string, context: PathContext): string {
  const remote = /^(?:[a-z][a-z0-9+.-]*:\/\/|git@|github\.com\/|(?:docker-image|oci-layout|target|service):)/i.test(text);
  return remote ? text : resolvePath(text, context);
}

function resolveMount(value: Value, context: PathContext): Value {
  if (!isMapping(value) || getKey(value, 'type') !== 'bind') return value;
  const source = getKey(value, 'source');
  return typeof source === 'string' ? { ...value, source: resolvePath(source, context) } : value;
}

/** A local volume that is a bind mount in disguise names its folder in driver_opts.device. */
function resolveDriverOptions(value: Value, context: PathContext): Value {
  if (!isMapping(value)) return value;
  const options = getKey(value, 'driver_opts');
  if (!isMapping(options) || getKey(options, 'o') !== 'bind') return value;
  const device = getKey(options, 'device');
  return typeof device === 'string' ? { ...value, driver_opts: { ...options, device: resolvePath(device, context) } } : value;
}
