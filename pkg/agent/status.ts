/**
 * The status of a pod as Kubernetes defines it: a pure function of what was observed. It reports, and decides nothing: `planPod` decides.
 */
import type {
  Container,
  ContainerState,
  ContainerStateTerminated,
  ContainerStatus as ContainerStatusObject,
  Pod,
  PodCondition,
  PodStatus,
} from '#api/shapes/types/core-v1';
import { formatTime } from '#base/clock';
import { type DesiredPod, type Failure, mayRun, newestSandbox, type ObservedPod, restartTime } from './plan.ts';
import { ephemeralContainersOf, historyOf, identityOf, initContainersOf, isActive, isSidecar, qosClassOf, restartPolicyOf } from './pod.ts';
import type { ContainerStatus } from './runtime/runtime.ts';

export interface StatusInput {
  readonly observed: ObservedPod;
  readonly desired: DesiredPod;
  /** The node's own addresses, the primary one first. */
  readonly hostAddresses: readonly string[];
  /** By container id: what the container wrote to its termination message path, or the end of its log. */
  readonly terminationMessages: ReadonlyMap<string, string>;
  /** How the runtime is called in container ids: `containerd`. */
  readonly runtimeName: string;
  readonly now: number;
}

export function podStatus(input: StatusInput): PodStatus {
  const { observed, desired, hostAddresses } = input;
  const { pod } = desired;
  const init = initContainersOf(pod).map((container) => containerStatus(input, container, 'init'));
  const main = pod.spec.containers.map((container) => containerStatus(input, container, 'main'));
  const ephemeral = ephemeralContainersOf(pod).map((container) => containerStatus(input, container, 'ephemeral'));
  const phase = phaseOf(input, init, main);
  const addresses = addressesOf(input);
  const outcome = desired.outcome;
  return {
    phase,
    conditions: conditionsOf(input, phase, init, main),
    ...(outcome?.reason === undefined ? {} : { reason: outcome.reason }),
    ...(outcome?.message === undefined ? (phase === 'Pending' ? blockingMessage(observed) : {}) : { message: outcome.message }),
    ...(hostAddresses.length === 0 ? {} : { hostIP: hostAddresses[0]!, hostIPs: hostAddresses.slice(0, 2).map((ip) => ({ ip })) }),
    ...(addresses.length === 0 ? {} : { podIP: addresses[0]!, podIPs: addresses.map((ip) => ({ ip })) }),
    startTime: formatTime(desired.startTime),
    ...(init.length === 0 ? {} : { initContainerStatuses: init }),
    containerStatuses: main,
    ...(ephemeral.length === 0 ? {} : { ephemeralContainerStatuses: ephemeral }),
    qosClass: pod.status?.qosClass ?? qosClassOf(pod),
    ...(pod.metadata.generation === undefined ? {} : { observedGeneration: pod.metadata.generation }),
  };
}

/** Of a pod that cannot get on, why: there is no container to say it on. */
function blockingMessage(observed: ObservedPod): { message?: string } {
  if (observed.sandboxFailure !== undefined) return { message: observed.sandboxFailure.message };
  if (typeof observed.volumes === 'object') return { message: observed.volumes.message };
  return {};
}

function addressesOf({ observed, desired, hostAddresses }: StatusInput): readonly string[] {
  const sandbox = newestSandbox(observed.sandboxes);
  if (desired.pod.spec.hostNetwork === true) return sandbox === undefined ? [] : hostAddresses.slice(0, 1);
  // A pod that has ended keeps the address that it had, as far as it is known.
  return sandbox?.addresses.length ? sandbox.addresses : (reportedAddresses(desired.reported) ?? []);
}

function reportedAddresses(reported: PodStatus | undefined): readonly string[] | undefined {
  const ended = reported?.phase === 'Succeeded' || reported?.phase === 'Failed';
  return ended ? reported.podIPs?.map(({ ip }) => ip) : undefined;
}

type ContainerSort = 'init' | 'main' | 'ephemeral';

const statusField = { init: 'initContainerStatuses', main: 'containerStatuses', ephemeral: 'ephemeralContainerStatuses' } as const;

function containerStatus(input: StatusInput, container: Container, kind: ContainerSort): ContainerStatusObject {
  const { observed, desired } = input;
  const history = historyOf(observed.containers, container.name).filter((run) => run.state !== 'Created');
  const [newest, before] = history;
  const reported = desired.reported?.[statusField[kind]]?.find(({ name }) => name === container.name);
  const base = { name: container.name, image: container.image ?? '', restartCount: newest?.attempt ?? reported?.restartCount ?? 0 };
  if (newest === undefined) {
    const forgotten = desired.outcome !== undefined && reported?.state?.terminated !== undefined;
    return {
      ...base,
      imageID: reported?.imageID ?? '',
      state: forgotten ? { terminated: reported.state!.terminated! } : { waiting: waitingReason(input, container, kind) },
      lastState: {},
      ready: false,
      started: false,
    };
  }
  const probe = observed.probes.get(newest.id);
  const running = isActive(newest);
  const started = running && probe?.started === true;
  const ended = newest.state === 'Exited';
  const waiting = ended ? restartWait(input, container, newest, kind) : undefined;
  const state: ContainerState = running
    ? { running: newest.startedAt === undefined ? {} : { startedAt: formatTime(newest.startedAt) } }
    : waiting !== undefined
      ? { waiting }
      : { terminated: terminated(input, newest) };
  const last = waiting === undefined ? before : newest;
  const completedInit = kind === 'init' && !isSidecar(container) && ended && newest.exitCode === 0;
  return {
    ...base,
    imageID: newest.imageId,
    containerID: `${input.runtimeName}://${newest.id}`,
    state,
    lastState: last !== undefined && last.state === 'Exited' ? { terminated: terminated(input, last) } : {},
    ready: completedInit || (started && probe?.ready),
    started,
  };
}

function terminated(input: StatusInput, run: ContainerStatus): ContainerStateTerminated {
  const exitCode = run.exitCode ?? 255;
  const message = input.terminationMessages.get(run.id) ?? run.message;
  return {
    exitCode,
    reason: run.reason !== '' ? run.reason : exitCode === 0 ? 'Completed' : 'Error',
    ...(message === '' ? {} : { message }),
    ...(run.startedAt === undefined ? {} : { startedAt: formatTime(run.startedAt) }),
    ...(run.finishedAt === undefined ? {} : { finishedAt: formatTime(run.finishedAt) }),
    containerID: `${input.runtimeName}://${run.id}`,
  };
}

/** Why an ended container is waiting to run again; undefined: it is not, or it will at once. */
function restartWait(
  input: StatusInput,
  container: Container,
  ended: ContainerStatus,
  kind: ContainerSort,
): Failure | WaitingReason | undefined {
  const { observed, desired, now } = input;
  if (kind === 'ephemeral' || desired.outcome !== undefined || desired.termination !== undefined) return undefined;
  const again =
    kind === 'main' || isSidecar(container)
      ? mayRunAgain(desired.pod, container, ended)
      : ended.exitCode !== 0 && restartPolicyOf(desired.pod) !== 'Never';
  if (!again) return undefined;
  const failure = containerFailure(observed, container);
  if (failure !== undefined) return failure;
  const until = restartTime(ended);
  if (until <= now) return undefined;
  const seconds = Math.round((until - (ended.finishedAt ?? ended.createdAt)) / 1000);
  const length = seconds >= 300 ? '5m0s' : seconds >= 60 ? `${Math.floor(seconds / 60)}m${seconds % 60}s` : `${seconds}s`;
  const { namespace, name, uid } = identityOf(desired.pod);
  return {
    reason: 'CrashLoopBackOff',
    message: `back-off ${length} restarting failed container=${container.name} pod=${name}_${namespace}(${uid})`,
  };
}

function mayRunAgain(pod: Pod, container: Container, ended: ContainerStatus): boolean {
  return isSidecar(container) || mayRun(pod, ended);
}

interface WaitingReason {
  readonly reason: string;
  readonly message?: string;
}

function containerFailure(observed: ObservedPod, container: Container): WaitingReason | undefined {
  const image = observed.images.get(container.name);
  const failure = image?.state === 'Failed' ? image.failure : observed.failures.get(container.name);
  return failure === undefined ? undefined : { reason: failure.reason, message: failure.message };
}

function waitingReason(input: StatusInput, container: Container, kind: ContainerSort): WaitingReason {
  const { observed, desired } = input;
  const failure = containerFailure(observed, container);
  if (failure !== undefined) return failure;
  const image = observed.images.get(container.name);
  const pulling =
    image?.state === 'Pulling' && image.progress !== '' ? { message: `pulling image "${container.image}": ${image.progress}` } : {};
  const hasInit = initContainersOf(desired.pod).length > 0;
  return {
    ...pulling,
    reason: hasInit && (kind === 'init' || !initialized(input)) ? 'PodInitializing' : 'ContainerCreating',
  };
}

function initialized({ observed, desired }: StatusInput): boolean {
  return incompleteInit(observed, desired.pod).length === 0;
}

function incompleteInit(observed: ObservedPod, pod: Pod): readonly string[] {
  const sandbox = newestSandbox(observed.sandboxes);
  const begun = pod.spec.containers.some((container) =>
    observed.containers.some((run) => run.name === container.name && run.sandboxId === sandbox?.id && run.state !== 'Created'),
  );
  if (begun) return [];
  return initContainersOf(pod)
    .filter((container) => {
      const newest = historyOf(observed.containers, container.name)[0];
      if (newest === undefined) return true;
      if (isSidecar(container)) return !(isActive(newest) && observed.probes.get(newest.id)?.started === true);
      return !(newest.state === 'Exited' && newest.exitCode === 0);
    })
    .map((container) => container.name);
}

function phaseOf(input: StatusInput, init: readonly ContainerStatusObject[], main: readonly ContainerStatusObject[]): string {
  const { desired, observed } = input;
  const { pod, outcome } = desired;
  // A pod has ended when all of its containers have, those that were told to stop included.
  const active = observed.containers.some(isActive);
  if (outcome !== undefined) return active ? 'Running' : outcome.phase;
  if (observed.containers.length === 0) {
    // An ended pod whose containers are gone stays ended.
    const reported = desired.reported?.phase;
    if (reported === 'Succeeded' || reported === 'Failed') return reported;
  }
  if (!initialized(input)) {
    const failed = init.some(({ state }) => state?.terminated !== undefined && state.terminated.exitCode !== 0);
    return failed && restartPolicyOf(pod) === 'Never' ? 'Failed' : 'Pending';
  }
  const ended = main.filter(
    ({ state, lastState }) => state?.terminated !== undefined || (state?.waiting !== undefined && lastState?.terminated !== undefined),
  );
  const running = main.filter(({ state }) => state?.running !== undefined);
  if (running.length + ended.length < main.length) return 'Pending';
  if (running.length > 0) return 'Running';
  const final = desired.termination !== undefined || restartPolicyOf(pod) !== 'Always';
  const settled = pod.spec.containers.every((container) => !mayRun(pod, historyOf(observed.containers, container.name)[0]));
  if (active || !final || !(settled || desired.termination !== undefined)) return 'Running';
  return main.every(({ state }) => state?.terminated?.exitCode === 0) ? 'Succeeded' : 'Failed';
}

function conditionsOf(
  input: StatusInput,
  phase: string,
  init: readonly ContainerStatusObject[],
  main: readonly ContainerStatusObject[],
): PodCondition[] {
  const { observed, desired } = input;
  const { pod } = desired;
  const sandbox = newestSandbox(observed.sandboxes);
  const networked = sandbox?.state === 'Ready' && (pod.spec.hostNetwork === true || sandbox.addresses.length > 0);
  const sidecars = init.filter((status) =>
    initContainersOf(pod).some((container) => container.name === status.name && isSidecar(container)),
  );
  const unready = [...sidecars, ...main].filter(({ ready }) => !ready).map(({ name }) => name);
  const incomplete = incompleteInit(observed, pod);

  const initializedCondition =
    phase === 'Succeeded'
      ? { type: 'Initialized', status: 'True', reason: 'PodCompleted' }
      : incomplete.length === 0
        ? { type: 'Initialized', status: 'True' }
        : {
            type: 'Initialized',
            status: 'False',
            reason: 'ContainersNotInitialized',
            message: `containers with incomplete status: [${incomplete.join(' ')}]`,
          };

  const containersReady =
    phase === 'Succeeded' || phase === 'Failed'
      ? { status: 'False', reason: phase === 'Succeeded' ? 'PodCompleted' : 'PodFailed' }
      : unready.length === 0
        ? { status: 'True' }
        : { status: 'False', reason: 'ContainersNotReady', message: `containers with unready status: [${unready.join(' ')}]` };

  const gates = (pod.spec.readinessGates ?? []).map(({ conditionType }) => conditionType);
  const closed = gates.filter((gate) => pod.status?.conditions?.find(({ type }) => type === gate)?.status !== 'True');
  const ready =
    containersReady.status === 'True' && closed.length > 0
      ? {
          status: 'False',
          reason: 'ReadinessGatesNotReady',
          message: closed
            .map((gate) =>
              pod.status?.conditions?.some(({ type }) => type === gate)
                ? `the status of pod readiness gate "${gate}" is not "True", but ${pod.status.conditions.find(({ type }) => type === gate)?.status}`
                : `corresponding condition of pod readiness gate "${gate}" does not exist.`,
            )
            .join(', '),
        }
      : containersReady;

  const conditions: PodCondition[] = [
    { type: 'PodReadyToStartContainers', status: networked ? 'True' : 'False' },
    initializedCondition,
    { type: 'Ready', ...ready },
    { type: 'ContainersReady', ...containersReady },
    { type: 'PodScheduled', status: 'True' },
  ];
  return conditions.map((condition) => withTransition(condition, input));
}

function withTransition(condition: PodCondition, { desired, now }: StatusInput): PodCondition {
  const before =
    desired.reported?.conditions?.find(({ type }) => type === condition.type) ??
    desired.pod.status?.conditions?.find(({ type }) => type === condition.type);
  const time = before !== undefined && before.status === condition.status ? before.lastTransitionTime : undefined;
  return { ...condition, lastTransitionTime: time ?? formatTime(now) };
}
