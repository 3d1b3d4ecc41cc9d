/**
 * Keeps the node's network as its assignments say: set up as soon as the cluster's ranges are known, then told of services, endpoints and the
 * pods that run here. What it cannot open becomes an event on the object that asked.
 */
import type { Pod, Service } from '#api/shapes/types/core-v1';
import type { EndpointSlice } from '#api/shapes/types/discovery-v1';
import { backoffDelay } from '#base/backoff';
import type { Clock } from '#base/clock';
import { messageOf } from '#base/errors';
import { aborted, type Runnable } from '#base/lifecycle';
import type { Logger } from '#base/logging';
import type { ClusterConfiguration } from '#rpc/generated/agent';
import type { PodEvents } from './events.ts';
import { type NetworkPod, type NetworkState, networkPodOf, type Problem } from './network/state.ts';
import { newestSandbox } from './plan.ts';
import { identityOf } from './pod.ts';
import type { RuntimeView } from './runtime-view.ts';
import type { Assignments } from './session/assignments.ts';

/** The network of one node, as the keeper uses it; made once its ranges are known. */
export interface Network {
  readonly dnsAddress: string;
  setup(): Promise<void>;
  apply(state: NetworkState): Promise<readonly Problem[]>;
  close(): Promise<void>;
}

export interface NetworkKeeperOptions {
  readonly create: (cluster: ClusterConfiguration, onProblems: (problems: readonly Problem[]) => void) => Network;
  readonly assignments: Assignments;
  readonly view: RuntimeView;
  readonly events: PodEvents;
  readonly clock: Clock;
  readonly log: Logger;
  /** Called when pods can be started that could not before, and when the reason why not is another. */
  readonly onChange: () => void;
}

export interface NetworkKeeper extends Runnable {
  /** What a server said of the cluster, or was kept on disk. */
  configure(cluster: ClusterConfiguration): void;
  readonly dnsServer: string | undefined;
  readonly domain: string;
  /** Resolves when it was first tried to set the network up, however that ended. */
  readonly settled: Promise<void>;
  /** Why pods with a network of their own cannot start; undefined: they can. */
  problem(): string | undefined;
}

const gather = 5;
const retry = { initial: 500, maximum: 30_000 };
const resources = ['services', 'endpointslices.discovery.k8s.io', 'pods'];

export function createNetworkKeeper(options: NetworkKeeperOptions): NetworkKeeper {
  return new Keeper(options);
}

class Keeper implements NetworkKeeper {
  readonly name = 'network';
  readonly #options: NetworkKeeperOptions;
  #cluster: ClusterConfiguration | undefined;
  #network: Network | undefined;
  #problem: string | undefined = 'the pod range of this node is not known yet: no server has been reached';
  #reported = new Set<string>();
  #dirty = true;
  #wake: () => void = () => undefined;
  #settle: () => void = () => undefined;
  readonly settled = new Promise<void>((resolve) => {
    this.#settle = resolve;
  });

  constructor(options: NetworkKeeperOptions) {
    this.#options = options;
  }

  get dnsServer(): string | undefined {
    return this.#network?.dnsAddress;
  }

  get domain(): string {
    return this.#cluster?.dnsDomain ?? 'cluster.local';
  }

  problem(): string | undefined {
    return this.#problem;
  }

  configure(cluster: ClusterConfiguration): void {
    if (cluster.podCidr === '') {
      this.#problem ??= undefined;
      if (this.#cluster === undefined) this.#problem = 'this node was given no pod range: the cluster range is used up';
      return;
    }
    const before = this.#cluster;
    if (before === undefined) this.#cluster = cluster;
    else if (before.podCidr !== cluster.podCidr) {
      this.#options.log.error('the pod range of this node has changed; it is taken up when the agent is started again', {
        has: before.podCidr,
        given: cluster.podCidr,
      });
    }
    this.#wake();
  }

  async run(signal: AbortSignal): Promise<void> {
    const { assignments, view, clock, log } = this.#options;
    const mark = (): void => {
      this.#dirty = true;
      this.#wake();
    };
    signal.addEventListener('abort', mark, { once: true });
    await Promise.race([view.synced, aborted(signal)]);
    view.onChange(mark);
    assignments.onChange((changed) => {
      if (changed.some(({ resource }) => resources.includes(resource))) mark();
    });
    for (let failures = 0; !signal.aborted; ) {
      try {
        if (this.#cluster !== undefined && this.#network === undefined) await this.#setUp(this.#cluster);
        // Before anything was assigned, the rules that an earlier agent left are better than none.
        if (this.#network !== undefined && this.#dirty && assignments.held.incarnation !== '') {
          this.#dirty = false;
          this.#report(await this.#network.apply(this.#state()));
        }
        failures = 0;
      } catch (error) {
        if (this.#network === undefined) this.#tell(`the network of this node cannot be set up: ${messageOf(error)}`);
        log.error('the network is not as it should be, trying again', { error: messageOf(error) });
        this.#dirty = true;
        await clock.sleep(backoffDelay(retry, failures++), signal).catch(() => undefined);
        continue;
      }
      await this.#sleep(signal);
      await clock.sleep(gather, signal).catch(() => undefined);
    }
    await this.#network?.close();
  }

  async #setUp(cluster: ClusterConfiguration): Promise<void> {
    const network = this.#options.create(cluster, (problems) => this.#report(problems));
    await network.setup();
    this.#network = network;
    this.#problem = undefined;
    this.#settle();
    this.#options.onChange();
  }

  #tell(problem: string): void {
    if (problem === this.#problem) return;
    this.#problem = problem;
    this.#settle();
    this.#options.onChange();
  }

  #state(): NetworkState {
    const { assignments, view } = this.#options;
    const pods = assignments.list('pods').flatMap((object): NetworkPod[] => {
      const pod = object as Pod;
      const sandbox = newestSandbox(view.pod(identityOf(pod).uid).sandboxes);
      return sandbox?.state === 'Ready' ? [networkPodOf(pod, sandbox.addresses)] : [];
    });
    return {
      services: assignments.list('services') as readonly Service[],
      endpointSlices: assignments.list('endpointslices.discovery.k8s.io') as readonly EndpointSlice[],
      pods,
    };
  }

  /** Each problem once, until it is gone and comes again. */
  #report(problems: readonly Problem[]): void {
    const { assignments, events } = this.#options;
    const now = new Set<string>();
    for (const problem of problems) {
      const { kind, namespace, name, protocol, port, reason } = problem;
      const key = JSON.stringify([kind, namespace, name, protocol, port, reason]);
      now.add(key);
      if (this.#reported.has(key)) continue;
      const uid = assignments.get(kind === 'Service' ? 'services' : 'pods', namespace, name)?.metadata.uid ?? '';
      const message = `port ${port}/${protocol} cannot be opened on this node: ${reason}`;
      events.recordObject({ apiVersion: 'v1', kind, namespace, name, uid }, 'Warning', 'PortUnavailable', message);
    }
    this.#reported = now;
  }

  async #sleep(signal: AbortSignal): Promise<void> {
    if (signal.aborted || this.#dirty || (this.#cluster !== undefined && this.#network === undefined)) return;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
    this.#wake = () => undefined;
  }
}
