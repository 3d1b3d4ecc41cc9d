/**
 * Probes one running container for as long as it runs: startup first, then readiness and liveness, each on its own period. It restarts
 * nothing: its state says what was found, and the plan decides.
 */
import type { Probe } from '#api/shapes/types/core-v1';
import type { Clock } from '#base/clock';
import type { ProbeState } from '../plan.ts';
import type { ProbeAction, ProbeResult, ProbeTarget } from './probe-action.ts';

export type ProbeKind = 'Startup' | 'Readiness' | 'Liveness';

export interface ProberOptions {
  readonly actions: readonly ProbeAction[];
  readonly target: ProbeTarget;
  readonly clock: Clock;
  /** When the container started, milliseconds since 1970. */
  readonly startedAt: number;
  /** What was known of this very container before the agent restarted: it is taken up, so that a restart takes nobody out of service. */
  readonly known: { readonly started: boolean; readonly ready: boolean } | undefined;
  readonly onChange: () => void;
  readonly onResult: (kind: ProbeKind, result: ProbeResult) => void;
}

export interface Prober {
  readonly state: ProbeState;
  /** No more probes; the state stays. */
  stop(): void;
}

export function startProber(options: ProberOptions): Prober {
  return new ContainerProber(options);
}

class ContainerProber implements Prober {
  readonly #options: ProberOptions;
  readonly #timers = new Map<ProbeKind, { cancel(): void }>();
  #stopped = false;
  #state: ProbeState;

  constructor(options: ProberOptions) {
    this.#options = options;
    const { startupProbe, readinessProbe } = options.target.container;
    const started = startupProbe === undefined || options.known?.started === true;
    const ready = started && (readinessProbe === undefined || options.known?.ready === true);
    this.#state = { started, ready, fatal: undefined };
    if (!started && startupProbe !== undefined) this.#begin('Startup', startupProbe, 0, 0);
    else this.#beginOthers();
  }

  get state(): ProbeState {
    return this.#state;
  }

  stop(): void {
    this.#stopped = true;
    for (const timer of this.#timers.values()) timer.cancel();
  }

  #beginOthers(): void {
    const { readinessProbe, livenessProbe } = this.#options.target.container;
    if (readinessProbe !== undefined) this.#begin('Readiness', readinessProbe, 0, 0);
    if (livenessProbe !== undefined) this.#begin('Liveness', livenessProbe, 0, 0);
  }

  /** The first after the initial delay, counted from the container's start. */
  #begin(kind: ProbeKind, probe: Probe, successes: number, failures: number): void {
    const { clock, startedAt } = this.#options;
    const first = startedAt + (probe.initialDelaySeconds ?? 0) * 1000 - clock.now();
    this.#schedule(kind, probe, Math.max(0, first), successes, failures);
  }

  #schedule(kind: ProbeKind, probe: Probe, delay: number, successes: number, failures: number): void {
    if (this.#stopped) return;
    const timer = this.#options.clock.schedule(delay, () => void this.#probe(kind, probe, successes, failures));
    this.#timers.set(kind, timer);
  }

  async #probe(kind: ProbeKind, probe: Probe, successes: number, failures: number): Promise<void> {
    const begun = this.#options.clock.monotonic();
    const result = await this.#run(probe);
    if (this.#stopped) return;
    if (result === undefined) {
      this.#schedule(kind, probe, (probe.periodSeconds ?? 10) * 1000, successes, failures);
      return;
    }
    this.#options.onResult(kind, result);
    const counts = result.success ? { successes: successes + 1, failures: 0 } : { successes: 0, failures: failures + 1 };
    if (this.#settle(kind, probe, counts)) return;
    const spent = this.#options.clock.monotonic() - begun;
    this.#schedule(kind, probe, Math.max(0, (probe.periodSeconds ?? 10) * 1000 - spent), counts.successes, counts.failures);
  }

  /** Undefined: the container could not be asked. */
  async #run(probe: Probe): Promise<ProbeResult | undefined> {
    const { actions, target } = this.#options;
    const action = actions.find(({ name }) => probe[name] !== undefined);
    if (action === undefined) return { success: false, message: 'the probe names no action' };
    try {
      return await action.run(probe, target, (probe.timeoutSeconds ?? 1) * 1000);
    } catch {
      return undefined;
    }
  }

  /** Takes a result in; true: this probe has come to its end. */
  #settle(kind: ProbeKind, probe: Probe, counts: { successes: number; failures: number }): boolean {
    const succeeded = counts.successes >= (kind === 'Readiness' ? (probe.successThreshold ?? 1) : 1);
    const failed = counts.failures >= (probe.failureThreshold ?? 3);
    switch (kind) {
      case 'Startup':
        if (succeeded) {
          this.#change({ ...this.#state, started: true, ready: this.#options.target.container.readinessProbe === undefined });
          this.#beginOthers();
          return true;
        }
        return failed && this.#die(kind, probe);
      case 'Liveness':
        return failed && this.#die(kind, probe);
      case 'Readiness':
        if (succeeded && !this.#state.ready) this.#change({ ...this.#state, ready: true });
        if (failed && this.#state.ready) this.#change({ ...this.#state, ready: false });
        return false;
    }
  }

  #die(kind: ProbeKind, probe: Probe): true {
    const { name } = this.#options.target.container;
    this.#change({
      ...this.#state,
      fatal: {
        message: `Container ${name} failed ${kind.toLowerCase()} probe, will be restarted`,
        graceSeconds: probe.terminationGracePeriodSeconds,
      },
    });
    return true;
  }

  #change(state: ProbeState): void {
    this.#state = state;
    this.#options.onChange();
  }
}
