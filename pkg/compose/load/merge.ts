/**
 * Merging a mapping over another, as several files, `extends` and `include` do it: mappings are merged by key, lists are joined, scalars are replaced;
 * what departs from that stands in one table. Duplicates are left to unique.ts.
 */
import { ComposeError } from '../compose-error.ts';
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
  type Value,
  YamlTimestamp,
} from './tree.ts';

type Merger = (base: Value, override: Value, path: Path) => Value;

const replace: Merger = (_base, override) => override;

const specialMerger = patternTable<Merger>({
  'networks.*.ipam.config': mergeIpamConfig,
  'networks.*.labels': mergeToSequence,
  'volumes.*.labels': mergeToSequence,
  'services.*.annotations': mergeToSequence,
  'services.*.build': mergeBuild,
  'services.*.build.args': mergeToSequence,
  'services.*.build.additional_contexts': mergeToSequence,
  'services.*.build.extra_hosts': mergeExtraHosts,
  'services.*.build.labels': mergeToSequence,
  'services.*.command': replace,
  'services.*.depends_on': (base, override, path) =>
    mergeAsMappings(base, override, path, { condition: 'service_started', required: true }),
  'services.*.deploy.labels': mergeToSequence,
  'services.*.dns': mergeToSequence,
  'services.*.dns_opt': mergeToSequence,
  'services.*.dns_search': mergeToSequence,
  'services.*.entrypoint': replace,
  'services.*.env_file': mergeToSequence,
  'services.*.label_file': mergeToSequence,
  'services.*.environment': mergeToSequence,
  'services.*.extra_hosts': mergeExtraHosts,
  'services.*.healthcheck.test': replace,
  'services.*.labels': mergeToSequence,
  'services.*.volumes.*.volume.labels': mergeToSequence,
  'services.*.logging': mergeLogging,
  'services.*.models': (base, override, path) => mergeAsMappings(base, override, path, null),
  'services.*.networks': (base, override, path) => mergeAsMappings(base, override, path, null),
  'services.*.sysctls': mergeToSequence,
  'services.*.tmpfs': mergeToSequence,
  'services.*.ulimits.*': replace,
});

/** A new value; neither argument is changed. Throws ComposeError where a list or mapping would replace another shape. */
export function mergeValues(base: Value, override: Value, path: Path = []): Value {
  const special = specialMerger(path);
  if (special !== undefined) return base === null ? override : override === null ? base : special(base, override, path);
  if (override === null) return base;
  if (isMapping(base)) {
    if (!isMapping(override)) throw mismatch(base, override, path);
    return mergeMappings(base, override, path);
  }
  if (Array.isArray(base)) {
    if (!Array.isArray(override)) throw mismatch(base, override, path);
    return [...base, ...override];
  }
  return override;
}

/** As mergeValues, for what is known to be mappings. */
export function mergeMappings(base: Mapping, override: Mapping, path: Path = []): Mapping {
  const result: Mapping = { ...base };
  for (const [key, value] of Object.entries(override)) {
    const present = getKey(base, key);
    setKey(result, key, present === undefined ? value : mergeValues(present, value, [...path, key]));
  }
  return result;
}

function mismatch(base: Value, override: Value, path: Path): ComposeError {
  return new ComposeError(`cannot override ${describeValue(base)} with ${describeValue(override)}`, {
    path: displayPath(path),
    next: 'write both in the same form, or put !override before the new value',
  });
}

function mergeToSequence(base: Value, override: Value, path: Path): Value {
  return [...toSequence(base, path), ...toSequence(override, path)];
}

/** A mapping as `KEY=value` items in the order of its keys (`KEY` for null); a scalar as a list of one. */
function toSequence(value: Value, path: Path): Value[] {
  if (Array.isArray(value)) return value;
  if (!isMapping(value)) return value === null ? [] : [value];
  return Object.keys(value)
    .toSorted()
    .flatMap((key): Value[] => {
      const item = value[key] ?? null;
      if (item === null) return [key];
      if (Array.isArray(item)) return item.map((one) => `${key}=${textOf(one, [...path, key])}`);
      return [`${key}=${textOf(item, [...path, key])}`];
    });
}

function textOf(value: Value, path: Path): string {
  if (isMapping(value) || Array.isArray(value) || value instanceof YamlTimestamp) {
    throw new ComposeError(`must be a string, a number, a boolean or null, not ${describeValue(value)}`, { path: displayPath(path) });
  }
  return scalarText(value);
}

function mergeExtraHosts(base: Value, override: Value, path: Path): Value {
  return [...new Set([...toSequence(base, path), ...toSequence(override, path)])];
}

function mergeBuild(base: Value, override: Value, path: Path): Value {
  const left = longBuild(base);
  const right = longBuild(override);
  if (!isMapping(left) || !isMapping(right)) throw mismatch(base, override, path);
  return mergeMappings(left, right, path);
}

function longBuild(value: Value): Value {
  return typeof value === 'string' ? { context: value } : value;
}

function mergeAsMappings(base: Value, override: Value, path: Path, missing: Value): Value {
  const long = (value: Value): Value =>
    Array.isArray(value) ? Object.fromEntries(value.map((name) => [textOf(name, path), missing])) : value;
  const left = long(base);
  const right = long(override);
  if (!isMapping(left) || !isMapping(right)) throw mismatch(base, override, path);
  return mergeMappings(left, right, path);
}

/** Options of another driver mean something else: they are merged only where the driver stays the same. */
function mergeLogging(base: Value, override: Value, path: Path): Value {
  if (!isMapping(base) || !isMapping(override)) throw mismatch(base, override, path);
  const before = getKey(base, 'driver');
  const after = getKey(override, 'driver');
  return before === undefined || after === undefined || before === after ? mergeMappings(base, override, path) : override;
}

/** Address ranges are the same range when their subnet is. */
function mergeIpamConfig(base: Value, override: Value, path: Path): Value {
  if (!Array.isArray(base) || !Array.isArray(override)) throw mismatch(base, override, path);
  const result = [...base];
  for (const item of override) {
    const index = result.findIndex((present) => subnetOf(present) === subnetOf(item));
    const present = result[index];
    if (isMapping(present) && isMapping(item)) result[index] = mergeMappings(present, item, [...path, index]);
    else result.push(item);
  }
  return result;
}

function subnetOf(value: Value): Value | undefined {
  return isMapping(value) ? getKey(value, 'subnet') : undefined;
}
