import type { ResourceType } from '#api/object';
import type { RequestContext } from '../../request-context.ts';
import type { ServedObject } from '../answer.ts';
import type { CreateRequest, VerbParts } from '../parts.ts';

/** A question that is answered and forgotten: its only verb is create, and nothing is stored. One file each, and one line in index.ts. */
export interface VirtualResource {
  readonly type: ResourceType;
  /** The caller has been authorized to ask. */
  create(parts: VerbParts, context: RequestContext, request: CreateRequest): Promise<ServedObject>;
}
