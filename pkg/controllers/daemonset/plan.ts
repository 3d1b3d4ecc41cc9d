/** On which nodes a DaemonSet's pods should be, and which come and go next: pure. */
import { scaledValue } from '#api/int-or-string';
import { matchesNodeSelector } from '#api/node-selector';
import { isTerminal } from '#api/pod-phase';
import type { DaemonSet, DaemonSetStatus } from '#api/shapes/types/apps-v1';
import type { Node, Pod, PodSpec, PodTemplateSpec, Toleration } from '#api/shapes/types/core-v1';
import { tolerates } from '#api/tolerations';
import { revisionHashLabel } from '../controller-revisions.ts';
import { byAge } from '../owner.ts';
import { isActive, isReady, timeToAvailable } from '../pod-state.ts';

export interface DaemonSetPlan {
  /** Names of the nodes that get a pod. */
  readonly create: readonly string[];
  readonly remove: readonly Pod[];
  readonly status: DaemonSetStatus;
  /** Milliseconds until a ready pod becomes available. */
  readonly after: number | undefined;
}

/** Daemons stay where others are driven off: they are often what brings a node back. */
const daemonTolerations: readonly Toleration[] = [
  { key: 'node.kubernetes.io/not-ready', operator: 'Exists', effect: 'NoExecute' },
  { key: 'node.kubernetes.io/unreachable', operator: 'Exists', effect: 'NoExecute' },
  { key: 'node.kubernetes.io/disk-pressure', operator: 'Exists', effect: 'NoSchedule' },
  { key: 'node.kubernetes.io/memory-pressure', operator: 'Exists', effect: 'NoSchedule' },
  { key: 'node.kubernetes.io/pid-pressure', operator: 'Exists', effect: 'NoSchedule' },
  { key: 'node.kubernetes.io/unschedulable', operator: 'Exists', effect: 'NoSchedule' },
];
const hostNetworkToleration: Toleration = { key: 'node.kubernetes.io/network-unavailable', operator: 'Exists', effect: 'NoSchedule' };

const nameField = 'metadata.name';

export function tolerationsOf(spec: PodSpec): Toleration[] {
  const added = [...daemonTolerations, ...(spec.hostNetwork === true ? [hostNetworkToleration] : [])];
  const own = spec.tolerations ?? [];
  return [
    ...own,
    ...added.filter(
      (each) => !own.some(({ key, effect, operator }) => key === each.key && effect === each.effect && operator === 'Exists'),
    ),
  ];
}

/** The template's pod, for this node alone: the scheduler still has the last word on whether it fits. */
export function specForNode(spec: PodSpec, node: string): PodSpec {
  const only = { nodeSelectorTerms: [{ matchFields: [{ key: nameField, operator: 'In', values: [node] }] }] };
  return {
    ...spec,
    tolerations: tolerationsOf(spec),
    affinity: {
      ...spec.affinity,
      nodeAffinity: { ...spec.affinity?.nodeAffinity, requiredDuringSchedulingIgnoredDuringExecution: only },
    },
  };
}

/** The node that the pod is on, or is made for. */
export function targetNodeOf({ spec }: Pod): string | undefined {
  if ((spec.nodeName ?? '') !== '') return spec.nodeName;
  const terms = spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms ?? [];
  return terms[0]?.matchFields?.find(({ key }) => key === nameField)?.values?.[0];
}

/** Whether a pod should be put on the node, and whether one that is there may stay. */
export function placesOn(template: PodTemplateSpec, node: Node): { run: boolean; stay: boolean } {
  const spec = template.spec ?? { containers: [] };
  const { name = '', labels = {} } = node.metadata;
  const required = spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  const isMeant =
    ((spec.nodeName ?? '') === '' || spec.nodeName === name) &&
    Object.entries(spec.nodeSelector ?? {}).every(([key, value]) => labels[key] === value) &&
    (required === undefined || matchesNodeSelector(required, { name, labels }));
  if (!isMeant) return { run: false, stay: false };
  const tolerations = tolerationsOf(spec);
  const refused = (node.spec?.taints ?? []).filter((taint) => taint.effect !== 'PreferNoSchedule' && !tolerates(tolerations, taint));
  return { run: refused.length === 0, stay: refused.every(({ effect }) => effect !== 'NoExecute') };
}

/** `pods`: all that the DaemonSet owns; `hash`: of the current template. */
export function planDaemonSet(
  daemonSet: DaemonSet,
  nodes: readonly Node[],
  pods: readonly Pod[],
  hash: string,
  now: number,
): DaemonSetPlan {
  const minReadySeconds = daemonSet.spec.minReadySeconds ?? 0;
  const byNode = new Map<string, Pod[]>();
  const going = new Set<string>();
  for (const pod of pods) {
    const node = targetNodeOf(pod) ?? '';
    if (pod.metadata.deletionTimestamp !== undefined) going.add(node);
    else byNode.set(node, [...(byNode.get(node) ?? []), pod]);
  }
  const isNew = (pod: Pod): boolean => pod.metadata.labels?.[revisionHashLabel] === hash;
  const waitOf = (pod: Pod): number | undefined => timeToAvailable(pod, minReadySeconds, now);
  const isAvailable = (pod: Pod): boolean => waitOf(pod) === 0;
  const create: string[] = [];
  const remove: Pod[] = [];
  const rolling: { node: string; pods: Pod[] }[] = [];
  const counts = { desired: 0, current: 0, ready: 0, available: 0, updated: 0, misscheduled: 0 };
  for (const node of nodes) {
    const { name = '' } = node.metadata;
    const { run, stay } = placesOn(daemonSet.spec.template, node);
    const here = (byNode.get(name) ?? []).toSorted(byAge);
    const ended = here.filter(isTerminal);
    const active = here.filter(isActive);
    if (run) counts.desired++;
    if (active.length > 0 && !run) counts.misscheduled++;
    if (!stay) {
      remove.push(...here);
      continue;
    }
    remove.push(...ended);
    if (run && active.length === 0 && ended.length === 0 && !going.has(name)) create.push(name);
    if (!run) {
      // No rollout goes on where no new pod may go: of two side by side one is enough.
      const kept = active.find(isAvailable) ?? active[0];
      remove.push(...active.filter((pod) => pod !== kept));
      continue;
    }
    if (active.length === 0) continue;
    counts.current++;
    if (active.some(isReady)) counts.ready++;
    if (active.some(isAvailable)) counts.available++;
    if (active.some(isNew)) counts.updated++;
    rolling.push({ node: name, pods: active });
  }
  const isUpdating = daemonSet.spec.updateStrategy?.type !== 'OnDelete';
  const moves = roll(daemonSet, rolling, counts.desired, { isNew, isAvailable, isUpdating });
  const isLive = daemonSet.metadata.deletionTimestamp === undefined;
  const waits = pods
    .filter(isActive)
    .map(waitOf)
    .filter((wait) => wait !== undefined && wait > 0) as number[];
  return {
    create: isLive ? [...create, ...moves.create] : [],
    remove: isLive ? [...remove, ...moves.remove] : [],
    status: {
      currentNumberScheduled: counts.current,
      desiredNumberScheduled: counts.desired,
      numberMisscheduled: counts.misscheduled,
      numberReady: counts.ready,
      numberAvailable: counts.available,
      numberUnavailable: counts.desired - counts.available,
      updatedNumberScheduled: counts.updated,
      observedGeneration: daemonSet.metadata.generation ?? 0,
      ...(daemonSet.status?.collisionCount === undefined ? {} : { collisionCount: daemonSet.status.collisionCount }),
    },
    after: waits.length === 0 ? undefined : Math.min(...waits),
  };
}

interface Ask {
  isNew(pod: Pod): boolean;
  isAvailable(pod: Pod): boolean;
  readonly isUpdating: boolean;
}

/** Old pods give way to new ones, so many at once as the strategy allows; of several on a node the surplus goes. */
function roll(
  daemonSet: DaemonSet,
  rolling: readonly { readonly node: string; readonly pods: readonly Pod[] }[],
  desired: number,
  { isNew, isAvailable, isUpdating }: Ask,
): { create: string[]; remove: Pod[] } {
  const create: string[] = [];
  const remove: Pod[] = [];
  const { maxUnavailable = 1, maxSurge = 0 } = daemonSet.spec.updateStrategy?.rollingUpdate ?? {};
  const surge = isUpdating ? (scaledValue(maxSurge, desired, true) ?? 0) : 0;
  const unavailable = Math.max(surge > 0 ? 0 : 1, scaledValue(maxUnavailable, desired, true) ?? 1);
  let allowed = unavailable - (desired - rolling.filter(({ pods }) => pods.some(isAvailable)).length);
  let surging = rolling.filter(({ pods }) => pods.some(isNew) && pods.some((pod) => !isNew(pod))).length;
  for (const { node, pods } of rolling) {
    const [fresh, ...surplus] = pods.filter(isNew);
    const [old, ...oldSurplus] = pods.filter((pod) => !isNew(pod));
    remove.push(...surplus, ...oldSurplus);
    if (old === undefined) continue;
    if (fresh !== undefined) {
      // Side by side: the old one goes when the new one is available, or was of no use anyway.
      if (isAvailable(fresh) || !isAvailable(old) || surge === 0) remove.push(old);
    } else if (!isUpdating) {
      // OnDelete: whoever deletes the old one gets the new one.
    } else if (surge > 0) {
      if (surging >= surge) continue;
      surging++;
      create.push(node);
    } else if (!isAvailable(old)) {
      remove.push(old);
    } else if (allowed > 0) {
      allowed--;
      remove.push(old);
    }
  }
  return { create, remove };
}
