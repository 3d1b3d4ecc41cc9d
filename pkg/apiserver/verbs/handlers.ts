import type { SubresourceHandler } from './subresources/handler.ts';
import type { VirtualResource } from './virtual/virtual-resource.ts';

/** What `create` hands over to files of their own. */
export interface CreateHandlers {
  readonly subresources: readonly SubresourceHandler[];
  readonly virtualResources: readonly VirtualResource[];
}
