/** CronJob: makes a Job at each time of its schedule, and forgets those that ended long ago. What a Job does is the Job controller's. */
import { deepEqual } from '#api/equality';
import { cronJobs, jobs } from '#api/shapes/resources';
import type { CronJob, CronJobStatus, Job } from '#api/shapes/types/batch-v1';
import { formatTime } from '#base/clock';
import { hasReason, messageOf } from '#base/errors';
import type { Draft } from '#client/client';
import { defineController, own, owned, type ReconcileContext } from '../controller.ts';
import { controllerReference, isControlledBy } from '../owner.ts';
import { jobNameOf, jobReference, planCronJob, scheduledAnnotation } from './plan.ts';

export const cronjob = defineController({
  name: 'cronjob',
  watches: () => [own(cronJobs), owned(jobs, cronJobs)],
  reconcile: async (key, context) => {
    const { clock, client, events, store } = context;
    const object = store(cronJobs).get(key);
    if (object === undefined) return undefined;
    const own = store(jobs).byIndex('owner', object.metadata.uid ?? '');
    const plan = planCronJob(object, own, clock.now());
    for (const { type, reason, message } of plan.events) events.event(object, type, reason, message);
    for (const job of [...plan.forget, ...plan.replace]) await remove(object, job, context);
    const replaced = new Set(plan.replace.map(({ metadata }) => metadata.uid));
    const active = (plan.status.active ?? []).filter(({ uid }) => !replaced.has(uid));
    let status: CronJobStatus = { ...plan.status, active };
    if (plan.start !== undefined) {
      const made = await start(object, plan.start, context);
      if (made !== undefined) status = { ...status, active: [...active, jobReference(made)], lastScheduleTime: formatTime(plan.start) };
    }
    if (!deepEqual({ active: [], ...object.status }, status))
      await client.updateStatus(cronJobs, { ...object, status: withoutEmpty(status) });
    return plan.after === undefined ? undefined : { after: plan.after };
  },
});

function withoutEmpty({ active = [], ...status }: CronJobStatus): CronJobStatus {
  return active.length === 0 ? status : { ...status, active };
}

/** Undefined: the namespace is going away, or another's Job has the name. */
async function start(object: CronJob, time: number, { client, events }: ReconcileContext): Promise<Job | undefined> {
  const draft = jobOf(object, time);
  try {
    const made = await client.create(jobs, draft);
    events.event(object, 'Normal', 'SuccessfulCreate', `Created job ${made.metadata.name}`);
    return made;
  } catch (error) {
    if (hasReason(error, 'AlreadyExists')) {
      const { name, namespace = '' } = draft.metadata;
      const present = await client.find(jobs, { name, namespace });
      if (present !== undefined && isControlledBy(present, object)) return present;
    } else if (hasReason(error, 'Forbidden') && (error.details?.causes ?? []).some(({ reason }) => reason === 'NamespaceTerminating')) {
      return undefined;
    }
    events.event(object, 'Warning', 'FailedCreate', `Error creating job: ${messageOf(error)}`);
    if (hasReason(error, 'AlreadyExists') || hasReason(error, 'Invalid')) return undefined;
    throw error;
  }
}

function jobOf(object: CronJob, time: number): Draft<Job> & { metadata: { name: string } } {
  const { metadata: { labels, annotations } = {}, spec } = object.spec.jobTemplate;
  return {
    metadata: {
      name: jobNameOf(object, time),
      namespace: object.metadata.namespace ?? '',
      ...(labels === undefined ? {} : { labels }),
      annotations: { ...annotations, [scheduledAnnotation]: formatTime(time) },
      ownerReferences: [controllerReference(object, cronJobs)],
    },
    spec,
  };
}

async function remove(object: CronJob, job: Job, { client, events }: ReconcileContext): Promise<void> {
  const { name = '', namespace = '', uid = '' } = job.metadata;
  try {
    await client.delete(jobs, { name, namespace }, { preconditions: { uid }, propagationPolicy: 'Background' });
    events.event(object, 'Normal', 'SuccessfulDelete', `Deleted job ${name}`);
  } catch (error) {
    if (!hasReason(error, 'NotFound')) throw error;
  }
}
