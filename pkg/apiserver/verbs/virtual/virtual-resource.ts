import type { ResourceType } from '#api/object';
import { StatusError } from '#base/errors';
import type { ApiRequest } from '#client/transport';
import type { RequestContext } from '../../request-context.ts';
import type { Answer, ServedObject } from '../answer.ts';
import { authorize, type CreateRequest, type VerbParts } from '../parts.ts';
import { methodNotAllowed } from '../served-resource.ts';

type RequestOf<Verb extends ApiRequest['verb']> = Extract<ApiRequest, { verb: Verb }>;

/** What is answered and never stored: a question (create), or figures (get, list). Its verbs are those that it has. One file each, and one line in index.ts. */
export interface VirtualResource {
  readonly type: ResourceType;
  /** The caller has been authorized, here and below. */
  create?(parts: VerbParts, context: RequestContext, request: CreateRequest): Promise<ServedObject>;
  /** Throws NotFound. */
  get?(parts: VerbParts, context: RequestContext, request: RequestOf<'get'>): Promise<ServedObject>;
  list?(parts: VerbParts, context: RequestContext, request: RequestOf<'list'>): Promise<readonly ServedObject[]>;
}

/** As discovery tells them. */
export function verbsOf(virtual: VirtualResource): string[] {
  return (['create', 'get', 'list'] as const).filter((verb) => virtual[verb] !== undefined);
}

/** Throws MethodNotAllowed for a verb that the resource does not have. */
export async function answerVirtual(
  virtual: VirtualResource,
  parts: VerbParts,
  context: RequestContext,
  request: ApiRequest,
): Promise<Answer> {
  if ('subresource' in request && request.subresource !== undefined)
    throw new StatusError('NotFound', 'the server could not find the requested resource');
  await authorize(parts, context, request);
  if (request.verb === 'create' && virtual.create !== undefined)
    return { type: 'object', code: 201, object: await virtual.create(parts, context, request) };
  if (request.verb === 'get' && virtual.get !== undefined)
    return { type: 'object', code: 200, object: await virtual.get(parts, context, request) };
  if (request.verb === 'list' && virtual.list !== undefined) {
    const { group, version, kind } = virtual.type;
    const items = await virtual.list(parts, context, request);
    return { type: 'list', list: { apiVersion: `${group}/${version}`, kind: `${kind}List`, metadata: {}, items } };
  }
  throw methodNotAllowed();
}
