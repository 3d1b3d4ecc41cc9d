/** Values that Compose fills in even where nothing is normalised. */
import { getKey, isMapping, type Mapping, patternTable, transformTree, type Value } from './tree.ts';

const defaults = patternTable<(value: Mapping) => Mapping>({
  'services.*.build': (build) => ({ context: '.', ...build }),
  'services.*.secrets.*': (mount) => {
    const source = getKey(mount, 'source');
    return { ...(typeof source === 'string' ? { target: `/run/secrets/${source}` } : {}), ...mount };
  },
});

export function setDefaults(file: Mapping): Mapping {
  return transformTree(file, (path) => {
    const fill = defaults(path);
    return fill === undefined ? undefined : (value: Value) => (isMapping(value) ? fill(value) : value);
  }) as Mapping;
}
