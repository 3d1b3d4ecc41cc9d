import { isTerminal } from '#api/pod-phase';
import { matchesSelector, selectorOf } from '#api/selector';
import { podDisruptionBudgets, pods } from '#api/shapes/resources';
import type { Pod } from '#api/shapes/types/core-v1';
import type { Eviction, PodDisruptionBudget } from '#api/shapes/types/policy-v1';
import { formatTime } from '#base/clock';
import { hasReason, StatusError } from '#base/errors';
import type { DeleteOptions } from '#client/transport';
import type { CachedObject } from '#storage/cached-object';
import type { ObjectName } from '#storage/keys';
import type { Answer } from '../answer.ts';
import { removeObject } from '../delete.ts';
import { objectNameOf } from '../object-name.ts';
import type { VerbParts } from '../parts.ts';
import type { SubresourceHandler } from './handler.ts';

const refusal = "Cannot evict pod as it would violate the pod's disruption budget.";
const mostDisrupted = 2000;

/**
 * A deletion that a disruption budget may put off. What the budget still allows is taken from its status before the pod is deleted, in a write that
 * fails if another eviction took it meanwhile.
 */
export const eviction: SubresourceHandler = {
  resource: pods,
  subresource: 'eviction',
  create: async (parts, context, request, resource, body) => {
    const { deleteOptions = {}, metadata } = body as Eviction;
    if (metadata.name !== undefined && metadata.name !== '' && metadata.name !== request.name) {
      throw new StatusError('BadRequest', 'name in URL does not match name in Eviction object');
    }
    const { gracePeriodSeconds, preconditions = {}, propagationPolicy } = deleteOptions;
    const dryRun = request.options.dryRun === true || (deleteOptions.dryRun ?? []).length > 0;
    const name = objectNameOf(resource, request);
    const pod = (await parts.store.get(pods, name)).object as Pod;
    const { uid, resourceVersion } = preconditions;
    const isMeant =
      (uid === undefined || uid === pod.metadata.uid) &&
      (resourceVersion === undefined || resourceVersion === pod.metadata.resourceVersion);
    const isRunning = !isTerminal(pod) && pod.status?.phase !== 'Pending' && pod.metadata.deletionTimestamp === undefined;
    // A pod that serves nobody breaks no budget; of one that is not meant the deletion says so.
    if (isRunning && isMeant) {
      await takeShare(parts, pod, dryRun);
      if (!dryRun) await markEvicted(parts, name, pod);
    }
    const options: DeleteOptions = {
      ...(gracePeriodSeconds === undefined ? {} : { gracePeriodSeconds }),
      ...(propagationPolicy === undefined
        ? {}
        : { propagationPolicy: propagationPolicy as NonNullable<DeleteOptions['propagationPolicy']> }),
      // The mark was a write of our own.
      preconditions: {
        ...(pod.metadata.uid === undefined ? {} : { uid: pod.metadata.uid }),
        ...(isRunning && isMeant && !dryRun ? {} : preconditions),
      },
      dryRun,
    };
    await removeObject(parts, context, resource, name, options);
    return done;
  },
};

const done: Answer = {
  type: 'status',
  code: 201,
  status: { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', code: 201 },
};

async function takeShare(parts: VerbParts, pod: Pod, dryRun: boolean): Promise<void> {
  const [budget, ...others] = await budgetsOf(parts, pod);
  if (budget === undefined) return;
  if (others.length > 0) {
    throw new StatusError(
      'InternalError',
      'This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.',
    );
  }
  const { name = '', namespace } = budget.metadata;
  const decide = (current: PodDisruptionBudget): PodDisruptionBudget =>
    isFree(current, pod) ? current : afterEviction(current, pod, parts.clock.now());
  if (dryRun) {
    decide(budget);
    return;
  }
  await parts.store.update(podDisruptionBudgets, { namespace, name }, (current: CachedObject) => ({
    object: decide(current.object as PodDisruptionBudget),
  }));
}

async function budgetsOf(parts: VerbParts, { metadata }: Pod): Promise<PodDisruptionBudget[]> {
  const { items } = await parts.store.cache.resource(podDisruptionBudgets).list({ namespace: metadata.namespace });
  return items
    .map(({ object }) => object as PodDisruptionBudget)
    .filter(({ spec }) => {
      const selector = selectorOf(spec.selector);
      return selector !== undefined && matchesSelector(selector, metadata.labels);
    });
}

/** A pod that is not ready costs the budget nothing: always, or while the others are enough. */
function isFree({ spec, status }: PodDisruptionBudget, pod: Pod): boolean {
  const isReady = pod.status?.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True') === true;
  if (isReady) return false;
  if (spec.unhealthyPodEvictionPolicy === 'AlwaysAllow') return true;
  const { currentHealthy = 0, desiredHealthy = 0 } = status ?? {};
  return currentHealthy >= desiredHealthy && desiredHealthy > 0;
}

/** The budget without this pod. Throws TooManyRequests where it allows no more. */
function afterEviction(budget: PodDisruptionBudget, pod: Pod, now: number): PodDisruptionBudget {
  const { name = '', generation = 0 } = budget.metadata;
  const {
    observedGeneration = 0,
    disruptionsAllowed = 0,
    desiredHealthy = 0,
    currentHealthy = 0,
    disruptedPods = {},
  } = budget.status ?? {};
  if (observedGeneration < generation) {
    throw putOff(`The disruption budget ${name} is still being processed by the server.`, 10);
  }
  if (Object.keys(disruptedPods).length > mostDisrupted) {
    throw new StatusError(
      'Forbidden',
      `poddisruptionbudgets.policy "${name}" is forbidden: DisruptedPods map too big - too many evictions not confirmed by PDB controller`,
    );
  }
  if (disruptionsAllowed <= 0) {
    throw putOff(`The disruption budget ${name} needs ${desiredHealthy} healthy pods and has ${currentHealthy} currently`);
  }
  const left = disruptionsAllowed - 1;
  const conditions = (budget.status?.conditions ?? []).map((condition) =>
    condition.type === 'DisruptionAllowed' && left === 0 && condition.status === 'True'
      ? { ...condition, status: 'False', reason: 'InsufficientPods', lastTransitionTime: formatTime(now) }
      : condition,
  );
  return {
    ...budget,
    status: {
      ...budget.status,
      conditions,
      disruptionsAllowed: left,
      disruptedPods: { ...disruptedPods, [pod.metadata.name ?? '']: formatTime(now) },
    },
  };
}

function putOff(message: string, retryAfterSeconds?: number): StatusError {
  return new StatusError('TooManyRequests', refusal, {
    details: {
      causes: [{ reason: 'DisruptionBudget', message, field: '' }],
      ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }),
    },
  });
}

/** Says on the pod why it goes; one that is gone, or another, is left to the deletion. */
async function markEvicted(parts: VerbParts, name: ObjectName, pod: Pod): Promise<void> {
  const condition = {
    type: 'DisruptionTarget',
    status: 'True',
    reason: 'EvictionByEvictionAPI',
    message: 'Eviction API: evicting',
    lastTransitionTime: formatTime(parts.clock.now()),
  };
  try {
    await parts.store.update(
      pods,
      name,
      ({ object }) => {
        const current = object as Pod;
        const others = (current.status?.conditions ?? []).filter(({ type }) => type !== condition.type);
        return { object: { ...current, status: { ...current.status, conditions: [...others, condition] } } };
      },
      pod.metadata.uid === undefined ? {} : { uid: pod.metadata.uid },
    );
  } catch (error) {
    if (!hasReason(error, 'NotFound') && !hasReason(error, 'Conflict')) throw error;
  }
}
