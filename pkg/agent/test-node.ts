/** For tests: the part of an agent that keeps pods, over a fake runtime and a clock that stands still, with assignments given by hand. */
import { join } from 'node:path';
import type { KubernetesObject } from '#api/object';
import type { ContainerStatus, Pod, PodStatus } from '#api/shapes/types/core-v1';
import { silentLogger } from '#base/logging';
import { ManualClock } from '#base/manual-clock';
import { noCgroups } from './cgroups.ts';
import { collect } from './collector.ts';
import { createEvents, type RecordedEvent } from './events.ts';
import { createImages } from './images.ts';
import { createAgentMetrics } from './metrics.ts';
import type { NodeContext, PodReport } from './node-context.ts';
import { identityOf } from './pod.ts';
import { createPodWorkers } from './pod-workers.ts';
import type { ProbeAction, ProbeResult } from './probes/probe-action.ts';
import { FakeMachine, FakeRuntime } from './runtime/fake/fake-runtime.ts';
import type { FakeScript } from './runtime/fake/script.ts';
import { createRuntimeView, type RuntimeView } from './runtime-view.ts';
import type { AssignedObject, Assignments } from './session/assignments.ts';
import { createSlots } from './slots.ts';
import { volumePlugins } from './volumes/index.ts';
import { plainMounter } from './volumes/mounter.ts';

export class TestNode {
  readonly clock = new ManualClock();
  readonly machine = new FakeMachine();
  readonly reports: PodReport[] = [];
  readonly events: RecordedEvent[] = [];
  readonly runtime: FakeRuntime;
  probe: () => ProbeResult = () => ({ success: true, message: '' });
  view!: RuntimeView;
  readonly #folder: string;
  readonly #objects = new Map<string, AssignedObject>();
  #listeners: ((changed: readonly AssignedObject[]) => void)[] = [];
  #stop = new AbortController();
  #running: Promise<unknown> = Promise.resolve();
  #collect: () => Promise<void> = () => Promise.resolve();

  constructor(folder: string, script: FakeScript) {
    this.#folder = folder;
    this.runtime = new FakeRuntime({ clock: this.clock, script, machine: this.machine });
    this.#start();
  }

  #start(): void {
    const { clock, runtime } = this;
    const log = silentLogger;
    this.#stop = new AbortController();
    this.#listeners = [];
    this.view = createRuntimeView({ runtime, clock, log });
    const events = createEvents({ clock, publish: (event) => this.events.push(event) });
    const find = (resource: string, namespace: string, name: string) => this.#objects.get(`${resource}/${namespace}/${name}`)?.object;
    const action: ProbeAction = { name: 'exec', run: async () => this.probe() };
    const context: NodeContext = {
      runtime,
      view: this.view,
      events,
      images: createImages({ runtime, events, clock, signal: this.#stop.signal }),
      cgroups: noCgroups,
      mounter: plainMounter,
      volumePlugins,
      probeActions: [action],
      metrics: createAgentMetrics(),
      clock,
      log,
      starts: createSlots(4),
      directories: {
        pod: (uid) => join(this.#folder, 'pods', uid),
        logs: (pod) => join(this.#folder, 'logs', `${pod.metadata.namespace}_${pod.metadata.name}_${pod.metadata.uid}`),
        persistentVolumes: join(this.#folder, 'volumes'),
      },
      node: {
        addresses: () => ['192.0.2.1'],
        allocatable: () => ({ cpu: '2', memory: '4Gi' }),
        memoryCapacity: () => 4 * 1024 ** 3,
        dns: () => ({ server: '10.64.255.1', domain: 'cluster.local', host: { servers: ['192.0.2.53'], searches: [], options: [] } }),
        networkProblem: () => undefined,
        runtimeName: () => 'fake',
      },
      objects: (namespace) => ({
        configMap: (name) => find('configmaps', namespace, name),
        secret: (name) => find('secrets', namespace, name),
        claim: (name) => find('persistentvolumeclaims', namespace, name) as never,
        persistentVolume: (name) => find('persistentvolumes', '', name) as never,
      }),
      services: () => [],
      report: (report) => this.reports.push(report),
    };
    const assignments: Assignments = {
      held: { incarnation: 'test', era: 'first', revision: 1, restoredEra: '' },
      welcome: () => undefined,
      offer: async () => ({ accepted: true }),
      get: find,
      list: (resource) => [...this.#objects.values()].filter((entry) => entry.resource === resource).flatMap(({ object }) => object ?? []),
      onChange: (listener) => void this.#listeners.push(listener),
      close: async () => undefined,
    };
    const workers = createPodWorkers(assignments, context);
    this.#collect = () =>
      collect({
        node: context,
        workers,
        podsDirectory: join(this.#folder, 'pods'),
        logsDirectory: join(this.#folder, 'logs'),
        ready: () => true,
      });
    this.#running = Promise.all([this.view.run(this.#stop.signal), workers.run(this.#stop.signal)]);
  }

  /** One round of the collector. */
  collect(): Promise<void> {
    return this.#collect();
  }

  /** What the server takes away while the agent is not there to see it. */
  forget(namespace: string, name: string): void {
    this.#objects.delete(`pods/${namespace}/${name}`);
  }

  /** As `kill -9` and a new start: what is only in memory is lost. */
  async restartAgent(): Promise<void> {
    this.#stop.abort();
    await this.#running;
    this.#start();
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  assign(pod: Pod): void {
    this.give(pod, 'pods');
  }

  give(object: KubernetesObject, resource: string): void {
    const entry = { resource, namespace: object.metadata.namespace ?? '', name: object.metadata.name ?? '', object };
    this.#objects.set(`${resource}/${entry.namespace}/${entry.name}`, entry);
    for (const listener of this.#listeners) listener([entry]);
  }

  unassign(namespace: string, name: string): void {
    this.#objects.delete(`pods/${namespace}/${name}`);
    for (const listener of this.#listeners) listener([{ resource: 'pods', namespace, name, object: undefined }]);
  }

  last(uid: string): PodReport | undefined {
    return this.reports.findLast((report) => report.uid === uid);
  }

  container(name: string): ContainerStatus | undefined {
    return this.reports.at(-1)?.status.containerStatuses?.find((status) => status.name === name);
  }

  reasons(): string[] {
    return this.events.map(({ reason }) => reason);
  }

  /** Lets all that needs no time happen. */
  async settle(): Promise<void> {
    for (let turn = 0; turn < 50; turn++) {
      await new Promise((resolve) => setImmediate(resolve));
      await this.clock.advance(0);
    }
    // File work takes real time, though none of the clock's.
    await new Promise((resolve) => setTimeout(resolve, 10));
  }

  /** Waits, bounded, without moving the clock. */
  async until(condition: () => boolean): Promise<PodStatus> {
    const end = performance.now() + 60_000;
    while (!condition() && performance.now() < end) await this.settle();
    if (!condition()) throw new Error(`it did not come to that; the last report: ${JSON.stringify(this.reports.at(-1))}`);
    return this.reports.at(-1)!.status;
  }

  untilStatus(condition: (status: PodStatus) => boolean): Promise<PodStatus> {
    return this.until(() => this.reports.at(-1) !== undefined && condition(this.reports.at(-1)!.status));
  }

  /** Waits, bounded, moving the clock by 100 ms a turn. */
  async advanceUntil(condition: () => boolean): Promise<PodStatus> {
    for (let turn = 0; turn < 2000 && !condition(); turn++) {
      await this.clock.advance(100);
      for (let inner = 0; inner < 3; inner++) await new Promise((resolve) => setImmediate(resolve));
      // File work takes real time: it should not fall far behind the clock.
      await new Promise((resolve) => setTimeout(resolve, 3));
    }
    if (!condition()) throw new Error(`it did not come to that; the last report: ${JSON.stringify(this.reports.at(-1))}`);
    return this.reports.at(-1)!.status;
  }

  uidOf(pod: Pod): string {
    return identityOf(pod).uid;
  }
}
