/**
 * PodDisruptionBudget: keeps in its status how many of its pods may be evicted. Invariant: evictions take their share from that number in the same
 * write that allows them, so that two at once cannot both have the last; this controller only ever says what it sees.
 */

import type { ResourceType } from '#api/object';
import { matchesSelector, selectorOf } from '#api/selector';
import { deployments, podDisruptionBudgets, pods, replicaSets, replicationControllers, statefulSets } from '#api/shapes/resources';
import type { Pod } from '#api/shapes/types/core-v1';
import type { PodDisruptionBudget } from '#api/shapes/types/policy-v1';
import { keyOf } from '#client/informer';
import type { InformerSet } from '#client/informer-set';
import { defineController, mapped, own, type Watch } from '../controller.ts';
import { controllerOf } from '../owner.ts';
import { isReady } from '../pod-state.ts';
import { expectedPods, type Scalable } from './expected-pods.ts';
import { type Expected, planDisruption, statusDiffers } from './plan.ts';

export const disruption = defineController({
  name: 'disruption',
  watches: () => [
    own(podDisruptionBudgets),
    mapped(pods, budgetsOf, (pod) => [pod.metadata.labels, isReady(pod), pod.metadata.deletionTimestamp, controllerOf(pod)]),
    replicasOf(deployments),
    replicasOf(replicaSets),
    replicasOf(replicationControllers),
    replicasOf(statefulSets),
  ],
  reconcile: async (key, { client, clock, events, store }) => {
    const budget = store(podDisruptionBudgets).get(key);
    if (budget === undefined || budget.metadata.deletionTimestamp !== undefined) return undefined;
    const selected = podsOf(budget, store(pods).byIndex('namespace', budget.metadata.namespace ?? ''));
    if (selected.length === 0) events.event(budget, 'Normal', 'NoPods', 'No matching pods found');
    const expected = (): Expected => {
      const found = expectedPods(selected, store);
      if ('unmanaged' in found && found.unmanaged.length > 0)
        events.event(budget, 'Warning', 'UnmanagedPods', unmanagedPods(found.unmanaged));
      return found;
    };
    const plan = planDisruption(budget, selected, expected, clock.now());
    for (const name of plan.overdue) {
      const pod = selected.find(({ metadata }) => metadata.name === name);
      const message = `Pod was expected by PDB ${key} to be deleted but it wasn't`;
      if (pod !== undefined) events.event(pod, 'Warning', 'NotDeleted', message);
    }
    const failure = plan.status.conditions?.find(({ reason }) => reason === 'SyncFailed');
    if (failure !== undefined)
      events.event(
        budget,
        'Warning',
        'CalculateExpectedPodCountFailed',
        `Failed to calculate the number of expected pods: ${failure.message}`,
      );
    if (statusDiffers(budget.status, plan.status)) await client.updateStatus(podDisruptionBudgets, { ...budget, status: plan.status });
    return plan.after === undefined ? undefined : { after: plan.after };
  },
});

function unmanagedPods(names: readonly string[]): string {
  return `Pods selected by this PodDisruptionBudget were found to be unmanaged: ${names.join(', ')}. They are not counted as expected; use a number in .spec.minAvailable to account for them.`;
}

/** An absent selector selects nothing, an empty one every pod of the namespace. */
function podsOf(budget: PodDisruptionBudget, candidates: readonly Pod[]): Pod[] {
  const selector = selectorOf(budget.spec.selector);
  if (selector === undefined) return [];
  const ended = new Set(['Succeeded', 'Failed']);
  return candidates.filter(({ metadata, status }) => !ended.has(status?.phase ?? '') && matchesSelector(selector, metadata.labels));
}

function budgetsOf(pod: Pod, informers: InformerSet): string[] {
  return informers
    .for(podDisruptionBudgets)
    .byIndex('namespace', pod.metadata.namespace ?? '')
    .filter((budget) => podsOf(budget, [pod]).length > 0)
    .map(keyOf);
}

/** A change of how many pods there are to be concerns any budget of the namespace. */
function replicasOf<T extends Scalable>(resource: ResourceType<T>): Watch {
  return mapped(
    resource,
    ({ metadata }, informers) =>
      informers
        .for(podDisruptionBudgets)
        .byIndex('namespace', metadata.namespace ?? '')
        .map(keyOf),
    ({ spec }) => spec.replicas,
  );
}
