/**
 * Removes duplicates that joining lists leaves: of items with the same key the last wins and takes the first one's place. The table says what an
 * item's key is.
 */
import { ComposeError } from '../compose-error.ts';
import { displayPath, getKey, isMapping, type Path, patternTable, scalarText, transformTree, type Value } from './tree.ts';
import { parseVolumeSpec } from './volume-spec.ts';

/** The item's key; undefined: it has none and stays. */
type Indexer = (item: Value, path: Path) => string | undefined;

const indexers = patternTable<Indexer>({
  'networks.*.labels': byKey,
  'networks.*.ipam.options': byKey,
  'volumes.*.labels': byKey,
  'services.*.annotations': byKey,
  'services.*.build.args': byKey,
  'services.*.build.additional_contexts': byKey,
  'services.*.build.platforms': byKey,
  'services.*.build.tags': byKey,
  'services.*.build.labels': byKey,
  'services.*.cap_add': byKey,
  'services.*.cap_drop': byKey,
  'services.*.devices': byDevice,
  'services.*.configs': (item) => byMount(item, '/'),
  'services.*.deploy.labels': byKey,
  'services.*.dns': byKey,
  'services.*.dns_opt': byKey,
  'services.*.dns_search': byKey,
  'services.*.environment': byKey,
  'services.*.env_file': byPath,
  'services.*.expose': (item) => (isMapping(item) || Array.isArray(item) ? undefined : scalarText(item)),
  'services.*.labels': byKey,
  'services.*.links': byKey,
  'services.*.networks.*.aliases': byKey,
  'services.*.networks.*.link_local_ips': byKey,
  'services.*.ports': byPort,
  'services.*.profiles': byKey,
  'services.*.secrets': (item) => byMount(item, '/run/secrets/'),
  'services.*.sysctls': byKey,
  'services.*.tmpfs': byKey,
  'services.*.volumes': byTarget,
});

export function removeDuplicates(value: Value): Value {
  return transformTree(value, (path) => {
    const indexer = indexers(path);
    return indexer === undefined ? undefined : (list) => (Array.isArray(list) ? unique(list, indexer, path) : list);
  });
}

function unique(list: Value[], indexer: Indexer, path: Path): Value[] {
  const kept: Value[] = [];
  const places = new Map<string, number>();
  list.forEach((item, index) => {
    const key = indexer(item, [...path, index]);
    const place = key === undefined ? undefined : places.get(key);
    if (place === undefined) {
      if (key !== undefined) places.set(key, kept.length);
      kept.push(item);
    } else {
      kept[place] = item;
    }
  });
  return kept;
}

function byKey(item: Value): string | undefined {
  return typeof item === 'string' ? item.split('=', 1)[0] : undefined;
}

function byPath(item: Value): string | undefined {
  const path = isMapping(item) ? getKey(item, 'path') : item;
  return typeof path === 'string' ? path : undefined;
}

function byMount(item: Value, folder: string): string | undefined {
  if (typeof item === 'string') return `${folder}${item}`;
  if (!isMapping(item)) return undefined;
  const target = getKey(item, 'target');
  if (typeof target === 'string' && target !== '') return target.startsWith('/') ? target : `${folder}${target}`;
  const source = getKey(item, 'source');
  return typeof source === 'string' ? `${folder}${source}` : undefined;
}

function byDevice(item: Value): string | undefined {
  if (typeof item === 'string') {
    const [source, target] = item.split(':');
    return target ?? source;
  }
  const target = isMapping(item) ? getKey(item, 'target') : undefined;
  return typeof target === 'string' ? target : undefined;
}

function byTarget(item: Value, path: Path): string | undefined {
  if (typeof item === 'string') {
    try {
      return parseVolumeSpec(item).target;
    } catch (error) {
      throw error instanceof ComposeError ? error.with({ path: displayPath(path) }) : error;
    }
  }
  const target = isMapping(item) ? getKey(item, 'target') : undefined;
  return typeof target === 'string' ? target : undefined;
}

/** Short ports come in as strings before, and as mappings after the canonical form. */
function byPort(item: Value): string | undefined {
  if (!isMapping(item)) return typeof item === 'string' || typeof item === 'number' ? String(item) : undefined;
  const part = (key: string, fallback: string): string => {
    const value = getKey(item, key);
    return typeof value === 'string' || typeof value === 'number' ? String(value) : fallback;
  };
  return `${part('host_ip', '0.0.0.0')}:${part('published', '')}:${part('target', '')}/${part('protocol', 'tcp')}`;
}
