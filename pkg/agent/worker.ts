/**
 * Keeps one pod as it should be: look, plan one step, report, carry it out, again. It sleeps until something happens (the runtime, an
 * assignment, a probe, a pull) or until the time that the plan named, and never polls. Ending it touches no container.
 */
import type { Container, Pod, PodStatus } from '#api/shapes/types/core-v1';
import { backoffDelay } from '#base/backoff';
import { messageOf } from '#base/errors';
import type { NodeContext } from './node-context.ts';
import { type DesiredPod, type ObservedPod, type Outcome, planPod, type Step } from './plan.ts';
import { allContainersOf, gracePeriodOf, identityOf, isActive } from './pod.ts';
import { readPodState, readReported, writePodState, writeReported, writeStartTime } from './pod-state.ts';
import { type ProbeKind, type Prober, startProber } from './probes/prober.ts';
import type { ContainerStatus } from './runtime/runtime.ts';
import { podStatus } from './status.ts';
import { carryOut, emptyMemory, refreshVolumes, type StepContext } from './steps.ts';
import { readTerminationMessage } from './termination-messages.ts';

export interface PodWorker {
  readonly uid: string;
  /** The newest form of the pod. */
  update(pod: Pod): void;
  /** The pod is no longer assigned: it is to go. */
  release(): void;
  /** The node cannot keep the pod: it ends as failed, with this message. Of a pod that has ended or is to go: nothing. */
  evict(message: string): void;
  /** An object that the pod uses has changed. */
  objectsChanged(): void;
  /** Something of the pod has changed in the runtime. */
  wake(): void;
  /** As it was last reported. */
  readonly status: PodStatus | undefined;
  /** Resolves when nothing of the pod is left (true), or when the signal aborts (false). Never rejects. */
  run(signal: AbortSignal): Promise<boolean>;
}

export function createPodWorker(pod: Pod, node: NodeContext): PodWorker {
  return new Worker(pod, node);
}

/** A step that failed in an unforeseen way (the runtime is away) is tried again after so long. */
const retry = { initial: 200, maximum: 10_000 };
/** Volumes that could not be brought up to date are tried again after so long. */
const refreshRetry = 30_000;
/** Seconds at most for a pod that the API has no more: whoever forced it away did not want to wait, and its successor may be running. */
const releaseGrace = 10;
/** Timers cannot count further than 24 days. */
const longestSleep = 24 * 3_600_000;

class Worker implements PodWorker {
  readonly uid: string;
  readonly #node: NodeContext;
  readonly #memory = emptyMemory();
  readonly #probers = new Map<string, Prober>();
  readonly #messages = new Map<string, string>();
  /** By container name, the id of the one whose back-off has been told. */
  readonly #backedOff = new Map<string, string>();
  readonly #changed = (): void => {
    // A pull has got on: what was `Pulling` is asked for again.
    for (const [name, image] of this.#memory.images) if (image.state === 'Pulling') this.#memory.images.delete(name);
    this.wake();
  };
  #pod: Pod;
  #startTime: number;
  #outcome: Outcome | undefined;
  #eviction: Outcome | undefined;
  #termination: { since: number; graceSeconds: number } | undefined;
  /** When volumes that follow objects are to be brought up to date. */
  #refreshAt = Number.POSITIVE_INFINITY;
  #reported = '';
  #lastStatus: PodStatus | undefined;
  #startMeasured = false;
  #step = new AbortController();
  #wakes = 0;
  #wakeUp: () => void = () => undefined;

  constructor(pod: Pod, node: NodeContext) {
    this.uid = identityOf(pod).uid;
    this.#node = node;
    this.#pod = pod;
    this.#startTime = node.clock.now();
    this.#lastStatus = pod.status?.phase === undefined ? undefined : pod.status;
    this.#takeTermination(pod);
  }

  get status(): PodStatus | undefined {
    return this.#lastStatus;
  }

  update(pod: Pod): void {
    this.#pod = pod;
    this.#refreshAt = 0;
    this.#takeTermination(pod);
    this.wake();
  }

  release(): void {
    if (this.#termination === undefined) this.#terminate(Math.min(gracePeriodOf(this.#pod), releaseGrace));
  }

  evict(message: string): void {
    if (this.#outcome !== undefined || this.#termination !== undefined || this.#eviction !== undefined) return;
    this.#eviction = { phase: 'Failed', reason: 'Evicted', message };
    this.#node.events.record({ pod: this.#pod }, 'Warning', 'Evicted', message);
    this.#step.abort();
    this.wake();
  }

  objectsChanged(): void {
    this.#refreshAt = 0;
    // Whatever was missing may be there now: no need to sit out a back-off.
    this.#memory.failures.clear();
    if (typeof this.#memory.volumes === 'object') this.#memory.volumes = 'Unmounted';
    this.wake();
  }

  wake(): void {
    this.#wakes++;
    this.#wakeUp();
  }

  async run(signal: AbortSignal): Promise<boolean> {
    const stop = (): void => {
      this.#step.abort();
      this.wake();
    };
    signal.addEventListener('abort', stop, { once: true });
    try {
      await this.#recall(signal);
      for (let failures = 0; !signal.aborted; ) {
        const seen = this.#wakes;
        try {
          const step = await this.#advance();
          failures = 0;
          if (step.type === 'Gone') return true;
          if (step.type === 'Wait') await this.#sleep(seen, Math.min(step.until ?? Number.POSITIVE_INFINITY, this.#nextRefresh));
        } catch (error) {
          if (signal.aborted) break;
          this.#node.log.warn('a step of a pod failed, trying again', { ...identityOf(this.#pod), error: messageOf(error) });
          await this.#sleep(seen, this.#node.clock.now() + backoffDelay(retry, failures++));
        }
      }
      return false;
    } finally {
      signal.removeEventListener('abort', stop);
      for (const prober of this.#probers.values()) prober.stop();
    }
  }

  /** What was known before the agent's restart: from its own disk, and otherwise from the API. */
  async #recall(signal: AbortSignal): Promise<void> {
    const { status } = this.#pod;
    const reported = status?.startTime === undefined ? Number.NaN : Date.parse(status.startTime);
    if (!Number.isNaN(reported)) this.#startTime = reported;
    if (status?.phase === 'Succeeded' || status?.phase === 'Failed') {
      const { phase, reason, message } = status;
      this.#outcome = { phase, ...(reason === undefined ? {} : { reason }), ...(message === undefined ? {} : { message }) };
    }
    for (let failures = 0; !signal.aborted; failures++) {
      try {
        const directory = this.#node.directories.pod(this.uid);
        const state = await readPodState(directory);
        if (state === undefined) {
          if (this.#termination === undefined) await writeStartTime(directory, this.#startTime);
        } else {
          this.#startTime = state.startTime;
          this.#outcome = state.outcome ?? this.#outcome;
          this.#lastStatus = (await readReported(directory)) ?? this.#lastStatus;
        }
        return;
      } catch (error) {
        this.#node.log.error("cannot read or write a pod's state, trying again", { ...identityOf(this.#pod), error: messageOf(error) });
        await this.#node.clock.sleep(backoffDelay(retry, failures), signal).catch(() => undefined);
      }
    }
  }

  get #nextRefresh(): number {
    return this.#memory.volumes === 'Mounted' ? this.#refreshAt : Number.POSITIVE_INFINITY;
  }

  /** One round: look, plan, report, act. */
  async #advance(): Promise<Step> {
    const { clock } = this.#node;
    if (this.#step.signal.aborted) this.#step = new AbortController();
    const context: StepContext = {
      pod: this.#pod,
      memory: this.#memory,
      node: this.#node,
      changed: this.#changed,
      signal: this.#step.signal,
    };
    if (this.#nextRefresh <= clock.now()) {
      this.#refreshAt = Number.POSITIVE_INFINITY;
      if (!(await refreshVolumes(context))) this.#refreshAt = clock.now() + refreshRetry;
    }
    const observed = await this.#observe();
    const desired = this.#desired();
    const eviction = desired.outcome === undefined && desired.termination === undefined ? this.#eviction : undefined;
    const step: Step = eviction === undefined ? planPod(observed, desired, clock.now()) : { type: 'Finish', outcome: eviction };
    if (step.type === 'Gone') {
      this.#report(this.#lastStatus ?? { phase: 'Failed' }, true);
      return step;
    }
    // Of a pod that is to go and of which nothing runs, all has been said.
    if (this.#termination === undefined || observed.containers.length > 0) await this.#publish(observed, desired);
    if (step.type === 'Wait') return step;
    if (step.type === 'Finish') {
      await writePodState(this.#node.directories.pod(this.uid), { startTime: this.#startTime, outcome: step.outcome });
      this.#outcome = step.outcome;
      return step;
    }
    this.#node.log.debug('step', { ...identityOf(this.#pod), step: step.type });
    try {
      await carryOut(step, context);
      this.#node.metrics.steps.inc({ step: step.type, result: 'done' });
    } catch (error) {
      this.#node.metrics.steps.inc({ step: step.type, result: 'failed' });
      throw error;
    }
    return step;
  }

  async #observe(): Promise<ObservedPod> {
    const { sandboxes, containers } = this.#node.view.pod(this.uid);
    this.#tendProbers(containers);
    await this.#readMessages(containers);
    const { volumes, images, failures, sandboxFailure, remains } = this.#memory;
    const probes = new Map([...this.#probers].map(([id, prober]) => [id, prober.state]));
    return { sandboxes, containers, volumes, images, failures, sandboxFailure, remains, probes };
  }

  #desired(): DesiredPod {
    return {
      pod: this.#pod,
      startTime: this.#startTime,
      outcome: this.#outcome,
      termination: this.#termination,
      reported: this.#lastStatus,
    };
  }

  /** A prober for each running container whose `postStart` is over; none for a pod that is to go. */
  #tendProbers(containers: readonly ContainerStatus[]): void {
    const ending = this.#termination !== undefined || this.#outcome !== undefined;
    for (const run of containers) {
      const spec = allContainersOf(this.#pod).find(({ name }) => name === run.name);
      if (run.state !== 'Running' || spec === undefined || this.#probers.has(run.id)) continue;
      if (ending || this.#memory.starting.has(run.id)) continue;
      this.#probers.set(run.id, this.#startProber(spec, run));
    }
    for (const [id, prober] of this.#probers) {
      const run = containers.find((container) => container.id === id);
      if (ending || this.#memory.stopping.has(id)) prober.stop();
      if (run === undefined || !isActive(run)) {
        prober.stop();
        this.#probers.delete(id);
      }
    }
  }

  #startProber(container: Container, run: ContainerStatus): Prober {
    const { clock, events, metrics, runtime } = this.#node;
    const sandbox = this.#node.view.pod(this.uid).sandboxes.find(({ id }) => id === run.sandboxId);
    const address = this.#pod.spec.hostNetwork === true ? this.#node.node.addresses()[0] : sandbox?.addresses[0];
    const reported = [...(this.#lastStatus?.containerStatuses ?? []), ...(this.#lastStatus?.initContainerStatuses ?? [])].find(
      ({ containerID }) => containerID?.endsWith(`//${run.id}`) === true,
    );
    return startProber({
      actions: this.#node.probeActions,
      target: { runtime, container, containerId: run.id, address: address ?? '' },
      clock,
      startedAt: run.startedAt ?? clock.now(),
      known: reported === undefined ? undefined : { started: reported.started === true, ready: reported.ready },
      onChange: () => this.wake(),
      onResult: (kind: ProbeKind, result) => {
        metrics.probes.inc({ probe_type: kind, result: result.success ? 'successful' : 'failed' });
        if (!result.success) {
          events.record({ pod: this.#pod, container: container.name }, 'Warning', 'Unhealthy', `${kind} probe failed: ${result.message}`);
        }
      },
    });
  }

  async #readMessages(containers: readonly ContainerStatus[]): Promise<void> {
    const { directories } = this.#node;
    for (const run of containers) {
      if (run.state !== 'Exited' || this.#messages.has(run.id)) continue;
      const spec = allContainersOf(this.#pod).find(({ name }) => name === run.name);
      if (spec === undefined) continue;
      const message = await readTerminationMessage(spec, run, { pod: directories.pod(this.uid), logs: directories.logs(this.#pod) });
      this.#messages.set(run.id, message === '' ? run.message : message);
    }
    for (const id of this.#messages.keys()) if (!containers.some((run) => run.id === id)) this.#messages.delete(id);
  }

  /** Once for each end of a container that is not followed by a start at once. */
  #tellOfBackOffs({ initContainerStatuses = [], containerStatuses = [] }: PodStatus): void {
    const { namespace, name, uid } = identityOf(this.#pod);
    for (const { name: container, containerID = '', state } of [...initContainerStatuses, ...containerStatuses]) {
      if (state?.waiting?.reason !== 'CrashLoopBackOff' || this.#backedOff.get(container) === containerID) continue;
      this.#backedOff.set(container, containerID);
      const message = `Back-off restarting failed container ${container} in pod ${name}_${namespace}(${uid})`;
      this.#node.events.record({ pod: this.#pod, container }, 'Warning', 'BackOff', message);
    }
  }

  async #publish(observed: ObservedPod, desired: DesiredPod): Promise<void> {
    const { clock, metrics, node } = this.#node;
    const status = podStatus({
      observed,
      desired,
      hostAddresses: node.addresses(),
      terminationMessages: this.#messages,
      runtimeName: node.runtimeName(),
      now: clock.now(),
    });
    if (!this.#startMeasured && status.phase === 'Running') {
      this.#startMeasured = true;
      const before = this.#lastStatus?.phase;
      if (before === undefined || before === 'Pending') metrics.podStartSeconds.observe((clock.now() - this.#startTime) / 1000);
    }
    this.#tellOfBackOffs(status);
    if (this.#report(status, false)) await writeReported(this.#node.directories.pod(this.uid), status).catch(() => undefined);
  }

  /** Whether it says anything new. */
  #report(status: PodStatus, stopped: boolean): boolean {
    const text = JSON.stringify([status, stopped]);
    if (text === this.#reported) return false;
    this.#reported = text;
    this.#lastStatus = status;
    this.#node.report({ ...identityOf(this.#pod), status, stopped });
    return true;
  }

  #takeTermination(pod: Pod): void {
    if (pod.metadata.deletionTimestamp === undefined) return;
    this.#terminate(pod.metadata.deletionGracePeriodSeconds ?? gracePeriodOf(pod));
  }

  #terminate(graceSeconds: number): void {
    const now = this.#node.clock.now();
    const before = this.#termination;
    if (before !== undefined && before.graceSeconds === graceSeconds) return;
    if (before !== undefined && before.since + before.graceSeconds * 1000 <= now + graceSeconds * 1000) return;
    this.#termination = { since: now, graceSeconds };
    this.#step.abort();
    this.wake();
  }

  async #sleep(seen: number, until: number): Promise<void> {
    await new Promise<void>((resolve) => {
      if (this.#wakes !== seen) {
        resolve();
        return;
      }
      const wait = Math.min(longestSleep, Math.max(1, until - this.#node.clock.now()));
      const timer = this.#node.clock.schedule(wait, resolve);
      this.#wakeUp = () => {
        timer.cancel();
        resolve();
      };
    });
    this.#wakeUp = () => undefined;
  }
}
