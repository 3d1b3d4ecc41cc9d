import { pods } from '#api/shapes/resources';
import type { Pod } from '#api/shapes/types/core-v1';
import type { Informer } from './informer.ts';
import type { InformerSet } from './informer-set.ts';

/** The shared store of pods, with the index `node`: by the name of the node that they are bound to. */
export function podsByNode(informers: InformerSet): Informer<Pod> {
  const store = informers.for(pods);
  store.addIndex('node', nodeOf);
  return store;
}

function nodeOf(pod: Pod): readonly string[] {
  return pod.spec.nodeName === undefined || pod.spec.nodeName === '' ? [] : [pod.spec.nodeName];
}
