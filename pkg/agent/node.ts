/** The Node object as the agent observes it. Pure; what is measured is handed in. */
import type { Node, NodeCondition } from '#api/shapes/types/core-v1';
import { formatTime } from '#base/clock';
import type { MachineFacts, Pressure } from './node-facts.ts';
import type { Image, RuntimeInfo } from './runtime/runtime.ts';

export interface NodeInput {
  readonly name: string;
  readonly facts: MachineFacts;
  readonly addresses: readonly string[];
  /** Beside the well-known ones. */
  readonly labels: Readonly<Record<string, string>>;
  readonly maximumPods: number;
  /** Where volumes of the local class stand, for people to find. */
  readonly volumeDirectory: string;
  readonly runtime: RuntimeInfo | undefined;
  /** Why the runtime or its network is not ready; undefined: it is. */
  readonly problem: string | undefined;
  readonly pressure: Pressure;
  readonly images: readonly Image[];
  readonly version: string;
  /** Conditions that stay as they are keep their time. */
  readonly previous: Node | undefined;
  readonly now: number;
}

const volumeDirectoryAnnotation = 'berth.dev/volume-directory';

/** Set aside for the machine itself: its share grows with it, and never takes more than a quarter. */
function setAside(total: number, least: number, share: number): number {
  return Math.min(Math.floor(total / 4), Math.max(least, Math.floor(total * share)));
}

export function observedNode(input: NodeInput): Node {
  const { name, facts, addresses, labels, runtime } = input;
  const memoryKi = Math.floor(facts.memoryBytes / 1024);
  const diskKi = Math.floor(facts.diskBytes / 1024);
  const capacity = {
    cpu: String(facts.cpus),
    memory: `${memoryKi}Ki`,
    'ephemeral-storage': `${diskKi}Ki`,
    pods: String(input.maximumPods),
  };
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: {
      name,
      labels: {
        'kubernetes.io/hostname': name,
        'kubernetes.io/os': 'linux',
        'kubernetes.io/arch': facts.architecture,
        'beta.kubernetes.io/os': 'linux',
        'beta.kubernetes.io/arch': facts.architecture,
        ...labels,
      },
      annotations: { [volumeDirectoryAnnotation]: input.volumeDirectory },
    },
    spec: {},
    status: {
      capacity,
      allocatable: {
        ...capacity,
        memory: `${memoryKi - setAside(memoryKi, 100 * 1024, 0.02)}Ki`,
        'ephemeral-storage': `${diskKi - Math.floor(diskKi / 10)}Ki`,
      },
      addresses: [
        // Two interfaces may have the same.
        ...[...new Set(addresses)].map((address) => ({ type: 'InternalIP', address })),
        { type: 'Hostname', address: facts.hostname === '' ? name : facts.hostname },
      ],
      nodeInfo: {
        architecture: facts.architecture,
        bootID: facts.bootId,
        containerRuntimeVersion: runtime === undefined ? '' : `${runtime.name}://${runtime.version}`,
        kernelVersion: facts.kernelVersion,
        kubeProxyVersion: '',
        kubeletVersion: input.version,
        machineID: facts.machineId,
        operatingSystem: 'linux',
        osImage: facts.osImage,
        systemUUID: facts.systemUuid,
      },
      conditions: conditions(input),
      images: images(input.images),
    },
  };
}

function conditions(input: NodeInput): NodeCondition[] {
  const { pressure, problem } = input;
  const wanted: Omit<NodeCondition, 'lastTransitionTime'>[] = [
    pressure.memory
      ? {
          type: 'MemoryPressure',
          status: 'True',
          reason: 'NodeHasInsufficientMemory',
          message: 'the node has less than 100 MiB of memory left',
        }
      : { type: 'MemoryPressure', status: 'False', reason: 'NodeHasSufficientMemory', message: 'the node has sufficient memory available' },
    pressure.disk
      ? { type: 'DiskPressure', status: 'True', reason: 'NodeHasDiskPressure', message: 'the node has less than a tenth of its disk left' }
      : { type: 'DiskPressure', status: 'False', reason: 'NodeHasNoDiskPressure', message: 'the node has no disk pressure' },
    pressure.pid
      ? { type: 'PIDPressure', status: 'True', reason: 'NodeHasInsufficientPID', message: 'the node has few process ids left' }
      : { type: 'PIDPressure', status: 'False', reason: 'NodeHasSufficientPID', message: 'the node has sufficient PID available' },
    problem === undefined
      ? { type: 'Ready', status: 'True', reason: 'KubeletReady', message: 'the agent is posting ready status' }
      : { type: 'Ready', status: 'False', reason: 'KubeletNotReady', message: problem },
  ];
  return wanted.map((condition) => {
    const before = input.previous?.status?.conditions?.find(({ type }) => type === condition.type);
    const kept = before?.status === condition.status ? before.lastTransitionTime : undefined;
    return { ...condition, lastTransitionTime: kept ?? formatTime(input.now) };
  });
}

/** The largest fifty, as in Kubernetes. */
function images(all: readonly Image[]): { names: string[]; sizeBytes: number }[] {
  return all
    .toSorted((a, b) => b.size - a.size || (a.id < b.id ? -1 : 1))
    .slice(0, 50)
    .map(({ tags, digests, size }) => ({ names: [...digests, ...tags], sizeBytes: size }))
    .filter(({ names }) => names.length > 0);
}
