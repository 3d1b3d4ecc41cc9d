/** What every pod's worker needs of its node: handed in, so that a worker can be run over a fake runtime and a clock that stands still. */
import type { Pod, PodStatus, Service } from '#api/shapes/types/core-v1';
import type { Clock } from '#base/clock';
import type { Logger } from '#base/logging';
import type { Cgroups } from './cgroups.ts';
import type { NodeDns } from './container-config.ts';
import type { PodEvents } from './events.ts';
import type { Images } from './images.ts';
import type { AgentMetrics } from './metrics.ts';
import type { ProbeAction } from './probes/probe-action.ts';
import type { Runtime } from './runtime/runtime.ts';
import type { RuntimeView } from './runtime-view.ts';
import type { Slots } from './slots.ts';
import type { Mounter } from './volumes/mounter.ts';
import type { AssignedObjects, VolumePlugin } from './volumes/volume-plugin.ts';

export interface NodeContext {
  readonly runtime: Runtime;
  readonly view: RuntimeView;
  readonly images: Images;
  readonly events: PodEvents;
  readonly cgroups: Cgroups;
  readonly mounter: Mounter;
  readonly volumePlugins: readonly VolumePlugin[];
  readonly probeActions: readonly ProbeAction[];
  readonly metrics: AgentMetrics;
  readonly clock: Clock;
  readonly log: Logger;
  /** How many sandboxes and containers start at once. */
  readonly starts: Slots;
  readonly directories: Directories;
  readonly node: NodeFacts;
  objects(namespace: string): AssignedObjects;
  services(): readonly Service[];
  report(report: PodReport): void;
}

export interface Directories {
  /** State, volumes and termination messages of one pod. */
  pod(uid: string): string;
  logs(pod: Pod): string;
  /** Volumes that outlive pods. */
  readonly persistentVolumes: string;
}

export interface NodeFacts {
  /** The primary one first. */
  addresses(): readonly string[];
  allocatable(): Readonly<Record<string, string>>;
  memoryCapacity(): number;
  dns(): NodeDns;
  /** Why pods of the pod network cannot start now; undefined: they can. */
  networkProblem(): string | undefined;
  /** As in container ids: `containerd`. */
  runtimeName(): string;
}

export interface PodReport {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly status: PodStatus;
  /** Nothing of the pod is left on the node. */
  readonly stopped: boolean;
}
