/** How many pods their makers want: each maker's replicas once. Pure but for the stores it is given. */
import type { KubernetesObject, ResourceType } from '#api/object';
import { parseApiVersion } from '#api/object';
import { deployments, replicaSets, replicationControllers, statefulSets } from '#api/shapes/resources';
import type { Pod } from '#api/shapes/types/core-v1';
import type { Informer } from '#client/informer';
import { controllerOf } from '../owner.ts';
import type { Expected } from './plan.ts';

/** What can be asked for its replicas. */
const scalables = [deployments, replicaSets, replicationControllers, statefulSets] as const;

export interface Scalable extends KubernetesObject {
  readonly spec: { readonly replicas?: number };
}

type Stores = <T extends KubernetesObject>(resource: ResourceType<T>) => Informer<T>;

export function expectedPods(pods: readonly Pod[], store: Stores): Expected {
  const makers = new Map<string, number>();
  const unmanaged: string[] = [];
  for (const pod of pods) {
    const { namespace = '', name = '' } = pod.metadata;
    let owner = controllerOf(pod);
    if (owner === undefined) {
      unmanaged.push(name);
      continue;
    }
    let replicas: number | undefined;
    let uid = owner.uid;
    // A ReplicaSet's Deployment says how many there are to be over all of its ReplicaSets.
    for (; owner !== undefined; ) {
      const { kind, apiVersion, name: ownerName } = owner;
      const { group } = parseApiVersion(apiVersion);
      const resource = scalables.find((each) => each.kind === kind && each.group === group);
      if (resource === undefined) break;
      const object = (store as (resource: ResourceType) => Informer)(resource).get(`${namespace}/${ownerName}`) as Scalable | undefined;
      if (object === undefined || object.metadata.uid !== owner.uid) break;
      replicas = object.spec.replicas ?? 1;
      uid = owner.uid;
      owner = controllerOf(object);
    }
    if (replicas === undefined) {
      const { kind = '', name: ownerName = '' } = controllerOf(pod) ?? {};
      return {
        error: `found no controller with replicas for pod ${JSON.stringify(name)}: ${kind} ${ownerName} has none; use a number in minAvailable`,
      };
    }
    makers.set(uid, replicas);
  }
  return { count: [...makers.values()].reduce((sum, replicas) => sum + replicas, 0), unmanaged };
}
