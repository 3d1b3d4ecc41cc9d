import { Counter, Gauge, type Registry } from 'prom-client';
import type { WatchCache } from '#storage/watch-cache';
import type { VerbObserver } from './parts.ts';

/** What the verbs and the cache under them have to show, under Kubernetes' names where it has them. Requests are the HTTP face's to count. */
export function createVerbObserver(registry: Registry, cache: WatchCache): VerbObserver {
  const registers = [registry];
  const watchers = new Gauge({
    name: 'apiserver_registered_watchers',
    help: 'Number of watches that are open, by resource, those within the process included.',
    labelNames: ['resource'],
    registers,
  });
  const terminated = new Counter({
    name: 'apiserver_terminated_watchers_total',
    help: 'Number of watches that were ended because their consumer was too slow.',
    labelNames: ['resource'],
    registers,
  });
  const objects: Gauge<'resource'> = new Gauge({
    name: 'apiserver_storage_objects',
    help: 'Number of stored objects, by resource.',
    labelNames: ['resource'],
    registers,
    collect: () => {
      objects.reset();
      for (const { resource, size } of cache.resources()) {
        if (size > 0) objects.set({ resource: resource.group === '' ? resource.plural : `${resource.plural}.${resource.group}` }, size);
      }
    },
  });
  const revision: Gauge = new Gauge({
    name: 'apiserver_watch_cache_resource_version',
    help: 'The newest revision of the store that the watch cache shows.',
    registers,
    collect: () => revision.set(cache.revision),
  });
  return {
    watchStarted: (resource) => watchers.inc({ resource }),
    watchEnded: (resource) => watchers.dec({ resource }),
    watchDropped: (resource) => terminated.inc({ resource }),
  };
}
