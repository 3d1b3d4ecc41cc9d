/**
 * What Berth does with each key of a project: refuses it, warns of it, or honours it. Keys are judged by the table of keys, values of honoured keys by
 * the table here. Pure; it works on the canonical model.
 */
import { type ComposeKey, composeKeys } from './keys.ts';
import { displayPath, isMapping, type Mapping, type Path, patternTable, type Value } from './load/tree.ts';
import type { ComposeProject } from './model.ts';

export interface Finding {
  readonly support: 'refused' | 'warned';
  /** `services.web.init`. */
  readonly path: string;
  readonly reason: string;
}

const keyByPath: ReadonlyMap<string, ComposeKey> = new Map(composeKeys.map((key) => [key.path, key]));

type Judge = (value: Value, path: Path, project: ComposeProject) => Omit<Finding, 'path'> | undefined;

const refused = (reason: string): Omit<Finding, 'path'> => ({ support: 'refused', reason });
const warned = (reason: string): Omit<Finding, 'path'> => ({ support: 'warned', reason });

function only(allowed: readonly string[], reason: string): Judge {
  return (value) => (typeof value !== 'string' || value === '' || allowed.includes(value) ? undefined : refused(reason));
}

const judges = patternTable<Judge>({
  'services.*.build': (_value, path, project) =>
    project.services[String(path[1])]?.image === undefined
      ? refused('Berth builds no images: build it with your own tool, load it with `berth image load`, and name it with image:')
      : undefined,
  'services.*.cgroup': only(['private'], 'a container has a cgroup namespace of its own'),
  'services.*.deploy.mode': only(['replicated'], 'services are replicated: set deploy.replicas'),
  'services.*.deploy.endpoint_mode': (value) => (value === 'vip' ? warned('names give the addresses of the replicas (dnsrr)') : undefined),
  'services.*.deploy.update_config.order': only(['stop-first'], 'a replica is stopped before its successor starts'),
  'services.*.deploy.update_config.failure_action': only(['pause'], 'an update whose replica does not get ready pauses'),
  'services.*.ipc': only(['host', 'private', 'shareable'], 'containers of several services do not share memory'),
  'services.*.network_mode': (value) => {
    if (value === 'host' || value === 'bridge') return undefined;
    if (value === 'none') return refused('a pod without a network is not supported');
    return refused('the network of another container cannot be shared: put both services on one network');
  },
  'services.*.pid': only(['host'], 'containers of several services do not share processes'),
  'services.*.pull_policy': only(['always', 'missing', 'if_not_present', 'never'], 'use always, missing or never'),
  'services.*.ports.*.mode': (value) =>
    value === 'host' ? warned('the port is opened on every node, and leads to all replicas') : undefined,
  'services.*.ports.*.published': (value) =>
    typeof value === 'string' && value.includes('-')
      ? warned('the first port of the range is opened, and leads to all replicas')
      : undefined,
  'services.*.security_opt.*': (value) =>
    typeof value === 'string' &&
    /^(no-new-privileges([:=]true)?|seccomp[:=]unconfined|apparmor[:=]unconfined|label[:=]disable)$/.test(value)
      ? undefined
      : refused('only no-new-privileges, and profiles that are switched off, can be set'),
  'services.*.tmpfs.*': (value) =>
    typeof value === 'string' &&
    /:./.test(value) &&
    value
      .replace(/^[^:]*:/, '')
      .split(',')
      .some((option) => !option.startsWith('size='))
      ? warned('of its options only size has an effect')
      : undefined,
  'services.*.volumes.*.bind.create_host_path': (value) =>
    value === false ? warned('a folder is made on the node where there is nothing at the path') : undefined,
  'services.*.volumes.*.type': only(['bind', 'volume', 'tmpfs'], 'use bind, volume or tmpfs'),
  'networks.*.driver': only(['bridge', 'overlay', 'default'], 'nodes have one kind of network and no drivers'),
  'networks.*.enable_ipv4': (value) => (value === false ? refused('pods have IPv4 addresses only') : undefined),
  'volumes.*.driver_opts': (value) =>
    isMapping(value) && isBindMount(value)
      ? undefined
      : refused('nodes have one kind of volume and no drivers: bind mount a path for anything else'),
  'volumes.*.driver': only(['local', 'default'], 'nodes have one kind of volume and no drivers'),
});

/** Everything that is refused or warned of, in the order of the project. Values that mean "not set" are neither. */
export function checkSupport(project: ComposeProject): Finding[] {
  const findings: Finding[] = [];
  visitMapping(project as unknown as Mapping, [], '', { findings, project });
  return findings;
}

/** `type: none, o: bind, device: /path`: a local volume that is a folder of the node. */
export function isBindMount(options: Readonly<Record<string, unknown>>): boolean {
  const { o, device } = options;
  return typeof o === 'string' && o.split(',').includes('bind') && typeof device === 'string' && device.startsWith('/');
}

interface Visit {
  readonly findings: Finding[];
  readonly project: ComposeProject;
}

function visitMapping(mapping: Mapping, path: Path, keys: string, visit: Visit): void {
  for (const [key, value] of Object.entries(mapping)) {
    const exact = keys === '' ? key : `${keys}.${key}`;
    const entry = keyByPath.get(exact) ?? keyByPath.get(keys === '' ? '*' : `${keys}.*`);
    if (entry !== undefined) visitValue(value, [...path, key], entry, visit);
  }
}

function visitValue(value: Value, path: Path, entry: ComposeKey, visit: Visit): void {
  // Of false a judge may have something to say; a name with nothing behind it is set all the same.
  const named = hasNames(entry) && isMapping(value) && Object.keys(value).length > 0;
  if (value !== false && isUnset(value) && !named) return;
  const judgement = judges(path)?.(value, path, visit.project);
  if (judgement !== undefined) {
    visit.findings.push({ ...judgement, path: displayPath(path) });
    return;
  }
  if (value === false) return;
  if (entry.support !== 'honoured') {
    if (entry.path === 'services.*.depends_on.*.restart' && isImplied(path, visit.project)) return;
    visit.findings.push({ support: entry.support, path: displayPath(path), reason: entry.reason });
    return;
  }
  if (isMapping(value)) visitMapping(value, path, entry.path, visit);
  if (!Array.isArray(value)) return;
  value.forEach((item, index) => {
    const child = [...path, index];
    const found = judges(child)?.(item, child, visit.project);
    if (found !== undefined) visit.findings.push({ ...found, path: displayPath(child) });
    else if (isMapping(item)) visitMapping(item, child, entry.path, visit);
  });
}

/** Whether the keys inside are names that the user gives. */
function hasNames(entry: ComposeKey): boolean {
  return entry.support !== 'honoured' && keyByPath.has(`${entry.path}.*`);
}

function isUnset(value: Value | undefined): boolean {
  if (value === undefined || value === null || value === false || value === '') return true;
  if (Array.isArray(value)) return value.length === 0;
  return isMapping(value) && Object.values(value).every(isUnset);
}

/** Dependencies that links imply are said to restart, which nobody wrote. */
function isImplied(path: Path, project: ComposeProject): boolean {
  const service = project.services[String(path[1])];
  return (service?.links ?? []).some((link) => link.split(':', 1)[0] === path[3]);
}
