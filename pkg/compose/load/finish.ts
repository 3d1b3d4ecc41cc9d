/**
 * The last step to the canonical model: lists of KEY=value become mappings, durations and sizes get their one spelling, numbers and strings the type
 * that the model has, and what is empty is left out.
 */
import { ComposeError } from '../compose-error.ts';
import { type Rule, rootRule } from '../schema.ts';
import { at } from './canonical.ts';
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
  YamlTimestamp,
} from './tree.ts';
import { formatDuration, parseBytes, parseDuration } from './units.ts';

type Reader = (value: Value, path: Path) => Value | undefined;

const readers = patternTable<Reader>({
  'services.*.blkio_config.device_read_bps.*.rate': size,
  'services.*.blkio_config.device_read_iops.*.rate': size,
  'services.*.blkio_config.device_write_bps.*.rate': size,
  'services.*.blkio_config.device_write_iops.*.rate': size,
  'services.*.blkio_config.weight': number,
  'services.*.blkio_config.weight_device.*.weight': number,
  'services.*.build.extra_hosts': sorted,
  'services.*.build.provenance': text,
  'services.*.build.sbom': text,
  'services.*.deploy.resources.reservations.generic_resources.*.discrete_resource_spec.value': number,
  'services.*.extra_hosts': sorted,
  'services.*.provider.options.*': texts,
  'services.*.build.shm_size': size,
  'services.*.build.secrets.*.mode': fileMode,
  'services.*.configs.*.mode': fileMode,
  'services.*.cpu_count': number,
  'services.*.cpu_percent': number,
  'services.*.cpus': number,
  'services.*.deploy.resources.limits.cpus': number,
  'services.*.deploy.resources.limits.memory': size,
  'services.*.deploy.resources.reservations.cpus': number,
  'services.*.deploy.resources.reservations.memory': size,
  'services.*.deploy.replicas': number,
  'services.*.deploy.restart_policy.max_attempts': number,
  'services.*.deploy.update_config.parallelism': number,
  'services.*.healthcheck.retries': number,
  'services.*.ports.*.target': number,
  'services.*.scale': number,
  'services.*.deploy.restart_policy.delay': duration,
  'services.*.deploy.restart_policy.window': duration,
  'services.*.deploy.rollback_config.delay': duration,
  'services.*.deploy.rollback_config.monitor': duration,
  'services.*.deploy.update_config.delay': duration,
  'services.*.deploy.update_config.monitor': duration,
  'services.*.expose.*': text,
  'services.*.group_add.*': text,
  'services.*.healthcheck.interval': duration,
  'services.*.healthcheck.start_interval': duration,
  'services.*.healthcheck.start_period': duration,
  'services.*.healthcheck.timeout': duration,
  'services.*.mem_limit': size,
  'services.*.mem_reservation': size,
  'services.*.mem_swappiness': size,
  'services.*.memswap_limit': size,
  'services.*.secrets.*.mode': fileMode,
  'services.*.shm_size': size,
  'services.*.stop_grace_period': duration,
  'services.*.volumes.*.tmpfs.size': size,
  'services.*.volumes.*.tmpfs.mode': number,
  'services.*.networks.*.driver_opts.*': text,
  'services.*.logging.options.*': text,
  'services.*.storage_opt.*': text,
  'networks.*.driver_opts.*': text,
  'volumes.*.driver_opts.*': text,
  'secrets.*.driver_opts.*': text,
});

/** Written even when empty or zero: Compose tells these from absent ones. */
const kept = patternTable<true>({
  services: true,
  'services.*': true,
  'services.*.attach': true,
  'services.*.init': true,
  'services.*.command': true,
  'services.*.entrypoint': true,
  'services.*.scale': true,
  'services.*.depends_on.*': true,
  'services.*.depends_on.*.required': true,
  'services.*.deploy.replicas': true,
  'services.*.deploy.placement': true,
  'services.*.deploy.resources': true,
  'services.*.deploy.restart_policy.max_attempts': true,
  'services.*.deploy.update_config.parallelism': true,
  'services.*.deploy.rollback_config.parallelism': true,
  'services.*.healthcheck.retries': true,
  'services.*.models.*': true,
  'services.*.networks.*': true,
  'services.*.ulimits.*': true,
  'networks.*': true,
  'networks.*.enable_ipv4': true,
  'networks.*.enable_ipv6': true,
  'networks.*.ipam': true,
  'volumes.*': true,
  'secrets.*': true,
  'configs.*': true,
  'models.*': true,
});

/** Defaults that are left out, so that absent and default are one. */
const optOuts = patternTable<true>({
  'services.*.env_file.*.required': true,
  'services.*.volumes.*.bind.create_host_path': true,
});

export function finish(file: Mapping): Mapping {
  const read = transformTree(file, readers) as Mapping;
  const services: Mapping = {};
  for (const [name, service] of Object.entries(isMapping(read.services) ? read.services : {})) {
    setKey(
      services,
      name,
      isMapping(service)
        ? { ...service, command: getKey(service, 'command') ?? null, entrypoint: getKey(service, 'entrypoint') ?? null }
        : {},
    );
  }
  return clean({ ...read, services }, rootRule, []);
}

function clean(mapping: Mapping, rule: Rule, path: Path): Mapping {
  const result: Mapping = {};
  const userNamed = rule.keys?.has('*') ?? false;
  for (const [key, value] of Object.entries(mapping)) {
    const child = [...path, key];
    const childRule = rule.keys?.get(key) ?? rule.keys?.get('*');
    if (childRule === undefined && key.startsWith('x-') && !userNamed) {
      if (path.length === 0) setKey(result, key, plain(value));
      continue;
    }
    const cleaned = cleanValue(value, childRule, child);
    if (cleaned !== undefined) setKey(result, key, cleaned);
  }
  return withImplied(result, path);
}

/** Parts that the model always has. */
function withImplied(mapping: Mapping, path: Path): Mapping {
  if (path.length === 3 && path[0] === 'services' && path[2] === 'deploy') return { placement: {}, resources: {}, ...mapping };
  if (path.length === 2 && path[0] === 'networks') return { ipam: {}, ...mapping };
  return mapping;
}

function cleanValue(value: Value, rule: Rule | undefined, path: Path): Value | undefined {
  if (optOuts(path) === true) return value === false ? false : undefined;
  const keep = kept(path) === true;
  if (
    rule?.alternatives.some(({ kind }) => kind === 'dict') &&
    (isMapping(value) || Array.isArray(value)) &&
    path.at(-1) !== 'extra_hosts'
  ) {
    const dict = toDict(value, path.at(-1) === 'environment' || path.at(-1) === 'args' ? null : '', path);
    return Object.keys(dict).length === 0 ? undefined : dict;
  }
  if (value === null || value === undefined) return keep ? nullOf(path) : undefined;
  if (Array.isArray(value)) {
    const list = value.map((item, index) => (isMapping(item) && rule !== undefined ? clean(item, rule, [...path, index]) : plain(item)));
    return list.length === 0 && !keep ? undefined : list;
  }
  if (isMapping(value)) {
    const inner = rule?.keys === undefined ? (plain(value) as Mapping) : clean(value, rule, path);
    const struct = rule?.keys !== undefined && !rule.keys.has('*');
    return Object.keys(inner).length === 0 && !struct && !keep ? undefined : inner;
  }
  if (!keep && (value === '' || value === false || value === 0 || value === '0s'))
    return value === '0s' && path.at(2) !== 'deploy' ? value : undefined;
  return plain(value);
}

/** Networks and volumes without anything to say are empty mappings; a service's network without options is null. */
function nullOf(path: Path): Value {
  return path.length === 2 ? (path[0] === 'networks' ? { ipam: {} } : {}) : null;
}

function toDict(value: Value, missing: '' | null, path: Path): Mapping {
  const result: Mapping = {};
  if (Array.isArray(value)) {
    for (const item of value) {
      if (typeof item !== 'string') continue;
      const equals = item.indexOf('=');
      if (equals < 0) setKey(result, item, missing);
      else setKey(result, item.slice(0, equals), item.slice(equals + 1));
    }
  } else if (isMapping(value)) {
    for (const [key, item] of Object.entries(value)) {
      if (isMapping(item) || Array.isArray(item))
        throw new ComposeError(`must be text, not ${describeValue(item)}`, { path: displayPath([...path, key]) });
      setKey(result, key, item === null ? missing : scalarText(item));
    }
  }
  return result;
}

/** As JSON has it: dates as their text, big integers as numbers. */
function plain(value: Value): Value {
  if (value instanceof YamlTimestamp) return value.text;
  if (typeof value === 'bigint') return Number(value);
  if (Array.isArray(value)) return value.map(plain);
  if (!isMapping(value)) return value;
  const result: Mapping = {};
  for (const [key, item] of Object.entries(value)) setKey(result, key, plain(item));
  return result;
}

function text(value: Value): Value {
  return isMapping(value) || Array.isArray(value) ? value : scalarText(value);
}

function texts(value: Value): Value {
  return (Array.isArray(value) ? value : [value]).map(text);
}

function sorted(value: Value): Value {
  return Array.isArray(value) ? value.map(text).toSorted((left, right) => (JSON.stringify(left) < JSON.stringify(right) ? -1 : 1)) : value;
}

function number(value: Value, path: Path): Value {
  if (typeof value !== 'string') return value;
  const parsed = Number(value);
  if (value.trim() === '' || Number.isNaN(parsed))
    throw new ComposeError(`must be a number, not ${describeValue(value)}`, { path: displayPath(path) });
  return parsed;
}

function size(value: Value, path: Path): Value {
  if (typeof value === 'number' || typeof value === 'bigint') return String(value);
  return typeof value === 'string' && value !== '' ? String(at(path, () => parseBytes(value))) : value;
}

function duration(value: Value, path: Path): Value {
  return typeof value === 'string' && value !== '' ? at(path, () => formatDuration(parseDuration(value))) : value;
}

/** Numbers are the mode itself (`0440` is read as octal, 288 is the same); strings are octal. */
function fileMode(value: Value, path: Path): Value {
  if (typeof value === 'number') return `0${value.toString(8)}`;
  if (typeof value !== 'string') return value;
  if (!/^[0-7]{1,5}$/.test(value))
    throw new ComposeError(`must be an octal file mode like "0440", not ${describeValue(value)}`, { path: displayPath(path) });
  return `0${Number.parseInt(value, 8).toString(8)}`;
}
