/** The parts that speak to the API from within: scheduler, controllers, dispatcher; each as its own user. */
import type { Registry } from 'prom-client';
import type { KindRegistry } from '#api/registry';
import type { KeyPair, Pki } from '#apiserver/auth/pki';
import type { Clock } from '#base/clock';
import { StatusError } from '#base/errors';
import { type Runnable, runAll } from '#base/lifecycle';
import type { Logger } from '#base/logging';
import type { Client } from '#client/client';
import { InformerSet } from '#client/informer-set';
import type { NodeConnector } from '#client/node-connector';
import { createWorkQueueMetrics } from '#client/workqueue-metrics';
import { createControllers } from '#controllers/index';
import type { Peers } from '#dispatcher/peers';
import { createScheduler } from '#scheduler/scheduler';
import { createSchedulerMetrics } from '#scheduler/scheduler-metrics';
import type { Compare } from '#storage/backend';

export interface ServerComponents {
  readonly scheduler: Runnable;
  readonly controllers: Runnable;
  readonly dispatcher: Runnable;
}

export interface ComponentsOptions {
  readonly enabled: Partial<Record<keyof ServerComponents, boolean>>;
  readonly pki: Pki;
  /** With a fence, writes are refused once it does not hold any more. */
  clientFor(user: string, fence?: Compare): Client;
  /** Where other servers may be over the same store: runs the work of one Lease while this server holds it. */
  readonly lead?: (lease: string, work: (signal: AbortSignal, fence: Compare) => Promise<void>) => Runnable;
  readonly clock: Clock;
  readonly log: Logger;
  readonly registry: Registry;
  readonly kinds: KindRegistry;
  readonly host: string | undefined;
  readonly agentPort: number;
  readonly clusterCidr: string;
  readonly serviceCidr: string;
  readonly domain: string;
  /** Other servers over the same store; undefined where there can be none. */
  readonly peers: Peers | undefined;
  /** Of the store. */
  readonly incarnation: string;
  /** Its newest revision when it was opened. */
  readonly openedAt: number;
}

export interface Components {
  readonly parts: readonly Runnable[];
  readonly connector: NodeConnector;
  /** Opens the agents' port, if there is one, and gives it. */
  listen(): Promise<number | undefined>;
  /** Closes the agents' port, where the parts are not run after all. */
  abandon(): void;
  /** Shows another certificate to agents that connect from now on. */
  setCertificate(pair: KeyPair): void;
}

export async function createComponents(options: ComponentsOptions): Promise<Components> {
  const { enabled, clock, log, registry, kinds, lead } = options;
  const parts: Runnable[] = [];
  // Each has informers of its own, as it would in a process of its own; the objects in them are the same.
  const informersFor = (client: Client, running: Runnable[]): InformerSet => {
    const informers = new InformerSet(client, { clock, log });
    running.push(informers);
    return informers;
  };
  /** Parts that act for the whole cluster, and so on one server at a time; made anew whenever this one begins to lead. */
  const addLed = (lease: string, create: (clientFor: (user: string) => Client, running: Runnable[]) => void): void => {
    if (lead === undefined) create((user) => options.clientFor(user), parts);
    else {
      const work = async (signal: AbortSignal, fence: Compare): Promise<void> => {
        const running: Runnable[] = [];
        create((user) => options.clientFor(user, fence), running);
        await runAll(running, signal);
      };
      parts.push(lead(lease, work));
    }
  };
  if (enabled.scheduler !== false) {
    const metrics = createSchedulerMetrics(registry);
    addLed('kube-scheduler', (clientFor, running) => {
      const client = clientFor('system:kube-scheduler');
      running.push(createScheduler({ client, informers: informersFor(client, running), clock, log, metrics }));
    });
  }
  if (enabled.controllers !== false) {
    const metrics = createWorkQueueMetrics(registry);
    addLed('kube-controller-manager', (clientFor, running) => {
      running.push(
        ...createControllers({
          clientFor,
          informers: informersFor(clientFor('system:kube-controller-manager'), running),
          clock,
          log,
          metrics,
          certificateAuthority: options.pki.authority.certificatePem,
          signCertificate: options.pki.signRequest,
          resources: () =>
            kinds.served
              .filter(
                ({ kind, version }) =>
                  version === kind.versions[0] && ['list', 'watch', 'delete'].every((verb) => kind.verbs.includes(verb)),
              )
              .map(({ resource }) => resource),
        }),
      );
    });
  }
  if (enabled.dispatcher === false) {
    return {
      parts,
      connector: unconnected,
      listen: () => Promise.resolve(undefined),
      abandon: () => undefined,
      setCertificate: () => undefined,
    };
  }
  const { createDispatcher } = await import('#dispatcher/dispatcher');
  const { pki, incarnation, host, clusterCidr, serviceCidr, domain } = options;
  const client = options.clientFor('system:berth:dispatcher');
  const dispatcher = createDispatcher({
    client,
    informers: informersFor(client, parts),
    authority: pki.authority,
    serving: pki.serving,
    incarnation,
    openedAt: options.openedAt,
    ...(options.peers === undefined ? {} : { peers: options.peers }),
    ...(host === undefined ? {} : { host }),
    port: options.agentPort,
    clusterCidr,
    serviceCidr,
    domain,
    clock,
    log,
    registry,
  });
  return {
    parts: [...parts, dispatcher],
    connector: dispatcher.connector,
    listen: () => dispatcher.listen(),
    abandon: () => dispatcher.abandon(),
    setCertificate: (pair) => dispatcher.replaceCertificate(pair),
  };
}

/** Where no dispatcher runs. */
const unconnected: NodeConnector = {
  connect: (nodeName) =>
    Promise.reject(new StatusError('ServiceUnavailable', `node ${nodeName} cannot be reached: this server runs no dispatcher`)),
};
