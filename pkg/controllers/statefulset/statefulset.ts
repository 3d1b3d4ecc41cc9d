/**
 * StatefulSet: pods with numbers, each with a name and claims that outlive it. It makes claims before the pod that needs them, and never two pods of
 * one number: the next is made when the former is gone from the API, which is when it is gone from its node.
 */
import { deepEqual } from '#api/equality';
import { type Selector, selectorOf } from '#api/selector';
import { controllerRevisions, persistentVolumeClaims, pods, statefulSets } from '#api/shapes/resources';
import type { ControllerRevision, StatefulSet, StatefulSetStatus } from '#api/shapes/types/apps-v1';
import type { PersistentVolumeClaim, Pod, PodTemplateSpec } from '#api/shapes/types/core-v1';
import { hasReason, messageOf } from '#base/errors';
import { keyOf } from '#client/informer';
import type { InformerSet } from '#client/informer-set';
import { slowStart } from '../batches.ts';
import { claim, indexOrphans } from '../claim.ts';
import { defineController, mapped, own, owned, type ReconcileContext } from '../controller.ts';
import { keepRevisions, planRevisions, revisionHashLabel } from '../controller-revisions.ts';
import { controllerOf, isControlledBy } from '../owner.ts';
import { selecting } from '../selecting.ts';
import { claimsOf, identityLabels, isLeftBehind, ordinalOf, podOf, withOwners } from './identity.ts';
import { type NewPod, planStatefulSet, type Revisions, type StatefulSetPlan } from './plan.ts';

export const statefulset = defineController({
  name: 'statefulset',
  watches: () => [
    own(statefulSets),
    owned(pods, statefulSets),
    owned(controllerRevisions, statefulSets),
    mapped(pods, (pod, informers) => (controllerOf(pod) === undefined ? selecting(informers.for(statefulSets), pod) : [])),
    // A pod may wait for a claim of its predecessor to be gone.
    mapped(persistentVolumeClaims, setsClaiming, ({ metadata }) => metadata.ownerReferences ?? []),
  ],
  indexes: (informers) => {
    indexOrphans(informers, pods);
    indexOrphans(informers, controllerRevisions);
  },
  reconcile: async (key, context) => {
    const { client, clock, store } = context;
    const set = store(statefulSets).get(key);
    const selector = selectorOf(set?.spec.selector);
    if (set === undefined || selector === undefined || selector.length === 0) return undefined;
    const owner = { object: set, resource: statefulSets, selector };
    const claimed = await claim(client, store(pods), { ...owner, adopts: (pod: Pod) => ordinalOf(set, pod) !== undefined });
    const history = await historyOf(set, claimed, selector, context);
    if (history === undefined) return undefined;
    const plan = planStatefulSet(set, claimed, history.revisions, clock.now());
    await settleClaims(set, claimed, plan, context);
    for (const pod of plan.relabel) await relabel(set, pod, context);
    const failure = await carryOut(set, plan, history.templateOf, context);
    if (!deepEqual(filled(set.status), filled(plan.status))) await client.updateStatus(statefulSets, { ...set, status: plan.status });
    if (failure !== undefined) throw failure;
    return plan.after === undefined ? undefined : { after: plan.after };
  },
});

function filled(status: StatefulSetStatus | undefined): unknown {
  const zero = { readyReplicas: 0, currentReplicas: 0, updatedReplicas: 0, availableReplicas: 0, collisionCount: 0, observedGeneration: 0 };
  return { ...zero, ...status };
}

function setsClaiming(claimObject: PersistentVolumeClaim, informers: InformerSet): string[] {
  const { name = '', namespace = '' } = claimObject.metadata;
  return informers
    .for(statefulSets)
    .byIndex('namespace', namespace)
    .filter(({ metadata, spec }) =>
      (spec.volumeClaimTemplates ?? []).some((template) => name.startsWith(`${template.metadata.name}-${metadata.name}-`)),
    )
    .map(keyOf);
}

interface History {
  readonly revisions: Revisions;
  templateOf(revision: string): PodTemplateSpec;
}

/** Undefined: the name of the revision was taken; the next reconcile, which the new collision count wakes, tries another. */
async function historyOf(
  set: StatefulSet,
  owned: readonly Pod[],
  selector: Selector,
  context: ReconcileContext,
): Promise<History | undefined> {
  const { client, store } = context;
  const present = await claim(client, store(controllerRevisions), { object: set, resource: statefulSets, selector });
  const { currentRevision = '', collisionCount = 0 } = set.status ?? {};
  const names = new Set([currentRevision, ...owned.map(({ metadata }) => metadata.labels?.[revisionHashLabel] ?? '')]);
  const inUse = new Set(
    present.filter(({ metadata }) => names.has(metadata.name ?? '')).map(({ metadata }) => metadata.labels?.[revisionHashLabel] ?? ''),
  );
  const plan = planRevisions(set, statefulSets, present, inUse, collisionCount);
  if ((await keepRevisions(set, plan, context)) === undefined) {
    await client.updateStatus(statefulSets, { ...set, status: { replicas: 0, ...set.status, collisionCount: collisionCount + 1 } });
    return undefined;
  }
  const update = plan.current.metadata.name;
  const current = present.find(({ metadata }) => metadata.name === currentRevision);
  return {
    revisions: { current: current === undefined ? update : currentRevision, update },
    templateOf: (revision) => (revision === update || current === undefined ? set.spec.template : templateIn(current)),
  };
}

/** What `planRevisions` wrote: a patch that brings the template back. */
function templateIn({ data }: ControllerRevision): PodTemplateSpec {
  const { spec } = data as { spec: { template: PodTemplateSpec & { $patch?: string } } };
  const { $patch: _directive, ...template } = spec.template;
  return template;
}

/** Claims go with whom the set's policy says; those of pods that are too many before the pods themselves. */
async function settleClaims(
  set: StatefulSet,
  owned: readonly Pod[],
  plan: StatefulSetPlan,
  { client, store }: ReconcileContext,
): Promise<void> {
  const condemned = new Set(plan.condemned);
  for (const pod of owned) {
    const ordinal = ordinalOf(set, pod);
    if (ordinal === undefined) continue;
    for (const { metadata } of claimsOf(set, ordinal)) {
      const present = store(persistentVolumeClaims).get(keyOf({ metadata }));
      const ownerReferences = present === undefined ? undefined : withOwners(set, present, pod, condemned.has(pod));
      if (present === undefined || ownerReferences === undefined) continue;
      const { name = '', namespace = '', uid, resourceVersion } = present.metadata;
      await client.patch(persistentVolumeClaims, { name, namespace }, 'merge', { metadata: { uid, resourceVersion, ownerReferences } });
    }
  }
}

async function relabel(set: StatefulSet, pod: Pod, { client }: ReconcileContext): Promise<void> {
  const { name = '', namespace = '', uid } = pod.metadata;
  const labels = identityLabels(set, ordinalOf(set, pod) ?? 0);
  await client.patch(pods, { name, namespace }, 'merge', { metadata: { uid, labels } });
}

/** Gives the first error. */
async function carryOut(
  set: StatefulSet,
  plan: StatefulSetPlan,
  templateOf: History['templateOf'],
  context: ReconcileContext,
): Promise<unknown> {
  const { events } = context;
  for (const pod of plan.ended) {
    const { namespace, name } = pod.metadata;
    const message = `StatefulSet ${namespace}/${set.metadata.name} is recreating failed Pod ${name}`;
    events.event(set, 'Warning', 'RecreatingFailedPod', message);
  }
  let failure: unknown;
  for (const pod of [...plan.ended, ...plan.remove]) {
    try {
      await remove(set, pod, context);
    } catch (error) {
      failure ??= error;
    }
  }
  const { error } = await slowStart(plan.create.length, async (index) => {
    const next = plan.create[index];
    if (next !== undefined) await create(set, next, templateOf(next.revision), context);
  });
  return failure ?? error;
}

async function create(set: StatefulSet, next: NewPod, template: PodTemplateSpec, context: ReconcileContext): Promise<void> {
  const { client, events } = context;
  const draft = podOf(set, next.ordinal, template, next.revision);
  const { name } = draft.metadata;
  const of = `Pod ${name} in StatefulSet ${set.metadata.name}`;
  if (!(await ensureClaims(set, next.ordinal, context))) return;
  try {
    await client.create(pods, draft);
    events.event(set, 'Normal', 'SuccessfulCreate', `create ${of} successful`);
  } catch (error) {
    if (hasReason(error, 'AlreadyExists')) {
      const present = await client.find(pods, { name, namespace: set.metadata.namespace ?? '' });
      if (present === undefined || isControlledBy(present, set)) return;
    }
    events.event(set, 'Warning', 'FailedCreate', `create ${of} failed error: ${messageOf(error)}`);
    throw error;
  }
}

/** False: a claim of a former pod is still going; its change wakes the set again. */
async function ensureClaims(set: StatefulSet, ordinal: number, { client, events, store }: ReconcileContext): Promise<boolean> {
  let areReady = true;
  for (const draft of claimsOf(set, ordinal)) {
    const { name } = draft.metadata;
    const present = store(persistentVolumeClaims).get(keyOf(draft));
    if (present !== undefined) {
      if (isLeftBehind(present, undefined)) areReady = false;
      continue;
    }
    const of = `Claim ${name} Pod ${set.metadata.name}-${ordinal} in StatefulSet ${set.metadata.name}`;
    try {
      await client.create(persistentVolumeClaims, draft);
      events.event(set, 'Normal', 'SuccessfulCreate', `create ${of} success`);
    } catch (error) {
      if (hasReason(error, 'AlreadyExists')) continue;
      events.event(set, 'Warning', 'FailedCreate', `create ${of} failed error: ${messageOf(error)}`);
      throw error;
    }
  }
  return areReady;
}

async function remove(set: StatefulSet, pod: Pod, { client, events }: ReconcileContext): Promise<void> {
  const { name = '', namespace = '', uid = '' } = pod.metadata;
  const of = `Pod ${name} in StatefulSet ${set.metadata.name}`;
  try {
    await client.delete(pods, { name, namespace }, { preconditions: { uid } });
    events.event(set, 'Normal', 'SuccessfulDelete', `delete ${of} successful`);
  } catch (error) {
    if (hasReason(error, 'NotFound') || hasReason(error, 'Conflict')) return;
    events.event(set, 'Warning', 'FailedDelete', `delete ${of} failed error: ${messageOf(error)}`);
    throw error;
  }
}
