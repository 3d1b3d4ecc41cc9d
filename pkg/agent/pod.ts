/** What the agent reads out of a pod in more than one place. Pure. */
import { createHash } from 'node:crypto';
import type { Container, EphemeralContainer, Pod } from '#api/shapes/types/core-v1';
import type { ContainerStatus, PodIdentity } from './runtime/runtime.ts';

export type RestartPolicy = 'Always' | 'OnFailure' | 'Never';

/** Annotations that the agent puts on what it starts, so that after its own restart it knows what runs there. */
export const annotation = {
  /** See `containerHash`. */
  hash: 'io.berth.container-hash',
  /** Milliseconds to wait after this container's end before its successor starts. */
  backoff: 'io.berth.backoff-milliseconds',
} as const;

export function identityOf(pod: Pod): PodIdentity {
  return { namespace: pod.metadata.namespace ?? '', name: pod.metadata.name ?? '', uid: pod.metadata.uid ?? '' };
}

export function restartPolicyOf(pod: Pod): RestartPolicy {
  const policy = pod.spec.restartPolicy;
  return policy === 'Never' || policy === 'OnFailure' ? policy : 'Always';
}

/** An init container that goes on running beside the others. */
export function isSidecar(container: Container): boolean {
  return container.restartPolicy === 'Always';
}

export function initContainersOf(pod: Pod): readonly Container[] {
  return pod.spec.initContainers ?? [];
}

/** What was added to the running pod: started once, never again, and waited for by nobody. */
export function ephemeralContainersOf(pod: Pod): readonly EphemeralContainer[] {
  return pod.spec.ephemeralContainers ?? [];
}

/** Init containers first, each in its order; without ephemeral ones. */
export function allContainersOf(pod: Pod): readonly Container[] {
  return [...initContainersOf(pod), ...pod.spec.containers];
}

/** How often a container may be restarted (Compose's `on-failure:n`); no bound unless given. */
export function maxRestartsOf(pod: Pod): number {
  return pod.spec.berth?.maxRestarts ?? Number.POSITIVE_INFINITY;
}

/**
 * Tells whether a running container is still what the pod asks for. It covers what may change of a container in a living pod (its image) and
 * not the whole, so that a new default in a new version of Berth restarts nothing.
 */
export function containerHash(container: Container): string {
  return createHash('sha256')
    .update(JSON.stringify([container.name, container.image]))
    .digest('hex')
    .slice(0, 16);
}

/** Seconds between being asked to stop and being killed. */
export function gracePeriodOf(pod: Pod): number {
  const seconds = pod.spec.terminationGracePeriodSeconds ?? 30;
  return seconds < 0 ? 1 : seconds;
}

/** Newest first: of one name, over all sandboxes of the pod. */
export function historyOf(containers: readonly ContainerStatus[], name: string): readonly ContainerStatus[] {
  return containers.filter((container) => container.name === name).toSorted((a, b) => b.attempt - a.attempt || b.createdAt - a.createdAt);
}

export function isActive(container: ContainerStatus): boolean {
  return container.state === 'Running' || container.state === 'Unknown';
}

/** `Guaranteed`, `Burstable` or `BestEffort`, by Kubernetes' rule over CPU and memory of all containers. */
export function qosClassOf(pod: Pod): 'Guaranteed' | 'Burstable' | 'BestEffort' {
  let any = false;
  let guaranteed = true;
  for (const container of allContainersOf(pod)) {
    const limits = container.resources?.limits ?? {};
    const requests = { ...limits, ...container.resources?.requests };
    for (const resource of ['cpu', 'memory']) {
      const limit = limits[resource];
      const request = requests[resource];
      if (isSet(limit) || isSet(request)) any = true;
      if (!isSet(limit) || request !== limit) guaranteed = false;
    }
  }
  if (!any) return 'BestEffort';
  return guaranteed ? 'Guaranteed' : 'Burstable';
}

function isSet(quantity: string | undefined): boolean {
  return quantity !== undefined && !/^[+-]?0*(\.0*)?[a-zA-Z]*$/.test(quantity);
}
