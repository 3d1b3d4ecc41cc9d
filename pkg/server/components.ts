/** The parts that speak to the API from within: scheduler, controllers, dispatcher; each as its own user. */
import type { Registry } from 'prom-client';
import type { KindRegistry } from '#api/registry';
import type { KeyPair, Pki } from '#apiserver/auth/pki';
import type { Clock } from '#base/clock';
import { StatusError } from '#base/errors';
import type { Runnable } from '#base/lifecycle';
import type { Logger } from '#base/logging';
import type { Client } from '#client/client';
import { InformerSet } from '#client/informer-set';
import type { NodeConnector } from '#client/node-connector';
import { createWorkQueueMetrics } from '#client/workqueue-metrics';
import { createControllers } from '#controllers/index';
import { createScheduler } from '#scheduler/scheduler';
import { createSchedulerMetrics } from '#scheduler/scheduler-metrics';

export interface ServerComponents {
  readonly scheduler: Runnable;
  readonly controllers: Runnable;
  readonly dispatcher: Runnable;
}

export interface ComponentsOptions {
  readonly enabled: Partial<Record<keyof ServerComponents, boolean>>;
  readonly pki: Pki;
  clientFor(user: string): Client;
  readonly clock: Clock;
  readonly log: Logger;
  readonly registry: Registry;
  readonly kinds: KindRegistry;
  readonly host: string | undefined;
  readonly agentPort: number;
  readonly clusterCidr: string;
  readonly serviceCidr: string;
  readonly domain: string;
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
  /** Shows another certificate to agents that connect from now on. */
  setCertificate(pair: KeyPair): void;
}

export async function createComponents(options: ComponentsOptions): Promise<Components> {
  const { enabled, clock, log, registry, kinds } = options;
  const clientFor = (user: string): Client => options.clientFor(user);
  const parts: Runnable[] = [];
  // Each has informers of its own, as it would in a process of its own; the objects in them are the same.
  const informersFor = (user: string): InformerSet => {
    const informers = new InformerSet(clientFor(user), { clock, log });
    parts.push(informers);
    return informers;
  };
  if (enabled.scheduler !== false) {
    const user = 'system:kube-scheduler';
    parts.push(
      createScheduler({ client: clientFor(user), informers: informersFor(user), clock, log, metrics: createSchedulerMetrics(registry) }),
    );
  }
  if (enabled.controllers !== false) {
    parts.push(
      ...createControllers({
        clientFor,
        informers: informersFor('system:kube-controller-manager'),
        clock,
        log,
        metrics: createWorkQueueMetrics(registry),
        certificateAuthority: options.pki.authority.certificatePem,
        resources: () =>
          kinds.served
            .filter(
              ({ kind, version }) => version === kind.versions[0] && ['list', 'watch', 'delete'].every((verb) => kind.verbs.includes(verb)),
            )
            .map(({ resource }) => resource),
      }),
    );
  }
  if (enabled.dispatcher === false) {
    return { parts, connector: unconnected, listen: () => Promise.resolve(undefined), setCertificate: () => undefined };
  }
  const { createDispatcher } = await import('#dispatcher/dispatcher');
  const { pki, incarnation, host, clusterCidr, serviceCidr, domain } = options;
  const dispatcher = createDispatcher({
    client: clientFor('system:berth:dispatcher'),
    informers: informersFor('system:berth:dispatcher'),
    authority: pki.authority,
    serving: pki.serving,
    incarnation,
    openedAt: options.openedAt,
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
    setCertificate: (pair) => dispatcher.replaceCertificate(pair),
  };
}

/** Where no dispatcher runs. */
const unconnected: NodeConnector = {
  connect: (nodeName) =>
    Promise.reject(new StatusError('ServiceUnavailable', `node ${nodeName} cannot be reached: this server runs no dispatcher`)),
};
