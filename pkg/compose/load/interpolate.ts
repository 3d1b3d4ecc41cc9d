/** Interpolates every string of a file (values, never keys), and turns strings into numbers and booleans where the key wants those. */
import { ComposeError } from '../compose-error.ts';
import { composeKeys } from '../keys.ts';
import { resolvePlainScalar } from './scalar.ts';
import { interpolate, type Lookup, type TemplateOptions } from './template.ts';
import { displayPath, isMapping, type Mapping, type Path, patternTable, setKey, type Value } from './tree.ts';

type Cast = (text: string) => Value | undefined;

const booleans: ReadonlyMap<string, boolean> = new Map([
  ...['1', 't', 'true', 'y', 'yes', 'on'].map((text): [string, boolean] => [text, true]),
  ...['0', 'f', 'false', 'n', 'no', 'off'].map((text): [string, boolean] => [text, false]),
]);

const casts: Readonly<Record<string, Cast>> = {
  boolean: (text) => booleans.get(text.toLowerCase()),
  integer: (text) => {
    const value = resolvePlainScalar(text);
    return Number.isInteger(value) || typeof value === 'bigint' ? value : undefined;
  },
  number: (text) => {
    const value = resolvePlainScalar(text);
    return typeof value === 'number' || typeof value === 'bigint' ? value : undefined;
  },
};

/** Keys that take a string beside a number, and keep the string. */
const textual = /(mem_|memswap|memory|shm_size|size|published|\.mode|count|cpus|cpu_count|cpu_percent|rate|discrete)/;

const castAt = patternTable<{ to: string; cast: Cast }>(
  Object.fromEntries(
    composeKeys.flatMap(({ path, values }) => {
      const to = values.split('|').find((value) => value in casts);
      const cast = to === undefined ? undefined : casts[to];
      if (to === undefined || cast === undefined || textual.test(path)) return [];
      // External takes a name of old; ports of the short form are no numbers.
      if (path === 'services.*.ports' || path === 'services.*.expose' || path === 'services.*.group_add') return [];
      return [[path, { to, cast }]];
    }),
  ),
);

const cpuCasts = patternTable<Cast>({
  'services.*.cpus': casts.number as Cast,
  'services.*.deploy.resources.limits.cpus': casts.number as Cast,
  'services.*.deploy.resources.reservations.cpus': casts.number as Cast,
});

export function interpolateTree(file: Mapping, lookup: Lookup, options: TemplateOptions = {}): Mapping {
  return walkMapping(file, [], lookup, options);
}

function walkMapping(mapping: Mapping, path: Path, lookup: Lookup, options: TemplateOptions): Mapping {
  const result: Mapping = {};
  for (const [key, value] of Object.entries(mapping)) setKey(result, key, walk(value, [...path, key], lookup, options));
  return result;
}

function walk(value: Value, path: Path, lookup: Lookup, options: TemplateOptions): Value {
  if (Array.isArray(value)) return value.map((item, index) => walk(item, [...path, index], lookup, options));
  if (isMapping(value)) return walkMapping(value, path, lookup, options);
  if (typeof value !== 'string') return value;
  let text: string;
  try {
    text = interpolate(value, lookup, options);
  } catch (error) {
    throw error instanceof ComposeError ? error.with({ path: displayPath(path) }) : error;
  }
  // The items of a list have the list's path in the table of keys.
  const keys = path.filter((step) => typeof step === 'string');
  const entry = castAt(keys);
  if (entry === undefined) return cpuCasts(keys)?.(text) ?? text;
  const cast = entry.cast(text);
  if (cast === undefined && entry.to === 'boolean' && acceptsText(keys)) return text;
  if (cast === undefined) {
    throw new ComposeError(`must be ${entry.to === 'boolean' ? 'a boolean' : 'a number'}, not ${JSON.stringify(text)}`, {
      path: displayPath(path),
    });
  }
  return cast;
}

function acceptsText(keys: Path): boolean {
  return keys.at(-1) === 'external' || keys.at(-1) === 'provenance' || keys.at(-1) === 'sbom';
}
