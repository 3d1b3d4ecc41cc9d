/**
 * The canonical model as a Stack carries it, and back. In a Stack no content of configs and secrets is found (who may list Stacks must not read secrets):
 * `object` names what holds it. What only the machine that loaded the files knows (paths, env files, builds) is left out.
 */
import { ComposeError } from './compose-error.ts';
import { toCanonical } from './load/canonical.ts';
import { checkConsistency } from './load/consistency.ts';
import { setDefaults } from './load/defaults.ts';
import { finish } from './load/finish.ts';
import { normalise } from './load/normalise.ts';
import { isMapping, type Mapping, setKey, type Value } from './load/tree.ts';
import { checkValues } from './load/validate.ts';
import type { ComposeProject, FileObject } from './model.ts';
import { checkShape } from './schema.ts';
import { checkSupport } from './support.ts';

const local = new Set(['env_file', 'label_file', 'extends', 'profiles', 'build', 'develop']);

/** `objects` says by which name a config or secret is in the cluster; those without one that are not external are left out. */
export function toStackSpec(
  project: ComposeProject,
  objects: { readonly configs: ReadonlyMap<string, string>; readonly secrets: ReadonlyMap<string, string> },
): Record<string, unknown> {
  const services = Object.fromEntries(
    Object.entries(project.services).map(([name, service]) => [
      name,
      Object.fromEntries(Object.entries(service).filter(([key]) => !local.has(key))),
    ]),
  );
  const { name, networks, volumes } = project;
  return withoutNulls({
    name,
    services,
    networks,
    volumes,
    configs: fileObjects(project.configs, objects.configs),
    secrets: fileObjects(project.secrets, objects.secrets),
  } as unknown as Mapping);
}

function fileObjects(
  from: Record<string, FileObject> | undefined,
  objects: ReadonlyMap<string, string>,
): Record<string, FileObject> | undefined {
  const entries = Object.entries(from ?? {}).flatMap(([key, { name, external }]): [string, FileObject][] => {
    const named = name === undefined ? {} : { name };
    const object = objects.get(key);
    if (external === true) return [[key, { ...named, external }]];
    return object === undefined ? [] : [[key, { ...named, object }]];
  });
  return entries.length === 0 ? undefined : Object.fromEntries(entries);
}

/** Nulls do not survive patches: a service's network without options is an empty mapping, an unset variable is not there. */
function withoutNulls(mapping: Mapping): Mapping {
  const result: Mapping = {};
  for (const [key, value] of Object.entries(mapping)) {
    if (value === undefined) continue;
    if (key === 'networks' && isMapping(value)) {
      setKey(result, key, Object.fromEntries(Object.entries(value).map(([name, one]) => [name, isMapping(one) ? withoutNulls(one) : {}])));
    } else if (value !== null) {
      setKey(result, key, isMapping(value) ? withoutNulls(value) : value);
    }
  }
  return result;
}

/**
 * The model out of a Stack, which someone may have written by hand: short forms are understood, and everything that `berth apply` would refuse is refused.
 * Throws ComposeError.
 */
export function readStackSpec(spec: Readonly<Record<string, unknown>>, stackName: string): ComposeProject {
  const objects = new Map<string, string>();
  const file = takeObjects(spec as Mapping, objects);
  checkShape(file);
  const canonical = setDefaults(toCanonical(file));
  checkValues(putObjects(canonical, new Map([...objects].map(([path, object]) => [path, object])), 'file'));
  const name = typeof file.name === 'string' && file.name !== '' ? file.name : stackName;
  const finished = finish(normalise(canonical, name));
  const project = putObjects(finished, objects, 'object') as unknown as ComposeProject;
  checkConsistency(project, {});
  const finding = checkSupport(project).find(({ support }) => support === 'refused');
  if (finding !== undefined) throw new ComposeError(finding.reason, { path: finding.path });
  return project;
}

/** The spec without its references to objects, which are no keys of Compose. */
function takeObjects(spec: Mapping, objects: Map<string, string>): Mapping {
  const result: Mapping = { ...spec };
  for (const kind of ['configs', 'secrets']) {
    const entries = result[kind];
    if (!isMapping(entries)) continue;
    const stripped: Mapping = {};
    for (const [key, value] of Object.entries(entries)) {
      if (!isMapping(value) || value.object === undefined) {
        setKey(stripped, key, value);
        continue;
      }
      const { object, ...rest } = value;
      if (typeof object !== 'string') throw new ComposeError('must be a string', { path: `${kind}.${key}.object` });
      objects.set(`${kind}.${key}`, object);
      setKey(stripped, key, rest);
    }
    result[kind] = stripped;
  }
  return result;
}

/** Says of each config and secret where its content is: by `object`, or, for the checks of files, as if it were a file. */
function putObjects(file: Mapping, objects: ReadonlyMap<string, string>, as: 'object' | 'file'): Mapping {
  const result: Mapping = { ...file };
  for (const [path, object] of objects) {
    const [kind = '', ...rest] = path.split('.');
    const key = rest.join('.');
    const entries: Value = result[kind] ?? {};
    if (!isMapping(entries)) continue;
    const entry = entries[key];
    result[kind] = { ...entries, [key]: { ...(isMapping(entry) ? entry : {}), [as]: object } };
  }
  return result;
}
