/** What a command line names: `pods`, `pod x y`, `pod/x deploy/y`, `all`; or what is in the files that it names. */
import { apiVersionOf, parseApiVersion } from '#api/object';
import type { Connection } from './connection.ts';
import type { MappedResource } from './resource-mapper.ts';
import { UsageError, type VerbContext } from './verb.ts';

export interface Selection {
  readonly resource: MappedResource;
  /** Absent: all of them. */
  readonly name?: string;
  /** Where a file says another than the command line's. */
  readonly namespace?: string;
}

/** Throws `UsageError` for types that the server does not have and for words that cannot go together. */
export async function selectObjects(connection: Connection, words: readonly string[]): Promise<readonly Selection[]> {
  const mapper = await connection.mapper();
  if (words.length === 0)
    throw new UsageError('name a type of resource, or type/name', 'For example: berth get pods, or berth get stack/hello.');
  if (words.some((word) => word.includes('/'))) {
    return words.map((word) => {
      const [type = '', name = '', ...rest] = word.split('/');
      if (name === '' || rest.length > 0)
        throw new UsageError(`"${word}" is not type/name`, 'Where one argument is type/name, all must be.');
      return { resource: single(mapper.find(type), type), name };
    });
  }
  const [types = '', ...names] = words;
  const resources = types.split(',').flatMap((type) => mapper.find(type));
  if (names.length === 0) return resources.map((resource) => ({ resource }));
  return names.flatMap((name) => resources.map((resource) => ({ resource, name })));
}

/** The objects that files name; of Compose files, their stack. Throws `UsageError` with file:line for kinds that the server does not have. */
export async function selectInFiles(
  context: VerbContext,
  connection: Connection,
  files: readonly string[],
  words: readonly string[],
  options: ManifestOptions = {},
): Promise<readonly Selection[]> {
  if (words.length > 0) throw new UsageError('name objects or files, not both');
  const { readManifests } = await import('./manifests.ts');
  const set = await readManifests(files, context, { recursive: options.recursive ?? false });
  const mapper = await connection.mapper();
  if (set.type === 'compose') {
    const [{ loadComposeProject }, { stackName }] = await Promise.all([import('./compose-project.ts'), import('#compose/plan-apply')]);
    const { project } = await loadComposeProject(context, set.files, {
      ...(options.projectName === undefined ? {} : { projectName: options.projectName }),
      ...(options.envFile === undefined ? {} : { envFile: options.envFile }),
    });
    return [{ resource: single(mapper.find('stacks.compose.berth.dev'), 'stacks'), name: stackName(project.name ?? '') }];
  }
  return set.manifests.map(({ object, where }) => {
    const { group, version } = parseApiVersion(object.apiVersion);
    const resource = mapper.findKind(group, version, object.kind);
    if (resource === undefined)
      throw new UsageError(`${where}: the server has no kind "${object.kind}" in version "${apiVersionOf({ group, version })}"`);
    const { name, namespace } = object.metadata;
    if (name === undefined) throw new UsageError(`${where}: ${object.kind}: metadata.name is missing`);
    return { resource, name, ...(namespace === undefined ? {} : { namespace }) };
  });
}

export interface ManifestOptions {
  readonly recursive?: boolean;
  readonly projectName?: string;
  readonly envFile?: readonly string[];
}

function single(resources: readonly MappedResource[], type: string): MappedResource {
  const [first] = resources;
  if (first === undefined || resources.length > 1) throw new UsageError(`"${type}" names ${resources.length} types; type/name needs one`);
  return first;
}
