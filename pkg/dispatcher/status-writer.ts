/**
 * Writes what agents report of their pods. Each write names the pod by uid and changes only what is the agent's: conditions of others stay. Resolved
 * means durable; a report that says nothing new writes nothing.
 */
import { deepEqual } from '#api/equality';
import { pods } from '#api/shapes/resources';
import type { Pod, PodStatus } from '#api/shapes/types/core-v1';
import { backoffDelay } from '#base/backoff';
import type { Clock } from '#base/clock';
import { hasReason, messageOf, StatusError } from '#base/errors';
import type { Logger } from '#base/logging';
import type { Client } from '#client/client';
import type { Informer } from '#client/informer';

export interface StatusReport {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly status: PodStatus;
  readonly stopped: boolean;
}

export interface StatusWriter {
  /** `unknown`: there is no such pod (any more), or it is not this node's. Rejects only with the signal's reason. */
  write(nodeName: string, report: StatusReport, signal: AbortSignal): Promise<'written' | 'unknown'>;
}

const retry = { initial: 50, maximum: 5000, jitter: 0.5 };

export function createStatusWriter(options: {
  readonly client: Client;
  readonly cache: Informer<Pod>;
  readonly clock: Clock;
  readonly log: Logger;
}): StatusWriter {
  const { client, cache, clock, log } = options;

  const current = async ({ namespace, name }: StatusReport, fresh: boolean): Promise<Pod | undefined> =>
    (fresh ? undefined : cache.get(`${namespace}/${name}`)) ?? (await client.find(pods, { namespace, name }));

  const attempt = async (nodeName: string, report: StatusReport, fresh: boolean): Promise<'written' | 'unknown'> => {
    const pod = await current(report, fresh);
    if (pod === undefined || pod.metadata.uid !== report.uid || pod.spec.nodeName !== nodeName) {
      // What the cache shows may be behind; that a pod is not there is only said after asking.
      return fresh || pod === undefined ? 'unknown' : attempt(nodeName, report, true);
    }
    const status = mergeStatus(pod.status, report.status);
    if (!deepEqual(status, pod.status)) await client.updateStatus(pods, { ...pod, status });
    if (report.stopped && pod.metadata.deletionTimestamp !== undefined) {
      await client.delete(
        pods,
        { namespace: report.namespace, name: report.name },
        { gracePeriodSeconds: 0, preconditions: { uid: report.uid } },
      );
    }
    return 'written';
  };

  return {
    async write(nodeName, report, signal) {
      for (let failures = 0; ; failures++) {
        signal.throwIfAborted();
        try {
          return await attempt(nodeName, report, failures > 0);
        } catch (error) {
          if (hasReason(error, 'NotFound')) return 'unknown';
          if (hasReason(error, 'Conflict') && failures < 20) continue;
          if (error instanceof StatusError && (error.reason === 'Invalid' || error.reason === 'BadRequest')) {
            // Trying again would not help, and would hold up all that comes after.
            log.error('a reported status is refused', { pod: `${report.namespace}/${report.name}`, error: error.message });
            return 'written';
          }
          log.warn('a reported status cannot be written yet', { pod: `${report.namespace}/${report.name}`, error: messageOf(error) });
          await clock.sleep(backoffDelay(retry, failures), signal);
        }
      }
    },
  };
}

/** The agent's report over what is stored: its own fields, and of the conditions those that it speaks of. */
export function mergeStatus(stored: PodStatus | undefined, reported: PodStatus): PodStatus {
  const own = new Set((reported.conditions ?? []).map(({ type }) => type));
  const others = (stored?.conditions ?? []).filter(({ type }) => !own.has(type));
  const { nominatedNodeName, resize, resourceClaimStatuses, ephemeralContainerStatuses } = stored ?? {};
  const conditions = [...(reported.conditions ?? []), ...others].map((condition) => {
    const before = stored?.conditions?.find(({ type }) => type === condition.type);
    // A condition that has not changed keeps its time, whatever the agent remembers.
    const keep = before !== undefined && before.status === condition.status && before.lastTransitionTime !== undefined;
    return keep ? { ...condition, lastTransitionTime: before.lastTransitionTime! } : condition;
  });
  return {
    ...(nominatedNodeName === undefined ? {} : { nominatedNodeName }),
    ...(resize === undefined ? {} : { resize }),
    ...(resourceClaimStatuses === undefined ? {} : { resourceClaimStatuses }),
    ...(ephemeralContainerStatuses === undefined ? {} : { ephemeralContainerStatuses }),
    ...reported,
    conditions,
  };
}
