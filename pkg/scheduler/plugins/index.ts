/** The plugins in the order in which they are asked: cheap and telling refusals first. One line here adds one. */
import type { Plugin } from '../framework.ts';
import { balanced } from './balanced.ts';
import { hostPorts } from './host-ports.ts';
import { imageLocality } from './image-locality.ts';
import { leastAllocated } from './least-allocated.ts';
import { nodeAffinity } from './node-affinity.ts';
import { nodeName } from './node-name.ts';
import { podAffinity } from './pod-affinity.ts';
import { resources } from './resources.ts';
import { taints } from './taints.ts';
import { topologySpread } from './topology-spread.ts';
import { unschedulable } from './unschedulable.ts';
import { volumes } from './volumes.ts';
import { workloadSpread } from './workload-spread.ts';

export const plugins: readonly Plugin[] = [
  nodeName,
  unschedulable,
  taints,
  nodeAffinity,
  hostPorts,
  resources,
  volumes,
  topologySpread,
  podAffinity,
  leastAllocated,
  balanced,
  workloadSpread,
  imageLocality,
];
