/** Rules on single values of the merged file that its shape does not say. */
import { ComposeError } from '../compose-error.ts';
import { isAddress } from './port-spec.ts';
import { displayPath, getKey, isMapping, type Mapping, type Path, patternTable, transformTree, type Value } from './tree.ts';

type Rule = (value: Value, path: Path) => void;

const rules = patternTable<Rule>({
  'configs.*': (value, path) => checkFileObject(value, path, ['file', 'environment', 'content']),
  'secrets.*': (value, path) => checkFileObject(value, path, ['file', 'environment', 'content']),
  'networks.*': checkExternal,
  'volumes.*': checkExternal,
  'services.*.ports.*': checkPort,
  'services.*.volumes.*': checkMount,
  'services.*.develop.watch.*.path': (value, path) => {
    if (value === '') throw new ComposeError('must not be empty', { path: displayPath(path) });
  },
});

export function checkValues(file: Mapping): void {
  transformTree(file, (path) => {
    const rule = rules(path);
    if (rule === undefined) return undefined;
    return (value) => {
      rule(value, path);
      return value;
    };
  });
}

function checkExternal(value: Value, path: Path): void {
  if (!isMapping(value) || getKey(value, 'external') !== true) return;
  const other = Object.keys(value).find((key) => key !== 'external' && key !== 'name' && !key.startsWith('x-'));
  if (other !== undefined) {
    throw new ComposeError(`external and ${other} exclude each other`, {
      path: displayPath([...path, other]),
      next: 'what is external is made elsewhere, and only named here',
    });
  }
}

function checkFileObject(value: Value, path: Path, sources: readonly string[]): void {
  if (!isMapping(value)) return;
  const given = sources.filter((key) => getKey(value, key) !== undefined);
  if (given.length > 1) throw new ComposeError(`${given.join(' and ')} exclude each other`, { path: displayPath(path) });
  if (getKey(value, 'external') === true) checkExternal(value, path);
  else if (given.length === 0 && getKey(value, 'driver') === undefined) {
    throw new ComposeError('it has no content', {
      path: displayPath(path),
      next: `give one of ${sources.join(', ')} or external: true`,
    });
  }
}

function checkPort(value: Value, path: Path): void {
  if (!isMapping(value)) return;
  const address = getKey(value, 'host_ip');
  if (typeof address === 'string' && address !== '' && !isAddress(address.replace(/^\[(.*)\]$/, '$1'))) {
    throw new ComposeError(`${JSON.stringify(address)} is no IP address`, { path: displayPath([...path, 'host_ip']) });
  }
}

function checkMount(value: Value, path: Path): void {
  if (!isMapping(value)) return;
  const source = getKey(value, 'source');
  if (getKey(value, 'type') === 'bind' && (source === undefined || source === '')) {
    throw new ComposeError('a bind mount needs a source', { path: displayPath(path) });
  }
}
