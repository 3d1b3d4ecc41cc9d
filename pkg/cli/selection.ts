/** What a command line names: `pods`, `pod x y`, `pod/x deploy/y`, `all`. */
import type { Connection } from './connection.ts';
import type { MappedResource } from './resource-mapper.ts';
import { UsageError } from './verb.ts';

export interface Selection {
  readonly resource: MappedResource;
  /** Absent: all of them. */
  readonly name?: string;
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

function single(resources: readonly MappedResource[], type: string): MappedResource {
  const [first] = resources;
  if (first === undefined || resources.length > 1) throw new UsageError(`"${type}" names ${resources.length} types; type/name needs one`);
  return first;
}
