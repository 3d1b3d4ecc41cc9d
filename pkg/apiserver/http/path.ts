import { StatusError } from '#base/errors';

/** What a path of the API names. `namespace` is only set for objects within one: a namespace itself is a resource like any other. */
export interface ResourcePath {
  readonly group: string;
  readonly version: string;
  readonly plural: string;
  readonly namespace?: string;
  readonly name?: string;
  readonly subresource?: string;
  /** What follows the subresource (`proxy/a/b`), without a leading slash. */
  readonly rest?: string;
  /** The old spelling `/api/v1/watch/…`. */
  readonly watch: boolean;
}

/** Subresources of a namespace, which would otherwise read as resources within it. */
const namespaceSubresources = new Set(['status', 'finalize']);

/**
 * Reads `/api/v1/…` and `/apis/GROUP/VERSION/…` below the version; undefined for every other path (discovery among them).
 * Throws `BadRequest` for a path with a wrong percent-encoding, an empty segment, or one that holds a slash or a control character.
 */
export function parseResourcePath(path: string): ResourcePath | undefined {
  const segments = (path.endsWith('/') ? path.slice(1, -1) : path.slice(1)).split('/');
  const root = segments[0];
  const skip = root === 'api' ? 2 : root === 'apis' ? 3 : 0;
  if (skip === 0 || segments.length <= skip) return undefined;
  const parts = path.includes('%') ? segments.map((segment) => decode(segment, path)) : segments;
  const group = root === 'api' ? '' : parts[1]!;
  const version = parts[skip - 1]!;
  let below = parts.slice(skip);
  const watch = below[0] === 'watch' && below.length > 1;
  if (watch) below = below.slice(1);
  if (below.includes('')) throw new StatusError('BadRequest', `the path ${path} has an empty segment`);
  const inNamespace = below[0] === 'namespaces' && below.length > 2 && !(below.length === 3 && namespaceSubresources.has(below[2]!));
  const from = inNamespace ? 2 : 0;
  const found: { -readonly [K in keyof ResourcePath]: ResourcePath[K] } = { group, version, plural: below[from]!, watch };
  const name = below[from + 1];
  const subresource = below[from + 2];
  if (inNamespace) found.namespace = below[1]!;
  if (name !== undefined) found.name = name;
  if (subresource !== undefined) found.subresource = subresource;
  if (below.length > from + 3) found.rest = below.slice(from + 3).join('/');
  return found;
}

function decode(segment: string, path: string): string {
  if (!segment.includes('%')) return segment;
  let text: string;
  try {
    text = decodeURIComponent(segment);
  } catch {
    throw new StatusError('BadRequest', `the path ${path} has a wrong percent-encoding`);
  }
  // Nothing is called so, and what is behind this server might read it as another path.
  if (/[/\p{Cc}]/u.test(text)) throw new StatusError('BadRequest', `the path ${path} has a slash or a control character in a name`);
  return text;
}
