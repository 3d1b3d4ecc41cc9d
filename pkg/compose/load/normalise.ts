/** What a file leaves unsaid: the default network, names from keys, dependencies that links and shared namespaces imply. */

import { ComposeError } from '../compose-error.ts';
import type { Lookup } from './template.ts';
import { displayPath, getKey, isMapping, listAt, type Mapping, mappingAt, setKey, type Value } from './tree.ts';

/** `lookup`: for build arguments without a value. */
export function normalise(file: Mapping, projectName: string, lookup: Lookup = () => undefined): Mapping {
  const services: Mapping = {};
  let usesDefault = false;
  for (const [name, value] of Object.entries(mappingAt(file, 'services'))) {
    const service = isMapping(value) ? normaliseService(value, lookup) : {};
    if (isMapping(getKey(service, 'networks')) && 'default' in mappingAt(service, 'networks')) usesDefault = true;
    setKey(services, name, service);
  }
  const result: Mapping = { ...file, name: projectName, services };
  const networks = { ...mappingAt(file, 'networks') };
  if (usesDefault && getKey(networks, 'default') === undefined) networks.default = null;
  if (Object.keys(networks).length > 0) result.networks = networks;
  for (const kind of ['networks', 'volumes', 'configs', 'secrets'] as const) {
    const named = getKey(result, kind);
    if (isMapping(named)) result[kind] = nameFromKey(named, projectName);
  }
  return result;
}

function normaliseService(service: Mapping, lookup: Lookup): Mapping {
  const result: Mapping = { ...service };
  const network = getKey(service, 'networks');
  if (getKey(service, 'provider') === undefined && getKey(service, 'network_mode') === undefined) {
    if (network === undefined || network === null || (isMapping(network) && Object.keys(network).length === 0))
      result.networks = { default: null };
  }
  const build = getKey(service, 'build');
  if (isMapping(build)) {
    const noFile = getKey(build, 'dockerfile') === undefined && getKey(build, 'dockerfile_inline') === undefined;
    const args = getKey(build, 'args');
    result.build = {
      ...build,
      ...(args === undefined ? {} : { args: resolveArguments(args, lookup) }),
      ...(noFile ? { dockerfile: 'Dockerfile' } : {}),
    };
  }
  if (getKey(service, 'pull_policy') === 'if_not_present') result.pull_policy = 'missing';
  const implied = impliedDependencies(service);
  if (Object.keys(implied).length > 0) result.depends_on = { ...implied, ...mappingAt(service, 'depends_on') };
  return result;
}

/** Arguments without a value take the environment's, or are not given. */
function resolveArguments(args: Value, lookup: Lookup): Value {
  if (Array.isArray(args)) {
    return args.flatMap((item) => {
      if (typeof item !== 'string' || item.includes('=')) return [item];
      const value = lookup(item);
      return value === undefined ? [] : [`${item}=${value}`];
    });
  }
  if (!isMapping(args)) return args;
  const result: Mapping = {};
  for (const [key, item] of Object.entries(args)) {
    const value = item ?? lookup(key);
    if (value !== undefined) setKey(result, key, value);
  }
  return result;
}

function impliedDependencies(service: Mapping): Mapping {
  const implied: Mapping = {};
  const add = (name: string, restart: boolean): void => {
    if (getKey(implied, name) === undefined) {
      setKey(implied, name, { condition: 'service_started', required: true, ...(restart ? { restart } : {}) });
    }
  };
  for (const link of listAt(service, 'links')) if (typeof link === 'string') add(link.split(':', 1)[0] ?? '', true);
  for (const key of ['network_mode', 'ipc', 'pid', 'uts', 'cgroup']) {
    const name = sharedWith(getKey(service, key));
    if (name !== undefined) add(name, true);
  }
  for (const source of listAt(service, 'volumes_from')) {
    if (typeof source === 'string' && !source.startsWith('container:')) add(source.split(':', 1)[0] ?? '', false);
  }
  return implied;
}

/** `service:db` → `db`. */
export function sharedWith(value: Value | undefined): string | undefined {
  return typeof value === 'string' && value.startsWith('service:') ? value.slice('service:'.length) : undefined;
}

function nameFromKey(named: Mapping, projectName: string): Mapping {
  const result: Mapping = {};
  for (const [key, value] of Object.entries(named)) {
    const entry = isMapping(value) ? value : {};
    const name = getKey(entry, 'name');
    const external = getKey(entry, 'external') === true;
    setKey(result, key, name === undefined || name === '' ? { ...entry, name: external ? key : `${projectName}_${key}` } : entry);
  }
  return result;
}

/** The name as Compose spells it: lower case, without what is not allowed. Empty if nothing is left. */
export function normaliseProjectName(name: string): string {
  return name
    .toLowerCase()
    .replaceAll(/[^-_a-z0-9]/g, '')
    .replace(/^[_-]+/, '');
}

/** Throws ComposeError for a name given by hand that would have to be changed. */
export function checkProjectName(name: string): void {
  if (name === '' || normaliseProjectName(name) !== name) {
    throw new ComposeError(
      `invalid project name ${JSON.stringify(name)}: it has lower-case letters, digits, "-" and "_", and begins with a letter or digit`,
      {
        path: displayPath(['name']),
        next: 'choose another with -p',
      },
    );
  }
}
