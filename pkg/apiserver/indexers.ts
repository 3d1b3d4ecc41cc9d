import type { KubernetesObject } from '#api/object';
import { pods } from '#api/shapes/resources';
import type { Pod } from '#api/shapes/types/core-v1';
import type { Indexer } from '#storage/object-index';

/** Serves the field selector of the same name. */
export const nodeNameIndex: Indexer = {
  name: 'spec.nodeName',
  resource: pods,
  values: (object: KubernetesObject) => {
    const { nodeName } = (object as Pod).spec;
    return nodeName === undefined || nodeName === '' ? [] : [nodeName];
  },
};

/** What the watch cache of an API server keeps indexes of; give the same list to the cache and to the verbs. */
export const indexers: readonly Indexer[] = [nodeNameIndex];
