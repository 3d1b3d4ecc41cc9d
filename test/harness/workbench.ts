/** What end-to-end tests do with pods over and over: make them, wait for what they should become, ask what is in them. */
import type { Readable } from 'node:stream';
import { events, pods } from '#api/shapes/resources';
import type { Container, ContainerStatus, Event, Pod, PodSpec } from '#api/shapes/types/core-v1';
import { messageOf } from '#base/errors';
import { Connection } from '#cli/connection';
import type { Client, ObjectKey } from '#client/client';
import { connectionOf, loadKubeconfig } from '#client/kubeconfig';
import type { TestCluster } from './cluster.ts';
import { type CommandResult, eventually } from './commands.ts';

export const image = 'berth.local/hello:1';

export interface Workbench {
  readonly client: Client;
  readonly connection: Connection;
  readonly namespace: string;
  /** Creates a pod. */
  create(name: string, spec: PodSpec, metadata?: Pod['metadata']): Promise<Pod>;
  find(name: string): Promise<Pod | undefined>;
  /** The pod as soon as `holds` gives true; the last one seen is in the error otherwise. 120 s unless given. */
  until(name: string, what: string, holds: (pod: Pod) => boolean, timeout?: number): Promise<Pod>;
  ready(name: string): Promise<Pod>;
  /** Creates a pod and gives it when it is ready. */
  start(name: string, spec: PodSpec, metadata?: Pod['metadata']): Promise<Pod>;
  /** Creates a pod that ends by itself, and gives it when it has. */
  finish(name: string, spec: PodSpec): Promise<Pod>;
  /** Deletes the pod and resolves when it is gone. */
  remove(name: string, gracePeriodSeconds?: number): Promise<void>;
  /** `berth exec`, whatever its exit code. */
  tryExec(name: string, ...command: string[]): Promise<CommandResult>;
  /** stdout. Throws unless the exit code is 0. */
  exec(name: string, ...command: string[]): Promise<string>;
  /** `query` as in the API's `log` subresource. */
  logs(name: string, query?: string): Promise<string>;
  /** Resolves when the log is this text: a container that runs may not have written yet. */
  says(name: string, text: string): Promise<void>;
  followLogs(name: string, query?: string): Promise<Readable>;
  /** About the object of that name, the oldest first. */
  eventsOf(name: string): Promise<Event[]>;
  /** The first event about the object with this reason and a message that matches. */
  event(name: string, reason: string, message?: RegExp, timeout?: number): Promise<Event>;
  close(): void;
}

export async function openWorkbench(cluster: TestCluster, namespace = 'default'): Promise<Workbench> {
  const options = await connectionOf(await loadKubeconfig([cluster.kubeconfig]));
  const connection = new Connection(options, namespace, new AbortController().signal);
  const { client } = connection;
  const key = (name: string): ObjectKey => ({ name, namespace });
  const logPath = (name: string, query: string): string => `/api/v1/namespaces/${namespace}/pods/${name}/log?${query}`;

  const bench: Workbench = {
    client,
    connection,
    namespace,
    create: (name, spec, metadata) => client.create(pods, { metadata: { ...metadata, name, namespace }, spec }),
    find: (name) => client.find(pods, key(name)),
    async until(name, what, holds, timeout = 120_000) {
      let last: Pod | undefined;
      try {
        return await eventually(
          `pod ${name}: ${what}`,
          async () => {
            last = await client.get(pods, key(name));
            return holds(last) ? last : undefined;
          },
          timeout,
        );
      } catch (error) {
        const told = await bench.eventsOf(name).catch(() => []);
        const lines = told.map(({ type, reason, message, count }) => `${type} ${reason} x${count}: ${message}`);
        throw new Error([messageOf(error), JSON.stringify(last?.status, undefined, 1), ...lines].join('\n'), { cause: error });
      }
    },
    ready: (name) => bench.until(name, 'ready', isReady),
    async start(name, spec, metadata) {
      await bench.create(name, spec, metadata);
      return bench.ready(name);
    },
    async finish(name, spec) {
      await bench.create(name, { restartPolicy: 'Never', ...spec });
      return bench.until(name, 'ended', ({ status }) => status?.phase === 'Succeeded' || status?.phase === 'Failed');
    },
    async remove(name, gracePeriodSeconds) {
      await client.delete(pods, key(name), gracePeriodSeconds === undefined ? {} : { gracePeriodSeconds });
      await eventually(`pod ${name} is gone`, async () => ((await client.find(pods, key(name))) === undefined ? true : undefined), 120_000);
    },
    tryExec: (name, ...command) => cluster.berth(['exec', '-n', namespace, name, '--', ...command]),
    async exec(name, ...command) {
      const result = await bench.tryExec(name, ...command);
      if (result.code !== 0)
        throw new Error(`exec in ${name}: ${command.join(' ')} ended with ${result.code}\n${result.stdout}\n${result.stderr}`);
      return result.stdout;
    },
    async logs(name, query = '') {
      const parts: Buffer[] = [];
      for await (const part of await connection.stream({ path: logPath(name, query), accept: '*/*' })) parts.push(part as Buffer);
      return Buffer.concat(parts).toString('utf8');
    },
    async says(name, text) {
      await eventually(`${name} says ${JSON.stringify(text)}`, async () => {
        const now = await bench.logs(name);
        if (now !== text) throw new Error(now);
        return true;
      });
    },
    followLogs: (name, query = '') => connection.stream({ path: logPath(name, `follow=true&${query}`), accept: '*/*' }),
    async eventsOf(name) {
      const { items } = await client.list(events, { namespace, fieldSelector: `involvedObject.name=${name}` });
      const time = ({ lastTimestamp, eventTime, metadata }: Event): string =>
        lastTimestamp ?? eventTime ?? metadata.creationTimestamp ?? '';
      return items.toSorted((a, b) => time(a).localeCompare(time(b)));
    },
    event: (name, reason, message = /^/, timeout = 90_000) =>
      eventually(
        `an event ${reason} of ${name} that says ${message}`,
        async () => {
          const all = await bench.eventsOf(name);
          const found = all.find((event) => event.reason === reason && message.test(event.message ?? ''));
          if (found === undefined) throw new Error(all.map((event) => `${event.reason}: ${event.message}`).join('\n'));
          return found;
        },
        timeout,
      ),
    close: () => connection.close(),
  };
  return bench;
}

/** A container of the demo image that runs a shell script. */
export function shell(script: string, more: Partial<Container> = {}): Container {
  return { name: 'main', image, command: ['sh', '-c', script], ...more };
}

/** A pod's spec with these containers, which is gone at once when it is deleted. */
export function specOf(containers: Container | readonly Container[], more: Partial<PodSpec> = {}): PodSpec {
  return { terminationGracePeriodSeconds: 0, containers: [containers].flat() as Container[], ...more };
}

export const sleeping = 'exec sleep 3600';

export function isReady({ status }: Pod): boolean {
  return status?.conditions?.some(({ type, status: value }) => type === 'Ready' && value === 'True') === true;
}

/** The status of a container, the first of the main ones unless named. */
export function statusOf({ status }: Pod, container?: string): ContainerStatus | undefined {
  const all = [...(status?.containerStatuses ?? []), ...(status?.initContainerStatuses ?? [])];
  return container === undefined ? all[0] : all.find(({ name }) => name === container);
}
