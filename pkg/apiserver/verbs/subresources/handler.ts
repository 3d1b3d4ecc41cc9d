import type { KubernetesObject } from '#api/object';
import type { GroupResource } from '#storage/keys';
import type { RequestContext } from '../../request-context.ts';
import type { Answer } from '../answer.ts';
import type { CreateRequest, VerbParts } from '../parts.ts';
import type { ServedResource } from '../served-resource.ts';

/** An action on an object that is more than a change of it. One file each, and one line in index.ts. */
export interface SubresourceHandler {
  readonly resource: GroupResource;
  readonly subresource: string;
  /** `body` is a fresh decoded copy; the caller has authorized. */
  create(
    parts: VerbParts,
    context: RequestContext,
    request: CreateRequest & { readonly name: string },
    resource: ServedResource,
    body: KubernetesObject,
  ): Promise<Answer>;
}
