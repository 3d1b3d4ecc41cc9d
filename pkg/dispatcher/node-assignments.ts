/**
 * What one node is to have, and what must be sent to bring it there: its pods, the objects that they name, the volumes whose data it is to remove, and
 * every Service and EndpointSlice. It
 * reads caches and remembers what was sent; it sends nothing itself.
 */
import { deepEqual } from '#api/equality';
import { groupResourceOf, type KubernetesObject, type ResourceType } from '#api/object';
import { configMaps, endpointSlices, persistentVolumeClaims, persistentVolumes, pods, secrets, services } from '#api/shapes/resources';
import type { PersistentVolume, PersistentVolumeClaim, Pod } from '#api/shapes/types/core-v1';
import { isReclaimedBy, nodesOfVolume } from '#api/volumes/local-volume';
import { type Informer, keyOf, splitKey } from '#client/informer';
import type { InformerSet } from '#client/informer-set';
import { podReferences } from '#rpc/pod-references';

export interface AssignedEntry {
  readonly resource: string;
  readonly namespace: string;
  readonly name: string;
  /** Undefined: no longer assigned. */
  readonly object: KubernetesObject | undefined;
}

/** Found by node; the name tells it from others' indexes. */
const nodeIndex = 'dispatcher.nodeName';
const podsOfNode = (pod: KubernetesObject): readonly string[] => {
  const { nodeName } = (pod as Pod).spec;
  return nodeName === undefined || nodeName === '' ? [] : [nodeName];
};

/** A node's name is its hostname, by the label that its agent gives it. */
const volumesOfNode = (volume: KubernetesObject): readonly string[] =>
  nodesOfVolume(volume as PersistentVolume).filter((hostname) => isReclaimedBy(volume as PersistentVolume, hostname));

/** The caches that assignments are made of. */
export class AssignmentSources {
  readonly pods: Informer<Pod>;
  readonly volumes: Informer<PersistentVolume>;
  /** What only some pods name, and so goes to their nodes alone. */
  readonly referenced: readonly Informer[];
  /** What goes to every node. */
  readonly everywhere: readonly Informer[];

  constructor(informers: InformerSet) {
    const of = <T extends KubernetesObject>(resource: ResourceType<T>): Informer => informers.for(resource);
    this.pods = informers.for(pods);
    this.pods.addIndex(nodeIndex, podsOfNode);
    this.volumes = informers.for(persistentVolumes);
    this.volumes.addIndex(nodeIndex, volumesOfNode);
    this.referenced = [of(configMaps), of(secrets), of(persistentVolumeClaims), this.volumes];
    this.everywhere = [of(services), of(endpointSlices)];
  }

  get all(): readonly Informer[] {
    return [this.pods, ...this.referenced, ...this.everywhere];
  }

  podsOf(nodeName: string): readonly Pod[] {
    return this.pods.byIndex(nodeIndex, nodeName);
  }

  /** Released volumes whose data this node is to remove. */
  reclaimedBy(nodeName: string): readonly PersistentVolume[] {
    return this.volumes.byIndex(nodeIndex, nodeName);
  }
}

export class NodeAssignments {
  readonly #nodeName: string;
  readonly #sources: AssignmentSources;
  /** By resource and key: the object as it was sent. */
  readonly #sent = new Map<string, KubernetesObject>();
  readonly #dirty = new Set<string>();
  #podsDirty = false;

  constructor(nodeName: string, sources: AssignmentSources) {
    this.#nodeName = nodeName;
    this.#sources = sources;
  }

  /** Everything; from then on `changes` gives what differs from it. */
  snapshot(): readonly AssignedEntry[] {
    this.#sent.clear();
    this.#dirty.clear();
    this.#podsDirty = false;
    const entries = [
      ...this.#wantedOfPods().values(),
      ...this.#sources.everywhere.flatMap((informer) => informer.list().map((object) => entryOf(informer, object))),
    ];
    for (const entry of entries) this.#remember(entry);
    return entries;
  }

  /** Notes that an object has changed; true when it may concern this node. */
  note(informer: Informer, object: KubernetesObject, old: KubernetesObject | undefined): boolean {
    if (informer === this.#sources.pods) {
      const mine = [object, old].some((pod) => pod !== undefined && (pod as Pod).spec.nodeName === this.#nodeName);
      this.#podsDirty ||= mine;
      return mine;
    }
    if (this.#sources.everywhere.includes(informer)) {
      this.#dirty.add(idOf(informer, keyOf(object)));
      return true;
    }
    // Of what pods name, only a change of what was sent, or the appearance of what was missing, matters; the pods say which.
    const concerns =
      this.#sent.has(idOf(informer, keyOf(object))) || this.#isNamed(informer, object) || this.#isReclaimed(informer, object);
    this.#podsDirty ||= concerns;
    return concerns;
  }

  /** What must be sent now; empty when nothing has changed that the node should know of. */
  changes(): readonly AssignedEntry[] {
    const entries: AssignedEntry[] = [];
    if (this.#podsDirty) {
      this.#podsDirty = false;
      const wanted = this.#wantedOfPods();
      for (const [id, entry] of wanted) if (this.#differs(id, entry.object)) entries.push(entry);
      for (const [id, object] of this.#sent) {
        if (wanted.has(id) || this.#sources.everywhere.some((informer) => id.startsWith(`${groupResourceOf(informer.resource)}|`)))
          continue;
        entries.push({ ...partsOf(id, object), object: undefined });
      }
    }
    for (const id of this.#dirty) {
      const informer = this.#sources.everywhere.find(({ resource }) => id.startsWith(`${groupResourceOf(resource)}|`));
      const object = informer?.get(id.slice(id.indexOf('|') + 1));
      if (!this.#differs(id, object)) continue;
      const before = this.#sent.get(id);
      if (object !== undefined) entries.push({ ...partsOf(id, object), object });
      else if (before !== undefined) entries.push({ ...partsOf(id, before), object: undefined });
    }
    this.#dirty.clear();
    for (const entry of entries) this.#remember(entry);
    return entries;
  }

  #wantedOfPods(): Map<string, AssignedEntry> {
    const wanted = new Map<string, AssignedEntry>();
    const add = (informer: Informer | undefined, key: string): KubernetesObject | undefined => {
      const object = informer?.get(key);
      if (informer !== undefined && object !== undefined) wanted.set(idOf(informer, key), entryOf(informer, object));
      return object;
    };
    const [configMapCache, secretCache, claimCache, volumeCache] = this.#sources.referenced;
    for (const pod of this.#sources.podsOf(this.#nodeName)) {
      const namespace = pod.metadata.namespace ?? '';
      wanted.set(idOf(this.#sources.pods, keyOf(pod)), entryOf(this.#sources.pods, pod));
      const references = podReferences(pod);
      for (const name of references.configMaps) add(configMapCache, `${namespace}/${name}`);
      for (const name of references.secrets) add(secretCache, `${namespace}/${name}`);
      for (const name of references.claims) {
        const claim = add(claimCache, `${namespace}/${name}`) as PersistentVolumeClaim | undefined;
        const volume = claim?.spec.volumeName;
        if (volume !== undefined && volume !== '') add(volumeCache, volume);
      }
    }
    for (const { metadata } of this.#sources.reclaimedBy(this.#nodeName)) add(this.#sources.volumes, metadata.name ?? '');
    return wanted;
  }

  #isReclaimed(informer: Informer, object: KubernetesObject): boolean {
    return informer === this.#sources.volumes && isReclaimedBy(object as PersistentVolume, this.#nodeName);
  }

  #isNamed(informer: Informer, object: KubernetesObject): boolean {
    const { name = '', namespace = '' } = object.metadata;
    const [configMapCache, secretCache, claimCache] = this.#sources.referenced;
    return this.#sources.podsOf(this.#nodeName).some((pod) => {
      if (informer === this.#sources.volumes) return true;
      if (pod.metadata.namespace !== namespace) return false;
      const references = podReferences(pod);
      if (informer === configMapCache) return references.configMaps.has(name);
      if (informer === secretCache) return references.secrets.has(name);
      return informer === claimCache && references.claims.has(name);
    });
  }

  #differs(id: string, object: KubernetesObject | undefined): boolean {
    const before = this.#sent.get(id);
    if (before === object) return false;
    if (before === undefined || object === undefined) return true;
    if (id.startsWith(`${groupResourceOf(pods)}|`)) return !sameForNode(before as Pod, object as Pod);
    return before.metadata.resourceVersion !== object.metadata.resourceVersion;
  }

  #remember({ resource, namespace, name, object }: AssignedEntry): void {
    const id = `${resource}|${namespace === '' ? name : `${namespace}/${name}`}`;
    if (object === undefined) this.#sent.delete(id);
    else this.#sent.set(id, object);
  }
}

/** Whether two forms of a pod ask the same of a node: its own reports make no difference, others' conditions (readiness gates) do. */
export function sameForNode(a: Pod, b: Pod): boolean {
  const gates = (pod: Pod): unknown =>
    (pod.spec.readinessGates ?? []).map(({ conditionType }) => pod.status?.conditions?.find(({ type }) => type === conditionType)?.status);
  return (
    a.metadata.uid === b.metadata.uid &&
    a.metadata.deletionTimestamp === b.metadata.deletionTimestamp &&
    a.metadata.deletionGracePeriodSeconds === b.metadata.deletionGracePeriodSeconds &&
    deepEqual(a.spec, b.spec) &&
    deepEqual(a.metadata.labels, b.metadata.labels) &&
    deepEqual(a.metadata.annotations, b.metadata.annotations) &&
    deepEqual(gates(a), gates(b))
  );
}

function idOf(informer: Informer, key: string): string {
  return `${groupResourceOf(informer.resource)}|${key}`;
}

function entryOf(informer: Informer, object: KubernetesObject): AssignedEntry {
  const { name = '', namespace = '' } = object.metadata;
  return { resource: groupResourceOf(informer.resource), namespace, name, object };
}

function partsOf(id: string, object: KubernetesObject): Omit<AssignedEntry, 'object'> {
  const { name, namespace = '' } = splitKey(keyOf(object));
  return { resource: id.slice(0, id.indexOf('|')), namespace, name };
}
