/**
 * What of a pod matters to its placement, read once. Pods with the same `class` are equal to every plugin, and are decided together.
 */
import type { OwnerReference } from '#api/object';
import { milliOf, unitsOf } from '#api/quantity';
import type { Affinity, Container, Pod, ResourceRequirements, Toleration, TopologySpreadConstraint } from '#api/shapes/types/core-v1';

export interface HostPort {
  readonly address: string;
  readonly protocol: string;
  readonly port: number;
}

export interface PodShape {
  /** Equal for pods that are equal to every plugin. */
  readonly class: string;
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Amounts by resource: cpu in thousandths, all else in whole units; `pods` is 1. */
  readonly requests: ReadonlyMap<string, number>;
  /** As `requests`, but never nothing: what scores reckon a pod with that says nothing (100m, 200 MB, as Kubernetes does). */
  readonly scoredCpu: number;
  readonly scoredMemory: number;
  readonly hostPorts: readonly HostPort[];
  /** The node that the pod itself names; `''`: none. */
  readonly nodeName: string;
  readonly nodeSelector: Readonly<Record<string, string>>;
  readonly affinity: Affinity;
  readonly tolerations: readonly Toleration[];
  readonly spreadConstraints: readonly TopologySpreadConstraint[];
  /** Names of the claims (in the pod's namespace) that its volumes need. */
  readonly claims: readonly string[];
  readonly images: readonly string[];
  /** Pods of higher priority may take its place. No part of the class: plugins do not look at it. */
  readonly priority: number;
  /** Pods of one workload have the same one and are spread over nodes; `''`: a pod of its own. */
  readonly workload: string;
}

const defaultCpu = 100;
const defaultMemory = 200 * 1024 * 1024;

export function amountOf(resource: string, quantity: string): number {
  return resource === 'cpu' ? milliOf(quantity) : unitsOf(quantity);
}

export function podShapeOf(pod: Pod): PodShape {
  const { spec, metadata } = pod;
  const owner = metadata.ownerReferences?.find((reference) => reference.controller === true);
  const requests = requestsOf(pod);
  const hostPorts = hostPortsOf(pod);
  const claims = claimsOf(pod);
  const labels = metadata.labels ?? {};
  const images = spec.containers.map((container) => container.image ?? '');
  const workload = workloadOf(owner, spec.containers);
  return {
    class: JSON.stringify([
      metadata.namespace,
      labels,
      workload,
      [...requests],
      hostPorts,
      spec.nodeSelector,
      spec.affinity,
      spec.tolerations,
      spec.topologySpreadConstraints,
      claims,
      images,
    ]),
    namespace: metadata.namespace ?? '',
    labels,
    requests,
    scoredCpu: requests.get('cpu') ?? defaultCpu,
    scoredMemory: requests.get('memory') ?? defaultMemory,
    hostPorts,
    nodeName: spec.nodeName ?? '',
    nodeSelector: spec.nodeSelector ?? {},
    affinity: spec.affinity ?? {},
    tolerations: spec.tolerations ?? [],
    spreadConstraints: spec.topologySpreadConstraints ?? [],
    claims,
    images,
    priority: spec.priority ?? 0,
    workload,
  };
}

function workloadOf(owner: OwnerReference | undefined, containers: readonly Container[]): string {
  return owner === undefined ? '' : `${owner.uid} ${containers.map((container) => container.name).join(' ')}`;
}

/**
 * What the pod may use at once: containers and sidecars together, or the largest init container with the sidecars started before it,
 * whichever is more; pod-level requests replace it for what they name; plus overhead.
 */
export function requestsOf(pod: Pod): Map<string, number> {
  const { spec } = pod;
  const running = new Map<string, number>();
  for (const container of spec.containers) add(running, requested(container.resources));
  const sidecars = new Map<string, number>();
  const starting = new Map<string, number>();
  for (const container of spec.initContainers ?? []) {
    const own = requested(container.resources);
    if (container.restartPolicy === 'Always') {
      add(sidecars, own);
      maximum(starting, sidecars);
    } else {
      const together = new Map(sidecars);
      add(together, own);
      maximum(starting, together);
    }
  }
  add(running, sidecars);
  maximum(running, starting);
  for (const [resource, amount] of requested(spec.resources)) running.set(resource, amount);
  add(running, amounts(spec.overhead));
  running.set('pods', 1);
  return running;
}

function requested(resources: ResourceRequirements | undefined): Map<string, number> {
  const found = amounts(resources?.requests);
  for (const [resource, amount] of amounts(resources?.limits)) if (!found.has(resource)) found.set(resource, amount);
  return found;
}

function amounts(quantities: Readonly<Record<string, string>> | undefined): Map<string, number> {
  const found = new Map<string, number>();
  for (const [resource, quantity] of Object.entries(quantities ?? {})) {
    const amount = amountOf(resource, quantity);
    if (amount > 0) found.set(resource, amount);
  }
  return found;
}

function add(to: Map<string, number>, what: ReadonlyMap<string, number>): void {
  for (const [resource, amount] of what) to.set(resource, (to.get(resource) ?? 0) + amount);
}

function maximum(to: Map<string, number>, what: ReadonlyMap<string, number>): void {
  for (const [resource, amount] of what) to.set(resource, Math.max(to.get(resource) ?? 0, amount));
}

function hostPortsOf(pod: Pod): HostPort[] {
  const ports: HostPort[] = [];
  for (const container of [...pod.spec.containers, ...(pod.spec.initContainers ?? [])]) {
    for (const port of container.ports ?? []) {
      const number = port.hostPort ?? (pod.spec.hostNetwork === true ? port.containerPort : 0);
      if (number > 0) ports.push({ address: port.hostIP ?? '', protocol: port.protocol ?? 'TCP', port: number });
    }
  }
  return ports;
}

function claimsOf(pod: Pod): string[] {
  const claims: string[] = [];
  for (const volume of pod.spec.volumes ?? []) {
    if (volume.persistentVolumeClaim !== undefined) claims.push(volume.persistentVolumeClaim.claimName);
    else if (volume.ephemeral !== undefined) claims.push(`${pod.metadata.name ?? ''}-${volume.name}`);
  }
  return claims;
}
