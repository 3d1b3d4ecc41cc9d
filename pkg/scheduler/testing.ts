/** Nodes and pods with little writing, and a scheduler that works on them, for the tests of this folder. */
import { events, nodes, pods } from '#api/shapes/resources';
import type { Event, Node, Pod, PodSpec } from '#api/shapes/types/core-v1';
import { runAll } from '#base/lifecycle';
import { silentLogger } from '#base/logging';
import { ManualClock } from '#base/manual-clock';
import type { Client } from '#client/client';
import { InformerSet } from '#client/informer-set';
import { MemoryTransport } from '#client/memory-transport';
import { createClient } from '#client/typed-client';
import { createScheduler } from './scheduler.ts';

export function testNode(
  name: string,
  given: Partial<Omit<Node, 'metadata'>> & { labels?: Record<string, string>; cpu?: string; memory?: string; pods?: string } = {},
): Node {
  const { labels = {}, cpu = '4', memory = '8Gi', pods = '110', spec = {}, status = {} } = given;
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, labels: { 'kubernetes.io/hostname': name, ...labels } },
    spec,
    status: { allocatable: { cpu, memory, pods, 'ephemeral-storage': '100Gi' }, ...status },
  };
}

export function testPod(
  name: string,
  given: {
    cpu?: string;
    memory?: string;
    labels?: Record<string, string>;
    namespace?: string;
    owner?: string;
    spec?: Partial<PodSpec>;
  } = {},
): Pod {
  const { cpu, memory, labels, namespace = 'default', owner, spec = {} } = given;
  const requests = { ...(cpu === undefined ? {} : { cpu }), ...(memory === undefined ? {} : { memory }) };
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      namespace,
      uid: `uid-${namespace}-${name}`,
      ...(labels === undefined ? {} : { labels }),
      ...(owner === undefined
        ? {}
        : { ownerReferences: [{ apiVersion: 'apps/v1', kind: 'ReplicaSet', name: owner, uid: owner, controller: true }] }),
    },
    spec: { containers: [{ name: 'main', image: 'app:1', resources: { requests } }], schedulerName: 'default-scheduler', ...spec },
    status: { phase: 'Pending' },
  };
}

export function placedOn(pod: Pod, nodeName: string): Pod {
  return { ...pod, spec: { ...pod.spec, nodeName } };
}

/** A scheduler, and an API in memory in which time stands still until it is told to pass. */
export class World {
  readonly transport = new MemoryTransport();
  readonly client: Client = createClient(this.transport);
  readonly clock = new ManualClock();
  #stop = new AbortController();
  #running: Promise<void> = Promise.resolve();

  start(): void {
    this.#stop = new AbortController();
    const options = { clock: this.clock, log: silentLogger };
    const informers = new InformerSet(this.client, options);
    this.#running = runAll([informers, createScheduler({ client: this.client, informers, ...options })], this.#stop.signal);
  }

  async end(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  async node(node: Node): Promise<void> {
    await this.client.create(nodes, node);
  }

  async pod(pod: Pod): Promise<void> {
    await this.client.create(pods, pod);
  }

  async nodeOf(name: string): Promise<string | undefined> {
    return (await this.client.get(pods, { namespace: 'default', name })).spec.nodeName;
  }

  /** Lets `ms` milliseconds go by, and all that follows from it happen. */
  async pass(ms: number): Promise<void> {
    for (let turn = 0; turn < 5; turn++) await this.clock.advance(0);
    await this.clock.advance(ms);
    for (let turn = 0; turn < 5; turn++) await this.clock.advance(0);
  }

  async eventsOf(name: string): Promise<Event[]> {
    await this.pass(0);
    return (await this.client.list(events)).items.filter((event) => event.involvedObject.name === name);
  }
}

export async function withWorld(test: (world: World) => Promise<void>): Promise<void> {
  const world = new World();
  world.start();
  try {
    await test(world);
  } finally {
    await world.end();
  }
}
