/** What a Stack's status says of what there is: pure. Nothing is reported that was not observed, but for which template ran to its end. */
import type { StackPortStatus, StackServiceStatus, StackStatus } from '#api/shapes/types/compose-v1alpha1';
import type { ContainerStateTerminated, Pod } from '#api/shapes/types/core-v1';
import type { Condition } from '#api/shapes/types/meta-v1';
import { formatTime } from '#base/clock';
import { nodePortName } from '#compose/convert/names';
import { blockerOf } from './dependencies.ts';
import { type ObservedStack, previousStatus } from './observed.ts';
import type { Obstacles } from './plan.ts';
import type { ServiceView, SlotView } from './service-view.ts';

/**
 * `Waiting`: for other services. `Updating`: replicas of an older template are there. `Unhealthy`: it was well with this template, or its containers crash.
 * `Failed`: it ended and will not be started again. `Blocked`: it cannot start before someone changes something.
 */
export type ServiceState =
  | 'Waiting'
  | 'Starting'
  | 'Running'
  | 'Healthy'
  | 'Completed'
  | 'Updating'
  | 'Unhealthy'
  | 'Failed'
  | 'Blocked'
  | 'Stopped';

/** `Failed`: something ended in failure or is blocked, and stays so without a change. `Degraded`: a service is unhealthy. */
export type StackPhase = 'Progressing' | 'Healthy' | 'Completed' | 'Degraded' | 'Failed';

export function statusOf(observed: ObservedStack, views: ReadonlyMap<string, ServiceView>, obstacles: Obstacles): StackStatus {
  const services = [...views.values()].map((view) => serviceStatus(observed, view, views, obstacles));
  const phase = phaseOf(services);
  const troubled = services.find(({ state }) => state === 'Failed' || state === 'Blocked' || state === 'Unhealthy');
  const message = troubled === undefined ? '' : `${troubled.name}: ${troubled.message ?? troubled.state ?? ''}`;
  return withConditions(observed, { phase, services, observedGeneration: observed.stack.metadata.generation ?? 0 }, [
    { type: 'Accepted', status: 'True', reason: 'Accepted', message: '' },
    { type: 'Ready', status: phase === 'Healthy' || phase === 'Completed' ? 'True' : 'False', reason: phase, message },
  ]);
}

/** For a Stack whose spec cannot be understood: what runs goes on as it is. */
export function refusedStatus(observed: Pick<ObservedStack, 'stack' | 'now'>, message: string): StackStatus {
  const { services } = observed.stack.status ?? {};
  return withConditions(
    observed,
    { phase: 'Failed', ...(services === undefined ? {} : { services }), observedGeneration: observed.stack.metadata.generation ?? 0 },
    [
      { type: 'Accepted', status: 'False', reason: 'Invalid', message },
      { type: 'Ready', status: 'False', reason: 'Invalid', message },
    ],
  );
}

function serviceStatus(
  observed: ObservedStack,
  view: ServiceView,
  views: ReadonlyMap<string, ServiceView>,
  obstacles: Obstacles,
): StackServiceStatus {
  const { service } = view;
  const { name, template, replicas } = service;
  const before = previousStatus(observed.stack, name);
  const { state, message } = judge(observed, view, views, obstacles, before);
  const wanted = [...view.slots.values()].filter(({ slot }) => slot <= replicas).toSorted((left, right) => left.slot - right.slot);
  const endpoints = wanted.filter(({ state: podState }) => podState === 'Ready').flatMap(({ pod }) => pod.status?.podIP ?? []);
  return {
    name,
    state,
    desired: replicas,
    ready: view.ready,
    templateHash: template.hash,
    ...(view.completed
      ? { completed: replicas, finishedHash: template.hash }
      : view.completedCurrent > 0
        ? { completed: view.completedCurrent }
        : {}),
    ...(message === '' ? {} : { message }),
    ...(endpoints.length === 0 ? {} : { endpoints }),
    ...(service.ports.length === 0 ? {} : { ports: portsOf(observed, view) }),
  };
}

/** Ports with where they are open on nodes; those without one of their own have what the server gave them. */
function portsOf({ stack, services }: ObservedStack, { service }: ServiceView): StackPortStatus[] {
  const given = services.find(({ metadata }) => metadata.name === nodePortName(stack.metadata.name ?? '', service.name));
  return service.ports.map((port) => {
    if (port.published !== undefined) return port;
    const nodePort = given?.spec.ports?.find((one) => one.port === port.target && one.protocol === port.protocol)?.nodePort;
    return nodePort === undefined ? port : { ...port, published: nodePort };
  });
}

interface Judgement {
  readonly state: ServiceState;
  readonly message: string;
}

function judge(
  observed: ObservedStack,
  view: ServiceView,
  views: ReadonlyMap<string, ServiceView>,
  obstacles: Obstacles,
  before: StackServiceStatus | undefined,
): Judgement {
  const { service, slots } = view;
  const { replicas, hasHealth, template } = service;
  const obstacle = obstacles.get(service.name);
  if (obstacle !== undefined) return { state: 'Blocked', message: obstacle };
  if (replicas === 0) return { state: 'Stopped', message: '' };
  if (view.completed) return { state: 'Completed', message: '' };
  const failure = view.failed[0];
  if (failure !== undefined) return { state: 'Failed', message: `${failure.pod.metadata.name} ${endOf(failure.pod)}` };
  const wanted = [...slots.values()].filter(({ slot }) => slot <= replicas);
  const serving = wanted.filter(({ current, state }) => current && (state === 'Ready' || state === 'Completed')).length;
  if (serving === replicas) return { state: hasHealth ? 'Healthy' : 'Running', message: '' };
  const blocker = blockerOf(service, views);
  if (blocker !== undefined && (wanted.length < replicas || wanted.some(({ current }) => !current))) {
    return { state: blocker.failed ? 'Blocked' : 'Waiting', message: blocker.reason };
  }
  const trouble = wanted.map(troubleOf).find((text) => text !== '') ?? '';
  if (wanted.some(({ current }) => !current)) {
    const done = wanted.filter(({ current }) => current).length;
    return { state: 'Updating', message: trouble === '' ? `${done} of ${replicas} replicas are new` : trouble };
  }
  const wasWell = before?.templateHash === template.hash && ['Healthy', 'Running', 'Unhealthy'].includes(before.state ?? '');
  const crashed = wanted.some(({ pod }) => isCrashing(pod));
  if (crashed || (wasWell && wanted.length === replicas)) return { state: 'Unhealthy', message: trouble };
  return { state: 'Starting', message: observed.pods.length === 0 ? '' : trouble };
}

/** What keeps a replica from being ready, as its status says. */
function troubleOf({ pod, state }: SlotView): string {
  if (state === 'Ready' || state === 'Completed') return '';
  const name = pod.metadata.name ?? '';
  const unscheduled = pod.status?.conditions?.find(({ type, status }) => type === 'PodScheduled' && status === 'False');
  if (unscheduled !== undefined) return `${name} fits on no node: ${unscheduled.message ?? ''}`;
  for (const container of pod.status?.containerStatuses ?? []) {
    const { waiting } = container.state ?? {};
    if (waiting?.reason === 'CrashLoopBackOff') return `${name} ${endOf(pod)}, and is started again after a while`;
    if (waiting?.reason !== undefined && waiting.reason !== 'ContainerCreating' && waiting.reason !== 'PodInitializing') {
      return `${name}: ${waiting.reason}${waiting.message === undefined ? '' : `: ${waiting.message}`}`;
    }
  }
  // Before there are containers: no sandbox, or a volume that cannot be had.
  const { phase, message = '' } = pod.status ?? {};
  return phase === 'Pending' && message !== '' ? `${name}: ${message}` : '';
}

function isCrashing(pod: Pod): boolean {
  return (pod.status?.containerStatuses ?? []).some(({ state }) => state?.waiting?.reason === 'CrashLoopBackOff');
}

/** How its container ended last. */
function endOf(pod: Pod): string {
  const status = pod.status?.containerStatuses?.[0];
  const end = status?.state?.terminated ?? status?.lastState?.terminated;
  if (end === undefined) return pod.status?.message ?? 'failed';
  const restarts = status?.restartCount ?? 0;
  const why = reasonOf(end);
  return restarts === 0 ? why : `${why} (${restarts} ${restarts === 1 ? 'restart' : 'restarts'})`;
}

function reasonOf({ reason, message = '', exitCode }: ContainerStateTerminated): string {
  if (reason === 'OOMKilled') return 'ran out of memory';
  if (reason === 'StartError' && message !== '') return `could not be started: ${message}`;
  return `ended with exit code ${exitCode}`;
}

function phaseOf(services: readonly StackServiceStatus[]): StackPhase {
  const states = services.map(({ state }) => state as ServiceState);
  if (states.some((state) => state === 'Failed' || state === 'Blocked')) return 'Failed';
  if (states.some((state) => state === 'Unhealthy')) return 'Degraded';
  if (states.some((state) => state === 'Waiting' || state === 'Starting' || state === 'Updating')) return 'Progressing';
  return states.length > 0 && states.every((state) => state === 'Completed') ? 'Completed' : 'Healthy';
}

/** Times of transition stay as long as the status of the condition does. */
function withConditions(
  { stack, now }: Pick<ObservedStack, 'stack' | 'now'>,
  status: Omit<StackStatus, 'conditions'>,
  conditions: readonly Pick<Condition, 'type' | 'status' | 'reason' | 'message'>[],
): StackStatus {
  const before = stack.status?.conditions ?? [];
  return {
    ...status,
    conditions: conditions.map((condition) => {
      const same = before.find(({ type }) => type === condition.type);
      const lastTransitionTime = same?.status === condition.status ? same.lastTransitionTime : formatTime(now);
      return { ...condition, lastTransitionTime, observedGeneration: stack.metadata.generation ?? 0 };
    }),
  };
}
