/**
 * The API over the memory backend with scheduler and controllers in one process, and nodes that are played: their pods run and become ready as soon
 * as they are bound, and go when they are deleted. For tests of what the parts do together; containers are tested elsewhere.
 */
import { kindRegistry } from '#api/kinds/index';
import type { KubernetesObject, ResourceType } from '#api/object';
import { namespaces, nodes, pods, storageClasses } from '#api/shapes/resources';
import type { Pod } from '#api/shapes/types/core-v1';
import { type MemoryApi, startMemoryApi } from '#apiserver/memory-api';
import { authenticatedGroup } from '#apiserver/request-context';
import { type Clock, formatTime, systemClock } from '#base/clock';
import { hasReason } from '#base/errors';
import { isAbort, type Runnable, runAll } from '#base/lifecycle';
import { createLogger, type Logger } from '#base/logging';
import type { Client } from '#client/client';
import { createInformer } from '#client/informer';
import { InformerSet } from '#client/informer-set';
import { createControllers } from '#controllers/index';
import { createScheduler } from '#scheduler/scheduler';

export interface ControlPlaneOptions {
  readonly clock?: Clock;
  readonly log?: Logger;
  readonly controllers?: boolean;
  readonly scheduler?: boolean;
  /** Whether pods run once they are bound; true unless given. */
  readonly kubelet?: boolean;
}

export interface ControlPlane {
  readonly api: MemoryApi;
  readonly client: Client;
  /** Adds ready nodes of 4 cpu and 8 GiB. */
  addNodes(...names: readonly string[]): Promise<void>;
  /** Ends scheduler and controllers and starts them anew over the same store. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

export async function startControlPlane(options: ControlPlaneOptions = {}): Promise<ControlPlane> {
  const clock = options.clock ?? systemClock;
  const log = options.log ?? createLogger({ level: 'error', format: 'text' });
  const api = startMemoryApi({ clock });
  const client = api.client();
  for (const name of ['default', 'kube-system']) await client.create(namespaces, { metadata: { name }, spec: {} });
  await client.create(storageClasses, {
    metadata: { name: 'berth-local', annotations: { 'storageclass.kubernetes.io/is-default-class': 'true' } },
    provisioner: 'berth.dev/local',
    reclaimPolicy: 'Delete',
    volumeBindingMode: 'WaitForFirstConsumer',
  });
  const parts = (): Runnable[] => {
    const clientFor = (user: string): Client => api.client({ name: user, groups: [authenticatedGroup] });
    const informers = new InformerSet(clientFor('system:kube-controller-manager'), { clock, log });
    const running: Runnable[] = [informers];
    if (options.controllers !== false) {
      running.push(...createControllers({ clientFor, informers, clock, log, certificateAuthority: 'CERTIFICATE', resources: watchable }));
    }
    if (options.scheduler !== false) running.push(createScheduler({ client: clientFor('system:kube-scheduler'), informers, clock, log }));
    return running;
  };
  let control = start(parts());
  const kubelet = options.kubelet === false ? undefined : start([playKubelet(client, clock, log)]);
  return {
    api,
    client,
    addNodes: async (...names) => {
      for (const name of names) await addNode(client, name);
    },
    restart: async () => {
      await control.stop();
      control = start(parts());
    },
    stop: async () => {
      await control.stop();
      await kubelet?.stop();
      await api.stop();
    },
  };
}

function watchable(): ResourceType[] {
  return kindRegistry.served
    .filter(
      ({ kind, version }) =>
        version === kind.versions[0] && ['list', 'watch', 'delete'].every((verb) => kind.verbs.includes(verb as 'list')),
    )
    .map(({ resource }) => resource);
}

function start(parts: readonly Runnable[]): { stop(): Promise<void> } {
  const stop = new AbortController();
  const running = runAll(parts, stop.signal);
  running.catch(() => undefined);
  return {
    stop: async () => {
      stop.abort();
      await running;
    },
  };
}

async function addNode(client: Client, name: string): Promise<void> {
  const allocatable = { cpu: '4', memory: '8Gi', pods: '110', 'ephemeral-storage': '100Gi' };
  await client.create(nodes, { metadata: { name, labels: { 'kubernetes.io/hostname': name } }, spec: {} });
  const time = new Date(0).toISOString().replace('.000', '');
  const ready = { type: 'Ready', status: 'True', reason: 'Played', message: 'played', lastTransitionTime: time, lastHeartbeatTime: time };
  const status = { capacity: allocatable, allocatable, conditions: [ready] };
  await client.patch(nodes, { name }, 'merge', { status }, { subresource: 'status' });
}

/** A pod that is bound runs and is ready, or has ended at once if its image is `succeeds` or `fails`; one that is being deleted goes. */
export function playKubelet(client: Client, clock: Clock, log: Logger): Runnable {
  const informer = createInformer(client, pods, { clock, log });
  let address = 0;
  const ignore = (error: unknown): void => {
    if (!hasReason(error, 'NotFound') && !hasReason(error, 'Conflict') && !isAbort(error)) throw error;
  };
  const act = async (pod: Pod): Promise<void> => {
    const { name = '', namespace = '', uid = '', resourceVersion, deletionTimestamp } = pod.metadata;
    if ((pod.spec.nodeName ?? '') === '') return;
    if (deletionTimestamp !== undefined) {
      await client.delete(pods, { name, namespace }, { gracePeriodSeconds: 0, preconditions: { uid } }).catch(ignore);
    } else if (pod.status?.phase === 'Pending') {
      // Of the object as it was seen: who has changed it meanwhile is seen next, and is not overwritten.
      address++;
      const podIP = `10.42.${address >> 8}.${address & 255}`;
      const status = {
        phase: { succeeds: 'Succeeded', fails: 'Failed' }[pod.spec.containers[0]?.image ?? ''] ?? 'Running',
        podIP,
        podIPs: [{ ip: podIP }],
        conditions: ['Ready', 'ContainersReady'].map((type) => ({ type, status: 'True', lastTransitionTime: formatTime(clock.now()) })),
      };
      await client
        .patch(pods, { name, namespace }, 'strategic', { metadata: { uid, resourceVersion }, status }, { subresource: 'status' })
        .catch(ignore);
    }
  };
  return {
    name: 'played kubelet',
    run: async (signal) => {
      let failure: unknown;
      informer.onChange(({ type, object }) => {
        if (type !== 'DELETED')
          act(object).catch((error: unknown) => {
            if (!signal.aborted) failure ??= error;
          });
      });
      await informer.run(signal);
      if (failure !== undefined) throw failure;
    },
  };
}

/** Asks until the answer is what `isRight` wants, at most a minute; gives the last answer, which the test then judges. */
export async function eventually<T>(ask: () => Promise<T>, isRight: (answer: T) => boolean, limit = 60_000): Promise<T> {
  const end = performance.now() + limit;
  for (;;) {
    const answer = await ask();
    if (isRight(answer) || performance.now() > end) return answer;
    await systemClock.sleep(20);
  }
}

/** The names of what is there. */
export async function namesOf<T extends KubernetesObject>(
  client: Client,
  resource: ResourceType<T>,
  namespace?: string,
): Promise<string[]> {
  const { items } = await client.list(resource, namespace === undefined ? {} : { namespace });
  return items.map(({ metadata }) => metadata.name ?? '').toSorted();
}
