/** Short forms → long forms. What comes out has one shape for each key; values are still as written (finish.ts reads them). */
import { ComposeError } from '../compose-error.ts';
import { parsePortSpec } from './port-spec.ts';
import { splitShellWords } from './shell-words.ts';
import {
  describeValue,
  displayPath,
  getKey,
  isMapping,
  type Mapping,
  type Path,
  patternTable,
  scalarText,
  setKey,
  transformTree,
  type Value,
} from './tree.ts';
import { parseVolumeSpec } from './volume-spec.ts';

type Change = (value: Value, path: Path) => Value | undefined;

const rules = patternTable<Change>({
  'services.*.build': (value) => (typeof value === 'string' ? { context: value } : value),
  'services.*.build.secrets.*': fileMount,
  'services.*.command': command,
  'services.*.entrypoint': command,
  'services.*.post_start.*.command': command,
  'services.*.pre_stop.*.command': command,
  'services.*.configs.*': fileMount,
  'services.*.depends_on': (value) => (Array.isArray(value) ? fromNames(value, { condition: 'service_started', required: true }) : value),
  'services.*.depends_on.*': (value) =>
    isMapping(value) && getKey(value, 'required') === undefined ? { ...value, required: true } : value,
  'services.*.deploy.resources.reservations.devices.*': deviceRequest,
  'services.*.devices.*': device,
  'services.*.dns': notEmptyList,
  'services.*.dns_search': list,
  'services.*.env_file': envFiles,
  'services.*.extra_hosts': extraHosts,
  'services.*.build.extra_hosts': extraHosts,
  'services.*.gpus': (value) => (value === 'all' ? [{ count: -1 }] : value),
  'services.*.gpus.*': deviceRequest,
  'services.*.healthcheck.test': (value) => (typeof value === 'string' ? ['CMD-SHELL', value] : value),
  'services.*.label_file': list,
  'services.*.models': (value) => (Array.isArray(value) ? fromNames(value, null) : value),
  'services.*.networks': (value) => (Array.isArray(value) ? fromNames(value, null) : value),
  'services.*.ports': ports,
  'services.*.secrets.*': fileMount,
  'services.*.tmpfs': list,
  'services.*.develop.watch.*.ignore': list,
  'services.*.develop.watch.*.include': list,
  'services.*.build.no_cache_filter': list,
  'services.*.volumes.*': (value, path) => (typeof value === 'string' ? { ...at(path, () => parseVolumeSpec(value)) } : value),
  'networks.*': maybeExternal,
  'volumes.*': maybeExternal,
  'secrets.*': maybeExternal,
  'configs.*': maybeExternal,
});

export function toCanonical(file: Mapping): Mapping {
  return transformTree(file, rules) as Mapping;
}

/** Runs a parser and gives its error the path. */
export function at<T>(path: Path, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    throw error instanceof ComposeError ? error.with({ path: displayPath(path) }) : error;
  }
}

function list(value: Value): Value {
  return typeof value === 'string' ? [value] : value;
}

/** An empty variable leaves an empty entry, which means none. */
function notEmptyList(value: Value): Value | undefined {
  const items = list(value);
  if (!Array.isArray(items)) return items;
  const kept = items.filter((item) => item !== '');
  return kept.length === 0 ? undefined : kept;
}

function command(value: Value, path: Path): Value {
  return typeof value === 'string' ? at(path, () => splitShellWords(value)) : value;
}

function fromNames(names: readonly Value[], value: Value): Mapping {
  const result: Mapping = {};
  for (const name of names) if (typeof name === 'string') setKey(result, name, isMapping(value) ? { ...value } : value);
  return result;
}

function fileMount(value: Value): Value {
  return typeof value === 'string' ? { source: value } : value;
}

function envFiles(value: Value): Value {
  const items = Array.isArray(value) ? value : value === null ? [] : [value];
  return items.map((item) =>
    typeof item === 'string' ? { path: item, required: true } : isMapping(item) ? { required: true, ...item } : item,
  );
}

/** `name=address`, an IPv6 address without brackets. */
function extraHosts(value: Value): Value {
  const entry = (name: string, address: string): string => `${name}=${address.replace(/^\[(.*)\]$/, '$1')}`;
  if (isMapping(value)) {
    return Object.entries(value).flatMap(([name, addresses]) =>
      (Array.isArray(addresses) ? addresses : [addresses]).map((address) =>
        entry(name, isMapping(address) || Array.isArray(address) ? '' : scalarText(address)),
      ),
    );
  }
  if (!Array.isArray(value)) return value;
  return value.map((item) => {
    const match = typeof item === 'string' ? /^([^=:]*)[=:](.*)$/.exec(item) : null;
    return match === null ? item : entry(match[1] ?? '', match[2] ?? '');
  });
}

function device(value: Value): Value {
  if (typeof value !== 'string') return value;
  const [source = '', target = source, permissions = 'rwm'] = value.split(':');
  return { source, target, permissions };
}

function deviceRequest(value: Value, path: Path): Value {
  if (!isMapping(value)) return value;
  const count = getKey(value, 'count');
  const ids = getKey(value, 'device_ids');
  if (count !== undefined && ids !== undefined) {
    throw new ComposeError('"count" and "device_ids" exclude each other', { path: displayPath(path) });
  }
  if (count === 'all' || (count === undefined && ids === undefined)) return { ...value, count: -1 };
  if (typeof count === 'string') {
    if (!/^\d+$/.test(count))
      throw new ComposeError(`must be a number or all, not ${describeValue(count)}`, { path: displayPath([...path, 'count']) });
    return { ...value, count: Number(count) };
  }
  return value;
}

function ports(value: Value, path: Path): Value {
  if (!Array.isArray(value)) return value;
  return value.flatMap((item, index): Value[] => {
    if (typeof item === 'string' || typeof item === 'number') {
      return at([...path, index], () => parsePortSpec(String(item))) as unknown as Mapping[];
    }
    if (!isMapping(item)) return [item];
    const port: Mapping = { mode: 'ingress', protocol: 'tcp', ...item };
    const published = getKey(item, 'published');
    if (typeof published === 'number') port.published = scalarText(published);
    return [port];
  });
}

/** `external: { name }` is the old way to say `external: true` and `name`. */
function maybeExternal(value: Value, path: Path): Value {
  if (!isMapping(value)) return value;
  const external = getKey(value, 'external');
  if (isMapping(external)) {
    const name = getKey(external, 'name');
    if (name === undefined) return { ...value, external: true };
    if (getKey(value, 'name') !== undefined && getKey(value, 'name') !== name) {
      throw new ComposeError('name and external.name conflict', { path: displayPath(path), next: 'write name only' });
    }
    return { ...value, external: true, name };
  }
  if (typeof external === 'string') {
    if (external === '') return { ...value, external: false };
    return { ...value, external: true, name: getKey(value, 'name') ?? external };
  }
  return value;
}
