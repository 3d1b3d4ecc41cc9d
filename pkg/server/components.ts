/** The parts that speak to the API from within: scheduler, controllers, dispatcher; each as its own user. */
import type { Registry } from 'prom-client';
import type { KindRegistry } from '#api/registry';
import type { Pki } from '#apiserver/auth/pki';
import type { Clock } from '#base/clock';
import { StatusError } from '#base/errors';
import type { Runnable } from '#base/lifecycle';
import type { Logger } from '#base/logging';
import type { Client } from '#client/client';
import type { InformerSet } from '#client/informer-set';
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
  readonly informers: InformerSet;
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
  /** The newest that the cache shows. */
  revision(): number;
}

export interface Components {
  readonly parts: readonly Runnable[];
  readonly connector: NodeConnector;
  /** Opens the agents' port, if there is one, and gives it. */
  listen(): Promise<number | undefined>;
}

export async function createComponents(options: ComponentsOptions): Promise<Components> {
  const { enabled, clientFor, informers, clock, log, registry, kinds } = options;
  const parts: Runnable[] = [];
  if (enabled.scheduler !== false) {
    parts.push(
      createScheduler({ client: clientFor('system:kube-scheduler'), informers, clock, log, metrics: createSchedulerMetrics(registry) }),
    );
  }
  if (enabled.controllers !== false) {
    parts.push(
      ...createControllers({
        clientFor,
        informers,
        clock,
        log,
        metrics: createWorkQueueMetrics(registry),
        resources: () =>
          kinds.served
            .filter(
              ({ kind, version }) => version === kind.versions[0] && ['list', 'watch', 'delete'].every((verb) => kind.verbs.includes(verb)),
            )
            .map(({ resource }) => resource),
      }),
    );
  }
  return { parts, connector: unconnected, listen: () => Promise.resolve(undefined) };
}

/** Where no dispatcher runs. */
const unconnected: NodeConnector = {
  connect: (nodeName) =>
    Promise.reject(new StatusError('ServiceUnavailable', `node ${nodeName} cannot be reached: this server runs no dispatcher`)),
};
