import { pods } from '#api/shapes/resources';
import type { Pod } from '#api/shapes/types/core-v1';
import type { WatchCache } from '#storage/watch-cache';
import type { BoundPods } from './authorization/node-authorizer.ts';
import { nodeNameIndex } from './indexers.ts';

/** The pods bound to a node, from the cache and as new as it is. */
export function boundPodsOf(cache: WatchCache): BoundPods {
  const all = cache.resource(pods);
  return async (nodeName) => {
    const { items } = await all.list({ at: 'any', index: { name: nodeNameIndex.name, value: nodeName } });
    return items.map((item) => item.object as Pod);
  };
}
