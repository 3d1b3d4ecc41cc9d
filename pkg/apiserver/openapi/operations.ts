/**
 * The operations of every served resource, told once and without a dialect: OpenAPI v2 and v3 are two ways to write them down.
 * Clients read more out of them than documentation: which kind a path has, and whether a query parameter may be sent.
 */
import type { TypeTable } from '#api/schema/type-table';
import type { DiscoveredResource, ServedSubresource } from '../discovery/discovery.ts';

export interface GroupVersionKind {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
}

export interface OperationParameter {
  readonly name: string;
  readonly in: 'path' | 'query';
  readonly type: 'string' | 'integer' | 'boolean';
  readonly description: string;
  /** Of path parameters; query parameters never are. */
  readonly required: boolean;
}

export interface ApiOperation {
  readonly method: 'get' | 'put' | 'post' | 'delete' | 'patch';
  /** Kubernetes' word for it: `list`, `get`, `post`, `put`, `patch`, `delete`, `deletecollection`, `connect`. */
  readonly action: string;
  readonly id: string;
  readonly kind: GroupVersionKind;
  readonly parameters: readonly OperationParameter[];
  /** Names in the type table; undefined where there is no body, or no object in it. */
  readonly bodyType: string | undefined;
  readonly bodyMediaTypes: readonly string[];
  readonly replyType: string | undefined;
}

export interface ApiPath {
  readonly path: string;
  readonly parameters: readonly OperationParameter[];
  readonly operations: readonly ApiOperation[];
}

const patchMediaTypes = ['application/json-patch+json', 'application/merge-patch+json', 'application/strategic-merge-patch+json'];

function query(name: string, type: OperationParameter['type'], description: string): OperationParameter {
  return { name, in: 'query', type, description, required: false };
}

function inPath(name: string, description: string): OperationParameter {
  return { name, in: 'path', type: 'string', description, required: true };
}

const pretty = query('pretty', 'string', 'If true, the output is indented.');
const dryRun = query('dryRun', 'string', 'All: the request is processed in full, but nothing is stored.');
const fieldManager = query('fieldManager', 'string', 'The name of the actor that makes the change.');
const fieldValidation = query('fieldValidation', 'string', 'What to do about unknown or duplicate fields: Ignore, Warn or Strict.');
const force = query('force', 'boolean', 'Takes over fields that another manager owns; apply patches only.');
const writing = [dryRun, fieldManager, fieldValidation];
const reading = [
  query('allowWatchBookmarks', 'boolean', 'Watch events of type BOOKMARK are welcome.'),
  query('continue', 'string', 'Goes on with a list that was cut by its limit.'),
  query('fieldSelector', 'string', 'Restricts the list by fields.'),
  query('labelSelector', 'string', 'Restricts the list by labels.'),
  query('limit', 'integer', 'The most objects in one reply.'),
  query('resourceVersion', 'string', 'How old the data may be.'),
  query('resourceVersionMatch', 'string', 'How resourceVersion is meant: Exact or NotOlderThan.'),
  query('sendInitialEvents', 'boolean', 'A watch begins with the present objects.'),
  query('timeoutSeconds', 'integer', 'Ends the call after this time.'),
  query('watch', 'boolean', 'Changes as they happen instead of a list.'),
];
const deleting = [
  dryRun,
  query('gracePeriodSeconds', 'integer', 'How long the object has to end by itself.'),
  query('orphanDependents', 'boolean', 'Deprecated: use propagationPolicy.'),
  query('propagationPolicy', 'string', 'What becomes of dependents: Orphan, Background or Foreground.'),
];

/** The sentence on each kind, by the name of its type. */
export function kindDescriptions(resources: readonly DiscoveredResource[], table: TypeTable): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const { group, version, kind, description } of resources) {
    const type = table.nameOfKind(group, version, kind);
    if (type !== undefined && description !== undefined) found.set(type, description);
  }
  return found;
}

/** The paths of one resource, its subresources included. */
export function pathsOf(resource: DiscoveredResource, table: TypeTable): ApiPath[] {
  const root = resource.group === '' ? `/api/${resource.version}` : `/apis/${resource.group}/${resource.version}`;
  const kind = { group: resource.group, version: resource.version, kind: resource.kind };
  const type = table.nameOfKind(kind.group, kind.version, kind.kind);
  const listType = type === undefined || table.find(`${type}List`) === undefined ? undefined : `${type}List`;
  const scope = resource.namespaced ? 'Namespaced' : '';
  const tag = `${capital(resource.group === '' ? 'core' : resource.group.split('.')[0]!)}${capital(resource.version)}`;
  const make = (
    verb: string,
    method: ApiOperation['method'],
    action: string,
    suffix: string,
    bodyType: string | undefined,
    replyType: string | undefined,
    parameters: readonly OperationParameter[],
  ): ApiOperation | undefined =>
    resource.verbs.includes(verb)
      ? {
          method,
          action,
          id: `${idVerb(verb)}${tag}${suffix === '' ? scope : ''}${resource.kind}${suffix}`,
          kind,
          parameters,
          bodyType,
          bodyMediaTypes: method === 'patch' ? patchMediaTypes : ['*/*'],
          replyType,
        }
      : undefined;
  const namespace = inPath('namespace', 'The namespace of the object.');
  const name = inPath('name', `The name of the ${resource.kind}.`);
  const collection = resource.namespaced ? `${root}/namespaces/{namespace}/${resource.plural}` : `${root}/${resource.plural}`;
  const scoped = resource.namespaced ? [namespace, pretty] : [pretty];
  const named = resource.namespaced ? [name, namespace, pretty] : [name, pretty];
  const paths: ApiPath[] = [];
  const add = (path: string, parameters: readonly OperationParameter[], operations: readonly (ApiOperation | undefined)[]): void => {
    const present = operations.filter((operation) => operation !== undefined);
    if (present.length > 0) paths.push({ path, parameters, operations: present });
  };
  if (resource.namespaced) {
    add(`${root}/${resource.plural}`, [pretty], [make('list', 'get', 'list', 'ForAllNamespaces', undefined, listType, reading)]);
  }
  add(collection, scoped, [
    make('list', 'get', 'list', '', undefined, listType, reading),
    make('create', 'post', 'post', '', type, type, writing),
    make('deletecollection', 'delete', 'deletecollection', '', 'meta.v1.DeleteOptions', 'meta.v1.Status', [...deleting, ...reading]),
  ]);
  add(`${collection}/{name}`, named, [
    make('get', 'get', 'get', '', undefined, type, []),
    make('update', 'put', 'put', '', type, type, writing),
    make('patch', 'patch', 'patch', '', 'meta.v1.Patch', type, [...writing, force]),
    make('delete', 'delete', 'delete', '', 'meta.v1.DeleteOptions', 'meta.v1.Status', deleting),
  ]);
  for (const subresource of resource.subresources) {
    const operations = subresourceOperations(subresource, table, `${tag}${scope}${resource.kind}${capital(subresource.name)}`);
    add(`${collection}/{name}/${subresource.name}`, named, operations);
  }
  return paths;
}

function subresourceOperations(subresource: ServedSubresource, table: TypeTable, id: string): ApiOperation[] {
  const { kind } = subresource;
  const type = table.nameOfKind(kind.group, kind.version, kind.kind);
  const streams = subresource.verbs.includes('get') && subresource.verbs.includes('create');
  return subresource.verbs.flatMap((verb): ApiOperation[] => {
    const method = ({ get: 'get', create: 'post', update: 'put', patch: 'patch', delete: 'delete' } as const)[verb];
    if (method === undefined) return [];
    const writes = !streams && method !== 'get';
    return [
      {
        method,
        action: streams ? 'connect' : method,
        id: streams ? `connect${capital(method)}${id}` : `${idVerb(verb)}${id}`,
        kind,
        parameters: writes ? (method === 'patch' ? [...writing, force] : writing) : [],
        bodyType: writes ? (method === 'patch' ? 'meta.v1.Patch' : type) : undefined,
        bodyMediaTypes: method === 'patch' ? patchMediaTypes : ['*/*'],
        replyType: streams ? undefined : type,
      },
    ];
  });
}

function idVerb(verb: string): string {
  return { get: 'read', update: 'replace', deletecollection: 'deleteCollection' }[verb] ?? verb;
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
