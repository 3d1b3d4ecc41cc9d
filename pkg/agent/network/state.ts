/** What the network of a node answers and forwards from: the objects that were assigned, and the pods that run here. */

import type { Pod, Service } from '#api/shapes/types/core-v1';
import type { EndpointSlice } from '#api/shapes/types/discovery-v1';

export interface NetworkState {
  readonly services: readonly Service[];
  readonly endpointSlices: readonly EndpointSlice[];
  /** Those of this node that have a sandbox. */
  readonly pods: readonly NetworkPod[];
}

/** What the network needs to know of a pod of this node. */
export interface NetworkPod {
  readonly namespace: string;
  readonly name: string;
  /** As the runtime gave them; the primary one first. Empty on the host's network. */
  readonly addresses: readonly string[];
  /** The Compose networks that it is in, by their full names. */
  readonly networks: readonly string[];
  readonly hostPorts: readonly PodHostPort[];
}

export interface PodHostPort {
  readonly protocol: Protocol;
  readonly containerPort: number;
  readonly hostPort: number;
  /** Empty: all of the node's. */
  readonly hostAddress: string;
}

export type Protocol = 'tcp' | 'udp' | 'sctp';

export function networkPodOf(pod: Pod, addresses: readonly string[]): NetworkPod {
  const onHost = pod.spec.hostNetwork === true;
  const containers = [...(pod.spec.initContainers ?? []), ...pod.spec.containers];
  return {
    namespace: pod.metadata.namespace ?? '',
    name: pod.metadata.name ?? '',
    addresses: onHost ? [] : addresses,
    networks: pod.spec.berth?.networks ?? [],
    hostPorts: onHost
      ? []
      : containers.flatMap((container) =>
          (container.ports ?? []).flatMap(({ protocol, containerPort, hostPort = 0, hostIP = '' }) =>
            hostPort === 0 ? [] : [{ protocol: protocolOf(protocol), containerPort, hostPort, hostAddress: hostIP }],
          ),
        ),
  };
}

export function protocolOf(name: string | undefined): Protocol {
  return name === 'UDP' ? 'udp' : name === 'SCTP' ? 'sctp' : 'tcp';
}

/** An object that a port could not be opened for: the agent reports it as an event. */
export interface Problem {
  readonly kind: 'Service' | 'Pod';
  readonly namespace: string;
  readonly name: string;
  readonly protocol: Protocol;
  readonly port: number;
  /** A sentence for people, without the port. */
  readonly reason: string;
}
