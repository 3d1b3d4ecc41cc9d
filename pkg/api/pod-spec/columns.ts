/** A pod's row in a table: kubectl's READY, STATUS and RESTARTS (printers' `printPod`). */
import { humanDuration } from '../human-duration.ts';
import type { Column, TableColumns } from '../kind.ts';
import { millisecondsOf } from '../schema/time.ts';
import type { ContainerStateTerminated, ContainerStatus, Pod } from '../shapes/types/core-v1.ts';
import { ageColumn, ageOf, definitionOf, nameColumn } from '../table-columns.ts';

export interface PodSummary {
  readonly ready: number;
  readonly total: number;
  /** `Running`, `Init:0/1`, `CrashLoopBackOff`, `Completed`, `Terminating`, … */
  readonly status: string;
  readonly restarts: number;
  /** When a container last ended and was started again, milliseconds since 1970. */
  readonly lastRestart: number | undefined;
}

interface Tally {
  restarts: number;
  lastRestart: number | undefined;
}

/** What kubectl shows of a pod in one line. */
export function summarizePod(pod: Pod): PodSummary {
  const status = pod.status ?? {};
  const sidecars = new Set((pod.spec.initContainers ?? []).filter((one) => one.restartPolicy === 'Always').map((one) => one.name));
  const gated = status.conditions?.some((one) => one.type === 'PodScheduled' && one.reason === 'SchedulingGated') === true;
  let reason = gated ? 'SchedulingGated' : status.reason || status.phase || '';
  let ready = 0;
  let initializing = false;
  let tally: Tally = { restarts: 0, lastRestart: undefined };
  const ofSidecars: Tally = { restarts: 0, lastRestart: undefined };
  for (const [index, container] of (status.initContainerStatuses ?? []).entries()) {
    const isSidecar = sidecars.has(container.name);
    count(tally, container);
    if (isSidecar) count(ofSidecars, container);
    const { terminated, waiting } = container.state ?? {};
    if (terminated?.exitCode === 0) continue;
    if (isSidecar && container.started === true) {
      if (container.ready) ready++;
      continue;
    }
    initializing = true;
    if (terminated !== undefined) reason = `Init:${endOf(terminated)}`;
    else if (waiting?.reason !== undefined && waiting.reason !== '' && waiting.reason !== 'PodInitializing')
      reason = `Init:${waiting.reason}`;
    else reason = `Init:${index}/${pod.spec.initContainers?.length ?? 0}`;
    break;
  }
  if (!initializing || hasCondition(pod, 'Initialized')) {
    tally = ofSidecars;
    let isRunning = false;
    for (const container of (status.containerStatuses ?? []).toReversed()) {
      count(tally, container);
      const { waiting, terminated, running } = container.state ?? {};
      if (waiting?.reason !== undefined && waiting.reason !== '') reason = waiting.reason;
      else if (terminated !== undefined) reason = endOf(terminated);
      else if (container.ready && running !== undefined) {
        isRunning = true;
        ready++;
      }
    }
    if (reason === 'Completed' && isRunning) reason = hasCondition(pod, 'Ready') ? 'Running' : 'NotReady';
  }
  if (pod.metadata.deletionTimestamp !== undefined) {
    if (status.reason === 'NodeLost') reason = 'Unknown';
    else if (status.phase !== 'Succeeded' && status.phase !== 'Failed') reason = 'Terminating';
  }
  return { ready, total: (pod.spec.containers?.length ?? 0) + sidecars.size, status: reason, ...tally };
}

function count(tally: Tally, container: ContainerStatus): void {
  tally.restarts += container.restartCount;
  const ended = millisecondsOf(container.lastState?.terminated?.finishedAt);
  if (ended !== undefined && ended > (tally.lastRestart ?? Number.NEGATIVE_INFINITY)) tally.lastRestart = ended;
}

function endOf(end: ContainerStateTerminated): string {
  if (end.reason !== undefined && end.reason !== '') return end.reason;
  return end.signal === undefined || end.signal === 0 ? `ExitCode:${end.exitCode}` : `Signal:${end.signal}`;
}

function hasCondition(pod: Pod, type: string): boolean {
  return pod.status?.conditions?.some((condition) => condition.type === type && condition.status === 'True') === true;
}

function restartsCell({ restarts, lastRestart }: PodSummary, now: number): string {
  return restarts === 0 || lastRestart === undefined ? String(restarts) : `${restarts} (${humanDuration(now - lastRestart)} ago)`;
}

function readinessGates(pod: Pod): string {
  const gates = pod.spec.readinessGates ?? [];
  if (gates.length === 0) return '<none>';
  return `${gates.filter((gate) => hasCondition(pod, gate.conditionType)).length}/${gates.length}`;
}

const text = (name: string, description: string, priority = 0): Column => ({ name, type: 'string', description, priority });

/** Summed up once a row, not once a cell. */
export const podColumns: TableColumns<Pod> = {
  columns: [
    definitionOf(nameColumn),
    text('Ready', 'The aggregate readiness state of this pod for accepting traffic.'),
    text('Status', 'The aggregate status of the containers in this pod.'),
    text('Restarts', 'How often the containers of this pod were started again, and when last.'),
    definitionOf(ageColumn),
    text('IP', 'The address of the pod.', 1),
    text('Node', 'The node that the pod was given.', 1),
    text('Nominated Node', 'The node that is being cleared for the pod.', 1),
    text('Readiness Gates', 'How many of the further conditions for readiness hold.', 1),
  ],
  cells: (pod, now) => {
    const summary = summarizePod(pod);
    return [
      pod.metadata.name ?? '',
      `${summary.ready}/${summary.total}`,
      summary.status,
      restartsCell(summary, now),
      ageOf(pod.metadata.creationTimestamp, now),
      pod.status?.podIPs?.[0]?.ip || pod.status?.podIP || '<none>',
      pod.spec.nodeName || '<none>',
      pod.status?.nominatedNodeName || '<none>',
      readinessGates(pod),
    ];
  },
};
