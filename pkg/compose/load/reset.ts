import { getKey, isMapping, type Mapping, type Path, setKey } from './tree.ts';

/** The mapping without what stands at these paths. */
export function dropPaths(file: Mapping, paths: readonly Path[]): Mapping {
  return paths.reduce((rest, path) => drop(rest, path), file);
}

function drop(mapping: Mapping, path: Path): Mapping {
  const [step, ...more] = path;
  if (typeof step !== 'string') return mapping;
  const value = getKey(mapping, step);
  if (value === undefined) return mapping;
  const result: Mapping = {};
  for (const [key, item] of Object.entries(mapping)) {
    if (key !== step) setKey(result, key, item);
    else if (more.length > 0) setKey(result, key, isMapping(item) ? drop(item, more) : item);
  }
  return result;
}
