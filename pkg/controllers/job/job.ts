/**
 * Job: pods of one template until enough have succeeded. It makes pods and counts those that have ended; whether a container is started again
 * in its pod is the agent's.
 */
import { deepEqual } from '#api/equality';
import { selectorOf } from '#api/selector';
import { jobs, pods } from '#api/shapes/resources';
import type { Job, JobCondition, JobStatus } from '#api/shapes/types/batch-v1';
import type { Container, Pod } from '#api/shapes/types/core-v1';
import { hasReason, messageOf } from '#base/errors';
import type { Draft } from '#client/client';
import { splitKey } from '#client/informer';
import { slowStart } from '../batches.ts';
import { claim, indexOrphans } from '../claim.ts';
import { defineController, mapped, own, owned, type ReconcileContext } from '../controller.ts';
import { controllerOf } from '../owner.ts';
import { podFromTemplate } from '../pod-template.ts';
import { trackingFinalizer } from './count.ts';
import { indexAnnotation } from './indexes.ts';
import { type JobPlan, type NewPod, planJob } from './plan.ts';
import { failureCountAnnotation } from './policies.ts';

export const job = defineController({
  name: 'job',
  watches: () => [own(jobs), owned(pods, jobs), mapped(pods, trackedJobOf)],
  indexes: (informers) => {
    indexOrphans(informers, pods);
    informers.for(pods).addIndex('tracked job', trackedJobOf);
  },
  reconcile: async (key, context) => {
    const { client, clock, store } = context;
    const object = store(jobs).get(key);
    await releaseStrangers(key, object, context);
    if (object === undefined || object.metadata.deletionTimestamp !== undefined || isManagedElsewhere(object)) return undefined;
    const selector = selectorOf(object.spec.selector);
    if (selector === undefined || selector.length === 0) return undefined;
    const claimed = await claim(client, store(pods), { object, resource: jobs, selector });
    const plan = planJob(object, claimed, clock.now());
    if (plan.expired) {
      const { uid = '' } = object.metadata;
      await client.delete(jobs, splitKey(key), { propagationPolicy: 'Foreground', preconditions: { uid } });
      return undefined;
    }
    // First what is counted is written, then what counted it may go.
    if (!deepEqual(filled(object.status), filled(plan.status))) await client.updateStatus(jobs, { ...object, status: plan.status });
    await Promise.all(plan.release.map((pod) => release(pod, context)));
    tell(object, plan, context);
    await removeAll(object, plan.remove, context);
    await createAll(object, plan.create, context);
    return plan.after === undefined ? undefined : { after: plan.after };
  },
});

function isManagedElsewhere({ spec }: Job): boolean {
  return spec.managedBy !== undefined && spec.managedBy !== 'kubernetes.io/job-controller';
}

function filled(status: JobStatus | undefined): unknown {
  return { active: 0, ready: 0, succeeded: 0, failed: 0, conditions: [], uncountedTerminatedPods: {}, ...status };
}

/** The Job whose count the pod waits for. */
function trackedJobOf(pod: Pod): string[] {
  const owner = controllerOf(pod);
  const isTracked = owner?.kind === 'Job' && pod.metadata.finalizers?.includes(trackingFinalizer) === true;
  return isTracked ? [`${pod.metadata.namespace}/${owner.name}`] : [];
}

/** Pods of a Job that is gone, or going, are counted by nobody: nothing may hold them. */
async function releaseStrangers(key: string, object: Job | undefined, context: ReconcileContext): Promise<void> {
  const isLive = object !== undefined && object.metadata.deletionTimestamp === undefined;
  const tracked = context.store(pods).byIndex('tracked job', key);
  await Promise.all(tracked.filter((pod) => !isLive || controllerOf(pod)?.uid !== object.metadata.uid).map((pod) => release(pod, context)));
}

async function release(pod: Pod, { client }: ReconcileContext): Promise<void> {
  const { name = '', namespace = '', uid, resourceVersion, finalizers = [] } = pod.metadata;
  if (!finalizers.includes(trackingFinalizer)) return;
  try {
    const kept = finalizers.filter((each) => each !== trackingFinalizer);
    await client.patch(pods, { name, namespace }, 'merge', { metadata: { uid, resourceVersion, finalizers: kept } });
  } catch (error) {
    if (!hasReason(error, 'NotFound')) throw error;
  }
}

function tell(object: Job, { ended, turned }: JobPlan, { events }: ReconcileContext): void {
  if (turned === 'Suspended') events.event(object, 'Normal', 'Suspended', 'Job suspended');
  if (turned === 'Resumed') events.event(object, 'Normal', 'Resumed', 'Job resumed');
  if (ended === undefined) return;
  if (ended.type === 'Complete') events.event(object, 'Normal', 'Completed', 'Job completed');
  else events.event(object, 'Warning', reasonOf(ended), ended.message ?? '');
}

function reasonOf({ reason }: JobCondition): string {
  return reason ?? 'Failed';
}

/** What the Job itself takes away is no failure: it is let go of first, and so not counted. */
async function removeAll(object: Job, remove: readonly Pod[], context: ReconcileContext): Promise<void> {
  const { client, events } = context;
  for (const pod of remove) {
    const { name = '', namespace = '', uid = '' } = pod.metadata;
    await release(pod, context);
    try {
      await client.delete(pods, { name, namespace }, { preconditions: { uid } });
      events.event(object, 'Normal', 'SuccessfulDelete', `Deleted pod: ${name}`);
    } catch (error) {
      if (!hasReason(error, 'NotFound')) throw error;
    }
  }
}

async function createAll(object: Job, create: JobPlan['create'], { client, events }: ReconcileContext): Promise<void> {
  const { error } = await slowStart(create.length, async (at) => {
    const next = create[at];
    if (next === undefined) return;
    const pod = await client.create(pods, podOf(object, next));
    events.event(object, 'Normal', 'SuccessfulCreate', `Created pod: ${pod.metadata.name}`);
  });
  if (error === undefined) return;
  events.event(object, 'Warning', 'FailedCreate', `Error creating: ${messageOf(error)}`);
  throw error;
}

function podOf(object: Job, { index, failures }: NewPod): Draft<Pod> {
  const draft = podFromTemplate(object, jobs, object.spec.template);
  const finalizers = [...(draft.metadata.finalizers ?? []), trackingFinalizer];
  if (index === undefined) return { ...draft, metadata: { ...draft.metadata, finalizers } };
  const name = object.metadata.name ?? '';
  const indexed = { [indexAnnotation]: String(index) };
  return {
    ...draft,
    metadata: {
      ...draft.metadata,
      finalizers,
      generateName: `${name}-${index}-`,
      labels: { ...draft.metadata.labels, ...indexed },
      annotations: {
        ...draft.metadata.annotations,
        ...indexed,
        ...(failures === undefined ? {} : { [failureCountAnnotation]: String(failures) }),
      },
    },
    spec: {
      ...draft.spec,
      hostname: draft.spec.hostname ?? `${name}-${index}`,
      containers: draft.spec.containers.map(withIndex),
      ...(draft.spec.initContainers === undefined ? {} : { initContainers: draft.spec.initContainers.map(withIndex) }),
    },
  };
}

function withIndex(container: Container): Container {
  const name = 'JOB_COMPLETION_INDEX';
  if (container.env?.some((variable) => variable.name === name) === true) return container;
  const variable = { name, valueFrom: { fieldRef: { fieldPath: `metadata.annotations['${indexAnnotation}']` } } };
  return { ...container, env: [...(container.env ?? []), variable] };
}
