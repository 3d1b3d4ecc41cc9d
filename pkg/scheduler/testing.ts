/** Nodes and pods with little writing, for the tests of this folder. */
import type { Node, Pod, PodSpec } from '#api/shapes/types/core-v1';

export function testNode(
  name: string,
  given: Partial<Omit<Node, 'metadata'>> & { labels?: Record<string, string>; cpu?: string; memory?: string; pods?: string } = {},
): Node {
  const { labels = {}, cpu = '4', memory = '8Gi', pods = '110', spec = {}, status = {} } = given;
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, labels: { 'kubernetes.io/hostname': name, ...labels } },
    spec,
    status: { allocatable: { cpu, memory, pods, 'ephemeral-storage': '100Gi' }, ...status },
  };
}

export function testPod(
  name: string,
  given: {
    cpu?: string;
    memory?: string;
    labels?: Record<string, string>;
    namespace?: string;
    owner?: string;
    spec?: Partial<PodSpec>;
  } = {},
): Pod {
  const { cpu, memory, labels, namespace = 'default', owner, spec = {} } = given;
  const requests = { ...(cpu === undefined ? {} : { cpu }), ...(memory === undefined ? {} : { memory }) };
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      namespace,
      uid: `uid-${namespace}-${name}`,
      ...(labels === undefined ? {} : { labels }),
      ...(owner === undefined
        ? {}
        : { ownerReferences: [{ apiVersion: 'apps/v1', kind: 'ReplicaSet', name: owner, uid: owner, controller: true }] }),
    },
    spec: { containers: [{ name: 'main', image: 'app:1', resources: { requests } }], schedulerName: 'default-scheduler', ...spec },
    status: { phase: 'Pending' },
  };
}

export function placedOn(pod: Pod, nodeName: string): Pod {
  return { ...pod, spec: { ...pod.spec, nodeName } };
}
