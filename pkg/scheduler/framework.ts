/**
 * What the scheduler and its plugins agree on. A plugin reads what a pod asks for once (`prepare`, shared by all equal pods) and then
 * answers for one node at a time, cheaply; whatever it refuses, it can explain. Plugins know the snapshot alone: no client, no clock.
 */
import type { PodShape } from './pod-shape.ts';
import type { Snapshot } from './snapshot.ts';

export interface Refusal {
  readonly plugin: string;
  /** In Kubernetes' words, as FailedScheduling counts them over nodes: `Insufficient cpu`. */
  readonly reason: string;
}

/** A refusal, spelled out for one node. */
export interface Explanation extends Refusal {
  /** What is missing on this node: `requests 2 cpu, 500m of 4 are free`. */
  readonly detail: string;
  /** The smallest change that would end this refusal: `free 1500m cpu on node-1, or request at most 500m`. */
  readonly help: string;
  /** How large that change is, to compare nodes by: about 1 for one label, taint or small amount; infinite where nothing helps. */
  readonly effort: number;
}

export interface PreparedPlugin {
  /** Set: no node will do, whatever it is, for this reason (`persistentvolumeclaim "x" not found`). */
  readonly refusesAll?: Omit<Explanation, 'plugin'>;
  /**
   * The answer depends on more than the node and the pods on it (other nodes, volumes): it is asked anew for each pod, on all nodes.
   * Otherwise answers are kept until the node changes.
   */
  readonly wide?: boolean;
  /** The reason why the node will not do; undefined: it will. Called very often: gives constants. */
  filter?(slot: number): Refusal | undefined;
  /** All reasons of this plugin on this node, spelled out. Called only for pods that cannot be placed; empty where `filter` gives nothing. */
  explain?(slot: number): readonly Explanation[];
  /** How well the node suits, 0 to 100. */
  score?(slot: number): number;
}

export interface Plugin {
  readonly name: string;
  /** The weight of its score in the sum; 1 unless given. */
  readonly weight?: number;
  /** Undefined: nothing to say about such pods. */
  prepare(shape: PodShape, snapshot: Snapshot): PreparedPlugin | undefined;
}
