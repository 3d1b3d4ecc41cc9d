/** What keeps a pod from doing its work, as its status says. Pure. */
import type { ContainerStatus, Pod } from '#api/shapes/types/core-v1';

/** `stuck`: its node cannot start it, and will not without a change from outside: no such image, no such config, no such command. */
export type Trouble = 'unschedulable' | 'stuck';

const stuckReasons: ReadonlySet<string> = new Set([
  'ErrImagePull',
  'ImagePullBackOff',
  'ErrImageNeverPull',
  'InvalidImageName',
  'CreateContainerConfigError',
  'CreateContainerError',
  'RunContainerError',
]);
/** Reasons to wait that are part of every start. */
const ordinaryReasons: ReadonlySet<string> = new Set(['ContainerCreating', 'PodInitializing']);

export function troubleOf(pod: Pod): Trouble | undefined {
  if (pod.metadata.deletionTimestamp !== undefined) return undefined;
  if (unscheduledMessage(pod) !== undefined) return 'unschedulable';
  // Before there are containers, the node says of the pod what is in the way: a volume, or its network.
  const { phase, message = '' } = pod.status ?? {};
  if (phase === 'Pending' && message !== '' && (pod.spec.nodeName ?? '') !== '') return 'stuck';
  return containersOf(pod).some(({ state }) => stuckReasons.has(state?.waiting?.reason ?? '')) ? 'stuck' : undefined;
}

/** What the scheduler said of a pod that it could not place. */
export function unscheduledMessage(pod: Pod): string | undefined {
  const condition = pod.status?.conditions?.find(({ type }) => type === 'PodScheduled');
  return condition?.status === 'False' && condition.reason === 'Unschedulable' ? (condition.message ?? '') : undefined;
}

/** A line for each container that is not well. */
export function containerTroubles(pod: Pod): string[] {
  return containersOf(pod).flatMap(containerTrouble);
}

function containersOf(pod: Pod): readonly ContainerStatus[] {
  return [...(pod.status?.initContainerStatuses ?? []), ...(pod.status?.containerStatuses ?? [])];
}

function containerTrouble(status: ContainerStatus): string[] {
  const { waiting, terminated } = status.state ?? {};
  const last = status.lastState?.terminated;
  if (waiting !== undefined && !ordinaryReasons.has(waiting.reason ?? '')) {
    const before = last === undefined ? '' : `; its last run ended with ${last.exitCode}${because(last.reason)}`;
    return [`container ${status.name} waits${because(waiting.reason)}${sentence(waiting.message)}${before}`];
  }
  if (terminated !== undefined && terminated.exitCode !== 0)
    return [`container ${status.name} ended with ${terminated.exitCode}${because(terminated.reason)}${sentence(terminated.message)}`];
  if (status.state?.running !== undefined && !status.ready) return [`container ${status.name} runs and is not ready`];
  return [];
}

function because(reason: string | undefined): string {
  return reason === undefined || reason === '' ? '' : ` (${reason})`;
}

function sentence(message: string | undefined): string {
  return message === undefined || message === '' ? '' : `: ${message}`;
}
