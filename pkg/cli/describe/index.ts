/** The kinds that `describe` shows in a form of their own. */
import { configMapDescriber, secretDescriber } from './contents.ts';
import type { Describer } from './describer.ts';
import { nodeDescriber } from './node.ts';
import { podDescriber } from './pod.ts';
import { serviceDescriber } from './service.ts';
import { stackDescriber } from './stack.ts';
import { deploymentDescriber, replicaSetDescriber } from './workload.ts';

export const describers: readonly Describer[] = [
  podDescriber,
  nodeDescriber,
  serviceDescriber,
  deploymentDescriber,
  replicaSetDescriber,
  stackDescriber,
  configMapDescriber,
  secretDescriber,
];
