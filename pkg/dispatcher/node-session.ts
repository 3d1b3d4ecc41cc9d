/**
 * One session with one node's agent: assignments out, reports in. Invariant: a fenced session writes nothing more, and a snapshot is not sent before the
 * cache shows at least what the store had when the session began, which is all that the agent can have acted on.
 */
import { status as grpcStatus, type ServerDuplexStream } from '@grpc/grpc-js';
import type { KubernetesObject } from '#api/object';
import { pods } from '#api/shapes/resources';
import type { Node, PodStatus } from '#api/shapes/types/core-v1';
import type { Clock } from '#base/clock';
import { messageOf, StatusError } from '#base/errors';
import type { Logger } from '#base/logging';
import type { Client } from '#client/client';
import type { Informer } from '#client/informer';
import type { AgentMessage, ClusterConfiguration, Hello, ServerMessage, Servers, StatusBatch } from '#rpc/generated/agent';
import type { DispatcherMetrics } from './dispatcher-metrics.ts';
import type { Eras } from './eras.ts';
import { type EventWriter, withNode } from './event-writer.ts';
import { type AssignedEntry, type AssignmentSources, NodeAssignments } from './node-assignments.ts';
import { type NodeObjects, serverOf } from './nodes.ts';
import type { RemovedVolumes } from './removed-volumes.ts';
import type { StatusWriter } from './status-writer.ts';

export type Call = ServerDuplexStream<AgentMessage, ServerMessage>;

export interface SessionServices {
  readonly client: Client;
  readonly sources: AssignmentSources;
  readonly nodes: NodeObjects;
  readonly statuses: StatusWriter;
  readonly events: EventWriter;
  readonly volumes: RemovedVolumes;
  readonly metrics: DispatcherMetrics;
  readonly incarnation: string;
  readonly eras: Eras;
  /** The servers that agents may go to; undefined where there is only one. */
  readonly servers: (() => Servers) | undefined;
  readonly cluster: Omit<ClusterConfiguration, 'podCidr'>;
  readonly heartbeatMilliseconds: number;
  /** A session that is silent for this long is over. */
  readonly silenceMilliseconds: number;
  readonly clock: Clock;
  readonly log: Logger;
}

export const protocolVersion = 1;
/** Changes that come within this many milliseconds go in one message. */
const gather = 2;
/** A message of a snapshot holds about so many bytes of objects. */
const partSize = 1024 * 1024;
const leaseInterval = 300_000;

export class NodeSession {
  readonly id: string;
  readonly nodeName: string;
  readonly #services: SessionServices;
  readonly #call: Call;
  readonly #hello: Hello;
  readonly #assignments: NodeAssignments;
  readonly #stop = new AbortController();
  readonly #timers = new Map<string, { cancel(): void }>();
  readonly #encoded: WeakMap<KubernetesObject, Uint8Array>;
  #node: Node | undefined;
  #synchronized = false;
  #refused = false;
  #revision = 0;
  #lastHeard: number;
  #reports: Promise<void> = Promise.resolve();

  constructor(
    id: string,
    nodeName: string,
    call: Call,
    hello: Hello,
    services: SessionServices,
    encoded: WeakMap<KubernetesObject, Uint8Array>,
  ) {
    this.id = id;
    this.nodeName = nodeName;
    this.#call = call;
    this.#hello = hello;
    this.#services = services;
    this.#assignments = new NodeAssignments(nodeName, services.sources);
    this.#encoded = encoded;
    this.#lastHeard = services.clock.monotonic();
  }

  /** Until the session is over. Throws `StatusError` when it cannot begin. */
  async run(): Promise<void> {
    const { nodes, cluster, clock, eras, incarnation, heartbeatMilliseconds, silenceMilliseconds } = this.#services;
    this.#node = await nodes.register(this.nodeName, JSON.parse(Buffer.from(this.#hello.node).toString('utf8')) as Node);
    const truth = await this.#consistentPods();
    this.#revision = truth.revision;
    this.#send({
      $case: 'welcome',
      value: {
        protocolVersion,
        sessionId: this.id,
        heartbeatMilliseconds,
        cluster: { ...cluster, podCidr: this.#node.spec?.podCIDR ?? '' },
        incarnation,
        revision: BigInt(truth.revision),
        era: eras.current,
        diverged: this.#hello.incarnation === incarnation && eras.diverged(this.#hello.era, Number(this.#hello.revision)),
        restoredEra: eras.restored,
      },
    });
    this.tellServers();
    this.#every('silence', heartbeatMilliseconds, () => {
      if (clock.monotonic() - this.#lastHeard > silenceMilliseconds) this.end(new StatusError('Timeout', 'the agent has fallen silent'));
    });
    this.#every('lease', leaseInterval, () => void nodes.renewLease(this.nodeName));
    void nodes.renewLease(this.nodeName);
    await this.#synchronize(truth);
  }

  /** Something in the caches has changed. */
  note(informer: Informer, object: KubernetesObject, old: KubernetesObject | undefined): void {
    if (!this.#synchronized) return;
    const revision = Number(object.metadata.resourceVersion ?? 0);
    if (!this.#assignments.note(informer, object, old)) return;
    if (revision > this.#revision) this.#revision = revision;
    if (!this.#timers.has('flush'))
      this.#timers.set(
        'flush',
        this.#services.clock.schedule(gather, () => this.#flush()),
      );
  }

  /** To be called when the servers have changed. */
  tellServers(): void {
    const servers = this.#services.servers?.();
    if (servers !== undefined && this.#node !== undefined) this.#send({ $case: 'servers', value: servers });
  }

  /** Whether this, a newer state of the Node than the session began with, says that its agent is connected to another server. */
  isSupersededBy(node: Node): boolean {
    if (this.#node === undefined || Number(node.metadata.resourceVersion) <= Number(this.#node.metadata.resourceVersion)) return false;
    return serverOf(node) !== serverOf(this.#node);
  }

  take({ message }: AgentMessage): void {
    this.#lastHeard = this.#services.clock.monotonic();
    switch (message?.$case) {
      case 'heartbeat':
        this.#send({ $case: 'heartbeat', value: { sequence: message.value.sequence } });
        return;
      case 'status':
        this.#reports = this.#reports
          .then(() => this.#takeReports(message.value))
          .catch((error: unknown) => {
            if (!this.#stop.signal.aborted) this.end(new StatusError('InternalError', messageOf(error), { cause: error }));
          });
        return;
      case 'refused':
        this.#services.metrics.refused.inc();
        if (this.#refused) return;
        this.#refused = true;
        this.#services.log.error('an agent refuses its assignments', { node: this.nodeName, reason: message.value.reason });
        void this.#services.events.write(this.nodeName, this.#refusalEvent(message.value.reason));
        return;
      default:
        return;
    }
  }

  openStream(streamId: string, target: NonNullable<Extract<ServerMessage['message'], { $case: 'openStream' }>['value']['target']>): void {
    this.#send({ $case: 'openStream', value: { streamId, target } });
  }

  /** Ends the session; the reason is what the agent is told. */
  end(reason: StatusError): void {
    if (this.#stop.signal.aborted) return;
    this.#stop.abort();
    for (const timer of this.#timers.values()) timer.cancel();
    this.#call.emit('error', { code: grpcStatus[codeOf(reason)], details: reason.message });
  }

  /** The agent has hung up. */
  close(): void {
    if (this.#stop.signal.aborted) return;
    this.#stop.abort();
    for (const timer of this.#timers.values()) timer.cancel();
    this.#call.end();
  }

  async #consistentPods(): Promise<{ revision: number; versions: ReadonlyMap<string, number> }> {
    const list = await this.#services.client.list(pods, { fieldSelector: `spec.nodeName=${this.nodeName}` });
    return {
      revision: Number(list.metadata.resourceVersion ?? 0),
      versions: new Map(list.items.map(({ metadata }) => [metadata.uid ?? '', Number(metadata.resourceVersion ?? 0)])),
    };
  }

  /** Waits until the caches are new enough, then sends all that the node should have. */
  async #synchronize(truth: { revision: number; versions: ReadonlyMap<string, number> }): Promise<void> {
    const { sources } = this.#services;
    const { signal } = this.#stop;
    for (const informer of sources.all) await informer.until(() => informer.hasSynced, signal);
    await sources.pods.until(() => this.#cacheShows(truth), signal);
    const entries = this.#assignments.snapshot();
    this.#synchronized = true;
    this.#sendAssignments(entries, true);
  }

  /** Every pod that the store has for this node, at least as new, and no other: or the cache has come past that revision altogether. */
  #cacheShows({ revision, versions }: { revision: number; versions: ReadonlyMap<string, number> }): boolean {
    const { sources } = this.#services;
    if (Number(sources.pods.revision) >= revision) return true;
    const cached = sources.podsOf(this.nodeName);
    if (cached.length !== versions.size) return false;
    return cached.every(
      ({ metadata }) => Number(metadata.resourceVersion ?? 0) >= (versions.get(metadata.uid ?? '') ?? Number.POSITIVE_INFINITY),
    );
  }

  #flush(): void {
    this.#timers.delete('flush');
    if (this.#stop.signal.aborted) return;
    const entries = this.#assignments.changes();
    if (entries.length > 0) this.#sendAssignments(entries, false);
  }

  #sendAssignments(entries: readonly AssignedEntry[], snapshot: boolean): void {
    const { incarnation } = this.#services;
    const revision = BigInt(this.#revision);
    let part: { resource: string; namespace: string; name: string; object: Uint8Array }[] = [];
    let size = 0;
    const send = (more: boolean): void => {
      this.#send({
        $case: 'assignments',
        value: { incarnation, revision, snapshot, more, objects: part.map((entry) => ({ ...entry, object: Buffer.from(entry.object) })) },
      });
      part = [];
      size = 0;
    };
    for (const { resource, namespace, name, object } of entries) {
      const bytes = object === undefined ? new Uint8Array() : this.#encode(object);
      if (size > 0 && size + bytes.length > partSize) send(true);
      part.push({ resource, namespace, name, object: bytes });
      size += bytes.length;
    }
    send(false);
    this.#services.metrics.assigned.inc({ kind: snapshot ? 'snapshot' : 'change' }, entries.length);
  }

  /** Once per form of an object, however many nodes it goes to. */
  #encode(object: KubernetesObject): Uint8Array {
    let bytes = this.#encoded.get(object);
    if (bytes === undefined) {
      bytes = Buffer.from(JSON.stringify(object), 'utf8');
      this.#encoded.set(object, bytes);
    }
    return bytes;
  }

  async #takeReports(batch: StatusBatch): Promise<void> {
    const { nodes, statuses, events, volumes, metrics, clock } = this.#services;
    const { signal } = this.#stop;
    const begun = clock.monotonic();
    const unknownUids: string[] = [];
    const node = batch.node.length === 0 ? undefined : (JSON.parse(Buffer.from(batch.node).toString('utf8')) as Node);
    await Promise.all([
      ...(node === undefined ? [] : [nodes.update(this.nodeName, node)]),
      ...batch.pods.map(async ({ namespace, name, uid, status, stopped }) => {
        const report = { namespace, name, uid, status: JSON.parse(Buffer.from(status).toString('utf8')) as PodStatus, stopped };
        if ((await statuses.write(this.nodeName, report, signal)) === 'unknown') unknownUids.push(uid);
      }),
      ...batch.volumes.map((removed) => volumes.remove(this.nodeName, removed)),
      ...batch.events.map((event) =>
        events.write(
          this.nodeName,
          withNode(
            {
              involvedObject: JSON.parse(Buffer.from(event.involvedObject).toString('utf8')) as object,
              type: event.type,
              reason: event.reason,
              message: event.message,
              firstTime: Number(event.firstTime),
              lastTime: Number(event.lastTime),
              count: event.count,
              component: event.component,
            },
            this.#node,
          ),
        ),
      ),
    ]);
    signal.throwIfAborted();
    metrics.statusSeconds.observe((clock.monotonic() - begun) / 1000);
    this.#send({ $case: 'acknowledged', value: { sequence: batch.sequence, unknownUids } });
  }

  #refusalEvent(reason: string): Parameters<EventWriter['write']>[1] {
    const now = this.#services.clock.now();
    return {
      involvedObject: { apiVersion: 'v1', kind: 'Node', name: this.nodeName, uid: this.#node?.metadata.uid ?? '' },
      type: 'Warning',
      reason: 'AssignmentsRefused',
      message: reason.slice(0, 1024),
      firstTime: now,
      lastTime: now,
      count: 1,
      component: 'berth-dispatcher',
    };
  }

  #every(name: string, interval: number, work: () => void): void {
    const next = (): void => {
      if (this.#stop.signal.aborted) return;
      this.#timers.set(
        name,
        this.#services.clock.schedule(interval, () => {
          work();
          next();
        }),
      );
    };
    next();
  }

  #send(message: NonNullable<ServerMessage['message']>): void {
    if (!this.#stop.signal.aborted) this.#call.write({ message });
  }
}

/** How a Status is said in gRPC. */
export function codeOf(error: StatusError): keyof typeof grpcStatus {
  switch (error.reason) {
    case 'Unauthorized':
      return 'UNAUTHENTICATED';
    case 'Forbidden':
      return 'PERMISSION_DENIED';
    case 'AlreadyExists':
      return 'ALREADY_EXISTS';
    case 'NotFound':
      return 'NOT_FOUND';
    case 'BadRequest':
    case 'Invalid':
      return 'INVALID_ARGUMENT';
    case 'Conflict':
    case 'Gone':
      return 'ABORTED';
    case 'Timeout':
      return 'DEADLINE_EXCEEDED';
    case 'ServiceUnavailable':
    case 'TooManyRequests':
    case 'ServerTimeout':
      return 'UNAVAILABLE';
    default:
      return 'INTERNAL';
  }
}
