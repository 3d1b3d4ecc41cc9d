import { describe, expect, test } from '@jest/globals';
import { stringify } from 'yaml';
import { ComposeError } from './compose-error.ts';
import { type ComposeKey, composeKeys } from './keys.ts';
import { loadProject } from './load/load-project.ts';
import { planApply } from './plan-apply.ts';

/** A file with the key under test, and what it needs around it. */
interface Case {
  readonly content: string;
  /** Of the key, as messages show it. */
  readonly path: string;
}

/** Keys that others come with: a list of maps, or a map, that the schema wants whole. */
const required: Readonly<Record<string, object>> = {
  'services.*.develop.watch': { path: '.', action: 'sync', target: '/x' },
  'services.*.develop.watch.exec': { command: 'x' },
  'services.*.devices': { source: '/dev/null' },
  'services.*.depends_on.*': { condition: 'service_started' },
  'services.*.deploy.resources.reservations.devices': { capabilities: ['gpu'] },
  'services.*.post_start': { command: 'x' },
  'services.*.pre_stop': { command: 'x' },
  'services.*.provider': { type: 'x' },
  'services.*.credential_spec': { file: 'x' },
  'services.*.configs': { source: 'c' },
  'services.*.secrets': { source: 's' },
  'services.*.ports': { target: 80 },
  'services.*.env_file': { path: 'x.env' },
  'services.*.gpus': { count: 1 },
  'services.*.build.secrets': { source: 's' },
  'models.*': { model: 'x' },
  'secrets.*': { content: 'x' },
  'configs.*': { content: 'x' },
};

/** Values for keys whose first alternative is no sensible one. */
const values: Readonly<Record<string, unknown>> = {
  'services.*.build': { context: '.' },
  'services.*.build.secrets': ['s'],
  'services.*.build.secrets.source': 's',
  'services.*.ulimits.*.soft': 10,
  'services.*.ulimits.*.hard': 10,
  'services.*.ulimits.*': 10,
  'services.*.networks.*.gw_priority': 1,
  'services.*.oom_score_adj': 100,
  'services.*.volumes_from': ['other'],
  'services.*.gpus.count': 1,
  'services.*.deploy.rollback_config.monitor': '1s',
  'services.*.deploy.rollback_config.delay': '1s',
  'services.*.deploy.resources.reservations.devices.count': 1,
  'services.*.network_mode': 'none',
  'services.*.cgroup': 'host',
  'services.*.healthcheck.start_interval': '1s',
  'services.*.deploy.restart_policy.delay': '1s',
  'services.*.deploy.restart_policy.window': '1s',
  'services.*.deploy.update_config.delay': '1s',
  'services.*.deploy.update_config.monitor': '1s',
  'services.*.deploy.update_config.max_failure_ratio': 0.5,
  'services.*.pull_refresh_after': '1h',
  'services.*.mem_swappiness': 1,
  'services.*.external_links': ['other'],
  'services.*.models': ['m'],
};

const mountTypes: Readonly<Record<string, string>> = { bind: 'bind', volume: 'volume', tmpfs: 'tmpfs', image: 'image' };

function sample(key: ComposeKey): unknown {
  if (Object.hasOwn(values, key.path)) return values[key.path];
  const [first = ''] = key.values.split(/\|(?![^<(]*[>)])/);
  const whole = required[key.path];
  if (first.startsWith('enum(') && !key.values.includes('|list<map')) return first.slice(5, -1).split(',')[0];
  if (/(?:^|\|)list<[^>]*map/.test(key.values) && whole !== undefined) return [whole];
  if (/(?:^|\|)list<map/.test(key.values)) return [inside(key)];
  if (first.startsWith('list<')) return ['x'];
  if (first.startsWith('map')) return whole ?? inside(key);
  if (first === 'dict') return { x: 'y' };
  if (first === 'boolean') return true;
  if (first === 'number' || first === 'integer') return 1;
  return 'x';
}

/** The first key of a map; a free one where its keys are the user's. */
function inside(key: ComposeKey): object {
  const child = composeKeys.find(({ path }) => path.startsWith(`${key.path}.`));
  if (child === undefined) return { x: 'y' };
  const name = child.path.slice(key.path.length + 1);
  return { [name === '*' ? 'x' : name]: sample(child) };
}

/** A file that sets the key, in forms that the maps and lists above it allow. */
function caseOf(key: ComposeKey): Case {
  const names = key.path.split('.');
  const root: Record<string, unknown> = {
    services: { x: { image: 'x' }, other: { image: 'x' } },
    configs: { c: { content: 'x' } },
    secrets: { s: { content: 'x' } },
    volumes: { v: {} },
    ...(key.path.startsWith('services.*.networks') ? { networks: { x: {} } } : {}),
  };
  let at = root as Record<string, unknown>;
  const shown: string[] = [];
  for (const [index, name] of names.entries()) {
    const prefix = names.slice(0, index + 1).join('.');
    const own = name === '*' ? (prefix === 'services.*.depends_on.*' ? 'other' : 'x') : name;
    shown.push(own);
    if (index === names.length - 1) {
      at[own] = sample(key);
      break;
    }
    const entry = composeKeys.find(({ path }) => path === prefix);
    const isList = entry !== undefined && /(?:^|\|)list<[^>]*map/.test(entry.values) && names[index + 1] !== '*';
    const present = at[own] as Record<string, unknown> | undefined;
    const inner: Record<string, unknown> = present ?? { ...required[prefix] };
    // The two exclude each other.
    if (key.path === 'services.*.gpus.device_ids' && prefix === 'services.*.gpus') delete inner.count;
    if (prefix === 'services.*.volumes') {
      inner.type = mountTypes[names[index + 1] ?? ''] ?? 'bind';
      Object.assign(inner, { target: '/b', source: inner.type === 'volume' ? 'v' : '/a' });
    }
    at[own] = isList ? [inner] : inner;
    if (isList) shown[shown.length - 1] = `${own}[0]`;
    at = inner;
  }
  return { content: stringify(root), path: shown.join('.') };
}

async function apply(content: string): Promise<{ refusal: string } | { warnings: readonly string[] }> {
  try {
    const loaded = await loadProject({
      files: [{ path: 'compose.yaml', content }],
      workingDirectory: '/app',
      environment: {},
      defaultProjectName: 'hello',
      readFile: () => Promise.resolve(''),
    });
    return { warnings: planApply(loaded, 'default').warnings };
  } catch (error) {
    if (error instanceof ComposeError) return { refusal: error.message };
    throw error;
  }
}

/** One inside of another that is refused or warned of is told by that one. */
function topmost(key: ComposeKey): ComposeKey {
  const parents = composeKeys.filter(({ path, support }) => support === key.support && key.path.startsWith(`${path}.`));
  return parents[0] ?? key;
}

const withSupport = (support: ComposeKey['support']): ComposeKey[] => composeKeys.filter((key) => key.support === support);

describe('a key that is not honoured', () => {
  test.each(withSupport('refused').map((key) => [key.path, key] as const))(
    '%s is refused, with its path, its line and the reason',
    async (_path, key) => {
      const { content, path } = caseOf(key);
      const result = await apply(content);
      expect({ content, result }).toEqual({ content, result: { refusal: expect.stringContaining(topmost(key).reason) } });
      const refusal = 'refusal' in result ? (result.refusal.split('\n').find((line) => line.includes(topmost(key).reason)) ?? '') : '';
      const named = /^compose\.yaml:(\d+):(\d+): ([^:]+(?:\[\d+\])?): /.exec(refusal);
      expect({ refusal, path: named?.[3] }).toEqual({ refusal, path: expect.anything() });
      // The key itself, or the one above it that is refused as a whole.
      expect(`${path}.`.startsWith(`${named?.[3]}`)).toBe(true);
      const lines = content.split('\n');
      const last =
        named?.[3]
          ?.split('.')
          .at(-1)
          ?.replace(/\[\d+\]$/, '') ?? '';
      expect(lines[Number(named?.[1]) - 1]).toContain(last);
    },
  );

  test.each(withSupport('warned').map((key) => [key.path, key] as const))(
    '%s is warned of, with its path and the reason',
    async (_path, key) => {
      const result = await apply(caseOf(key).content);
      const { reason } = topmost(key);
      expect(result).toEqual({ warnings: expect.arrayContaining([expect.stringContaining(reason)]) });
    },
  );
});
