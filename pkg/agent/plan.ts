/**
 * What to do next for one pod: a pure function of what is there and what is wanted. It gives one step at a time; the worker carries it out, looks
 * again and asks again. So it is right after any crash, and whatever the agent, the runtime or the machine did in between: nothing is remembered here.
 * What is running and still wanted is left alone, whoever started it.
 */
import type { Container, Pod, PodStatus } from '#api/shapes/types/core-v1';
import {
  allContainersOf,
  annotation,
  containerHash,
  ephemeralContainersOf,
  gracePeriodOf,
  historyOf,
  initContainersOf,
  isActive,
  isSidecar,
  maxRestartsOf,
  restartPolicyOf,
} from './pod.ts';
import type { ContainerStatus, SandboxStatus } from './runtime/runtime.ts';

/** Something that failed and is tried again at `retryAt` (milliseconds since 1970). */
export interface Failure {
  /** As in a container's waiting state: `CreateContainerConfigError`, `ImagePullBackOff`, … */
  readonly reason: string;
  readonly message: string;
  readonly retryAt: number;
}

export type ImageState =
  | { readonly state: 'Present'; readonly id: string }
  /** `progress` is for people; empty while nothing is known. */
  | { readonly state: 'Pulling'; readonly progress: string }
  | { readonly state: 'Failed'; readonly failure: Failure };

export interface ProbeState {
  /** The startup probe has succeeded, or there is none. */
  readonly started: boolean;
  readonly ready: boolean;
  /** Liveness or startup has failed for good: the container is to be restarted. */
  readonly fatal: { readonly message: string; readonly graceSeconds: number | undefined } | undefined;
}

export interface ObservedPod {
  /** All that are left, in any order. */
  readonly sandboxes: readonly SandboxStatus[];
  /** All that are left, of any sandbox, in any order. */
  readonly containers: readonly ContainerStatus[];
  readonly volumes: 'Unmounted' | 'Mounted' | Failure;
  /** By container name; absent: not looked for yet. */
  readonly images: ReadonlyMap<string, ImageState>;
  /** By container id. */
  readonly probes: ReadonlyMap<string, ProbeState>;
  /** Why a container could not be made or started, by container name. */
  readonly failures: ReadonlyMap<string, Failure>;
  readonly sandboxFailure: Failure | undefined;
  /** Whether anything of the pod is left on the node beside sandboxes and containers: folders, mounts, cgroup. */
  readonly remains: boolean;
}

export interface Outcome {
  readonly phase: 'Succeeded' | 'Failed';
  readonly reason?: string;
  readonly message?: string;
}

export interface DesiredPod {
  readonly pod: Pod;
  /** When the node took the pod on, milliseconds since 1970. */
  readonly startTime: number;
  /** The pod has ended, and stays so. */
  readonly outcome: Outcome | undefined;
  /** The pod is to go; `since` is when the node learned of it. */
  readonly termination: { readonly since: number; readonly graceSeconds: number } | undefined;
  /** The status as it was last reported, also by an agent before this one: what the runtime has forgotten counts on from it. */
  readonly reported: PodStatus | undefined;
}

export interface StopTarget {
  readonly id: string;
  readonly name: string;
  readonly graceSeconds: number;
}

export type Step =
  /** Folders, cgroup and volumes. */
  | { readonly type: 'SetUp' }
  | { readonly type: 'RunSandbox'; readonly attempt: number }
  /** Stops them with all that runs in them. */
  | { readonly type: 'StopSandboxes'; readonly ids: readonly string[] }
  /** Removes what has ended; of containers, their logs too. */
  | { readonly type: 'Remove'; readonly containers: readonly string[]; readonly sandboxes: readonly string[] }
  | { readonly type: 'EnsureImage'; readonly container: Container }
  | {
      readonly type: 'StartContainer';
      readonly container: Container;
      readonly attempt: number;
      /** For the annotation. */
      readonly backoffMilliseconds: number;
      readonly sandboxId: string;
      readonly image: string;
    }
  | { readonly type: 'StopContainers'; readonly targets: readonly StopTarget[]; readonly message: string }
  | { readonly type: 'Finish'; readonly outcome: Outcome }
  /** The pod has ended but its object stays: gives back the network and the volumes, keeps the logs. */
  | { readonly type: 'Release'; readonly sandboxes: readonly string[] }
  /** Removes everything; then the pod is gone. */
  | { readonly type: 'TearDown' }
  | { readonly type: 'Gone' }
  /** Nothing to do before `until` (undefined: before something happens). */
  | { readonly type: 'Wait'; readonly until: number | undefined };

export const restartBackoff = { initial: 10_000, maximum: 300_000, resetAfter: 600_000 } as const;

export function planPod(observed: ObservedPod, desired: DesiredPod, now: number): Step {
  const { pod } = desired;
  if (desired.termination !== undefined) return planTermination(observed, pod, desired.termination, now);
  if (desired.outcome !== undefined) return planFinished(observed, pod);
  const deadline = deadlineOf(desired);
  if (deadline !== undefined && now >= deadline) {
    return {
      type: 'Finish',
      outcome: { phase: 'Failed', reason: 'DeadlineExceeded', message: 'Pod was active on the node longer than the specified deadline' },
    };
  }
  return withDeadline(planRunning(observed, desired, now), deadline);
}

function planTermination(observed: ObservedPod, pod: Pod, termination: { since: number; graceSeconds: number }, now: number): Step {
  const left = Math.max(0, Math.ceil((termination.since + termination.graceSeconds * 1000 - now) / 1000));
  const stop = stopAll(observed, pod, left);
  if (stop !== undefined) return stop;
  const anything = observed.sandboxes.length > 0 || observed.containers.length > 0 || observed.remains;
  return anything ? { type: 'TearDown' } : { type: 'Gone' };
}

/** The containers first, all at once; then the sidecars, the last begun first. */
function stopAll(observed: ObservedPod, pod: Pod, graceSeconds: number): Step | undefined {
  const active = observed.containers.filter(isActive);
  if (active.length === 0) return undefined;
  const sidecars = initContainersOf(pod).filter(isSidecar);
  const main = active.filter((container) => !sidecars.some((sidecar) => sidecar.name === container.name));
  const last = sidecars.findLast((sidecar) => active.some((container) => container.name === sidecar.name));
  const targets = main.length > 0 ? main : active.filter((container) => container.name === last?.name);
  return {
    type: 'StopContainers',
    targets: targets.map(({ id, name }) => ({ id, name, graceSeconds })),
    message: '',
  };
}

function planFinished(observed: ObservedPod, pod: Pod): Step {
  const stop = stopAll(observed, pod, gracePeriodOf(pod));
  if (stop !== undefined) return stop;
  const ready = observed.sandboxes.filter((sandbox) => sandbox.state === 'Ready').map((sandbox) => sandbox.id);
  if (ready.length > 0 || observed.volumes === 'Mounted') return { type: 'Release', sandboxes: ready };
  return { type: 'Wait', until: undefined };
}

function planRunning(observed: ObservedPod, desired: DesiredPod, now: number): Step {
  const { pod } = desired;
  const sandbox = newestSandbox(observed.sandboxes);
  const sweep = planRemovals(observed, pod, sandbox);
  if (sweep !== undefined) return sweep;
  if (sandbox === undefined || sandbox.state !== 'Ready') {
    const lost = planLostSandbox(observed, desired, sandbox);
    if (lost !== undefined) return lost;
  }
  if (observed.volumes !== 'Mounted') {
    if (observed.volumes !== 'Unmounted' && observed.volumes.retryAt > now) return { type: 'Wait', until: observed.volumes.retryAt };
    return { type: 'SetUp' };
  }
  if (sandbox === undefined || sandbox.state !== 'Ready') {
    const failure = observed.sandboxFailure;
    if (failure !== undefined && failure.retryAt > now) return { type: 'Wait', until: failure.retryAt };
    return { type: 'RunSandbox', attempt: sandbox === undefined ? 0 : sandbox.attempt + 1 };
  }
  return planContainers(observed, desired, sandbox, now);
}

/** A pod without a living sandbox: what still runs in the old one is stopped; a pod whose containers are all done has ended. */
function planLostSandbox(observed: ObservedPod, desired: DesiredPod, sandbox: SandboxStatus | undefined): Step | undefined {
  const { pod } = desired;
  const orphans = observed.containers.filter(isActive);
  if (orphans.length > 0) {
    if (sandbox !== undefined) return { type: 'StopSandboxes', ids: [...new Set(orphans.map((container) => container.sandboxId))] };
    return {
      type: 'StopContainers',
      targets: orphans.map(({ id, name }) => ({ id, name, graceSeconds: 0 })),
      message: 'its sandbox is gone',
    };
  }
  const wanted = pod.spec.containers.filter((container) => mayRun(pod, historyOf(observed.containers, container.name)[0]));
  if (wanted.length === 0) return { type: 'Finish', outcome: outcomeOf(observed, pod) };
  if (restartPolicyOf(pod) === 'Never' && observed.containers.some((container) => container.state === 'Exited')) {
    return {
      type: 'Finish',
      outcome: { phase: 'Failed', reason: 'SandboxLost', message: 'The sandbox of the pod ended, and its restart policy is Never' },
    };
  }
  return undefined;
}

function planContainers(observed: ObservedPod, desired: DesiredPod, sandbox: SandboxStatus, now: number): Step {
  const { pod } = desired;
  const policy = restartPolicyOf(pod);
  const current = (name: string): ContainerStatus | undefined =>
    historyOf(observed.containers, name).find((container) => container.sandboxId === sandbox.id);

  for (const container of allContainersOf(pod)) {
    const running = current(container.name);
    if (running === undefined || !isActive(running)) continue;
    const stop = reasonToStop(observed, pod, container, running);
    if (stop !== undefined) return stop;
  }

  let until: number | undefined;
  const consider = (container: Container): Step | undefined => {
    const step = planStart(observed, desired, container, sandbox, now);
    if (step.type !== 'Wait') return step;
    until = earliest(until, step.until);
    return undefined;
  };

  const mainBegun = pod.spec.containers.some((container) => current(container.name) !== undefined);
  for (const container of initContainersOf(pod)) {
    const present = current(container.name);
    if (isSidecar(container)) {
      if (present !== undefined && isActive(present)) {
        if (mainBegun || observed.probes.get(present.id)?.started === true) continue;
        return { type: 'Wait', until };
      }
      if (mainBegun && everyMainIsDone(observed, pod)) continue;
      const step = consider(container);
      if (step !== undefined) return step;
      if (!mainBegun) return { type: 'Wait', until };
      continue;
    }
    if (mainBegun) continue;
    if (present === undefined || present.state === 'Exited') {
      if (present?.exitCode === 0) continue;
      if (present !== undefined && (policy === 'Never' || present.attempt >= maxRestartsOf(pod))) {
        const running = observed.containers.some(isActive);
        if (running) return stopAll(observed, pod, gracePeriodOf(pod)) ?? { type: 'Wait', until };
        return { type: 'Finish', outcome: { phase: 'Failed' } };
      }
      const step = consider(container);
      if (step !== undefined) return step;
    }
    return { type: 'Wait', until };
  }

  for (const container of pod.spec.containers) {
    const present = current(container.name);
    if (present !== undefined && isActive(present)) continue;
    if (!mayRun(pod, historyOf(observed.containers, container.name)[0])) continue;
    const step = consider(container);
    if (step !== undefined) return step;
  }

  for (const container of ephemeralContainersOf(pod)) {
    if (hasBegun(observed, desired.reported, container.name)) continue;
    const target = container.targetContainerName ?? '';
    if (target !== '' && current(target)?.state !== 'Running') continue;
    const step = consider(container);
    if (step !== undefined) return step;
  }

  if (everyMainIsDone(observed, pod)) {
    const stop = stopAll(observed, pod, gracePeriodOf(pod));
    return stop ?? { type: 'Finish', outcome: outcomeOf(observed, pod) };
  }
  return { type: 'Wait', until };
}

function reasonToStop(observed: ObservedPod, pod: Pod, container: Container, running: ContainerStatus): Step | undefined {
  const target = (graceSeconds: number): readonly StopTarget[] => [{ id: running.id, name: running.name, graceSeconds }];
  if (running.state === 'Unknown') {
    return { type: 'StopContainers', targets: target(gracePeriodOf(pod)), message: `Container ${container.name} is in an unknown state` };
  }
  if (running.annotations[annotation.hash] !== containerHash(container)) {
    return {
      type: 'StopContainers',
      targets: target(gracePeriodOf(pod)),
      message: `Container ${container.name} definition changed, will be restarted`,
    };
  }
  const fatal = observed.probes.get(running.id)?.fatal;
  if (fatal !== undefined) {
    return { type: 'StopContainers', targets: target(fatal.graceSeconds ?? gracePeriodOf(pod)), message: fatal.message };
  }
  return undefined;
}

/** Image, then back-off, then start; `Wait` when it is none of these now. */
function planStart(observed: ObservedPod, desired: DesiredPod, container: Container, sandbox: SandboxStatus, now: number): Step {
  const last = historyOf(observed.containers, container.name)[0];
  const resume = last === undefined ? undefined : restartTime(last);
  if (resume !== undefined && resume > now) return { type: 'Wait', until: resume };
  const failure = observed.failures.get(container.name);
  if (failure !== undefined && failure.retryAt > now) return { type: 'Wait', until: failure.retryAt };
  const image = observed.images.get(container.name);
  if (image?.state === 'Pulling') return { type: 'Wait', until: undefined };
  if (image?.state === 'Failed' && image.failure.retryAt > now) return { type: 'Wait', until: finite(image.failure.retryAt) };
  if (image?.state !== 'Present') return { type: 'EnsureImage', container };
  const known = knownRestarts(desired.reported, container.name);
  return {
    type: 'StartContainer',
    container,
    attempt: last !== undefined ? last.attempt + 1 : known !== undefined ? known + 1 : 0,
    backoffMilliseconds: last === undefined ? 0 : nextBackoff(last),
    sandboxId: sandbox.id,
    image: image.id,
  };
}

/** Whether an ephemeral container was started before, in this sandbox or another. */
function hasBegun(observed: ObservedPod, reported: PodStatus | undefined, name: string): boolean {
  if (historyOf(observed.containers, name).some(({ state }) => state !== 'Created')) return true;
  return (reported?.ephemeralContainerStatuses ?? []).some((status) => status.name === name && (status.containerID ?? '') !== '');
}

/** Undefined for a container that never began. */
function knownRestarts(reported: PodStatus | undefined, name: string): number | undefined {
  const found = [...(reported?.initContainerStatuses ?? []), ...(reported?.containerStatuses ?? [])].find((status) => status.name === name);
  return found?.containerID === undefined || found.containerID === '' ? undefined : found.restartCount;
}

/** When the successor of an ended container may start, milliseconds since 1970. */
export function restartTime(ended: ContainerStatus): number {
  return (ended.finishedAt ?? ended.createdAt) + effectiveBackoff(ended);
}

/** The first end is followed by a restart at once; then 10 s, 20 s, … 5 min. Ten minutes of running begin anew. */
function effectiveBackoff(ended: ContainerStatus): number {
  const ran = (ended.finishedAt ?? ended.createdAt) - (ended.startedAt ?? ended.createdAt);
  return ran >= restartBackoff.resetAfter ? 0 : annotatedBackoff(ended);
}

function nextBackoff(ended: ContainerStatus): number {
  const before = effectiveBackoff(ended);
  return before === 0 ? restartBackoff.initial : Math.min(restartBackoff.maximum, before * 2);
}

function annotatedBackoff(container: ContainerStatus): number {
  const value = Number(container.annotations[annotation.backoff] ?? 0);
  return Number.isFinite(value) ? Math.min(restartBackoff.maximum, Math.max(0, value)) : 0;
}

/** Whether the policy lets a container run (again), given its newest run. */
export function mayRun(pod: Pod, last: ContainerStatus | undefined): boolean {
  if (last === undefined || last.state !== 'Exited') return true;
  switch (restartPolicyOf(pod)) {
    case 'Always':
      return true;
    case 'Never':
      return false;
    case 'OnFailure':
      return last.exitCode !== 0 && last.attempt < maxRestartsOf(pod);
  }
}

function everyMainIsDone(observed: ObservedPod, pod: Pod): boolean {
  return pod.spec.containers.every((container) => {
    const last = historyOf(observed.containers, container.name)[0];
    return last?.state === 'Exited' && !mayRun(pod, last);
  });
}

function outcomeOf(observed: ObservedPod, pod: Pod): Outcome {
  const clean = pod.spec.containers.every((container) => historyOf(observed.containers, container.name)[0]?.exitCode === 0);
  return { phase: clean ? 'Succeeded' : 'Failed' };
}

/**
 * Of each container the newest and the one before are kept (for the last state and the previous log), the others go; so does what was made and never
 * started, and an old sandbox with nothing left in it.
 */
function planRemovals(observed: ObservedPod, pod: Pod, newest: SandboxStatus | undefined): Step | undefined {
  const containers: string[] = [];
  for (const { name } of [...allContainersOf(pod), ...ephemeralContainersOf(pod)]) {
    const history = historyOf(observed.containers, name);
    const unstarted = history.filter((container) => container.state === 'Created');
    const begun = history.filter((container) => container.state !== 'Created');
    for (const container of [...unstarted, ...begun.slice(2).filter((old) => old.state === 'Exited')]) containers.push(container.id);
  }
  const sandboxes = observed.sandboxes
    .filter((sandbox) => sandbox !== newest && !observed.containers.some((container) => container.sandboxId === sandbox.id))
    .map((sandbox) => sandbox.id);
  return containers.length + sandboxes.length === 0 ? undefined : { type: 'Remove', containers, sandboxes };
}

export function newestSandbox(sandboxes: readonly SandboxStatus[]): SandboxStatus | undefined {
  return sandboxes.reduce<SandboxStatus | undefined>(
    (newest, sandbox) => (newest === undefined || sandbox.attempt > newest.attempt ? sandbox : newest),
    undefined,
  );
}

function deadlineOf(desired: DesiredPod): number | undefined {
  const seconds = desired.pod.spec.activeDeadlineSeconds;
  return seconds === undefined ? undefined : desired.startTime + seconds * 1000;
}

function withDeadline(step: Step, deadline: number | undefined): Step {
  return step.type === 'Wait' && deadline !== undefined ? { type: 'Wait', until: earliest(step.until, deadline) } : step;
}

function earliest(a: number | undefined, b: number | undefined): number | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return Math.min(a, b);
}

function finite(time: number): number | undefined {
  return Number.isFinite(time) ? time : undefined;
}
