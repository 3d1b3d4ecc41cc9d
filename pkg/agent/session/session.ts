/**
 * The agent's conversation with a server: it dials, says who it is and how far it has come, takes assignments in, and reports. When the server is away
 * it tries the next one, for ever; nothing on the node waits for it.
 */
import { type ClientDuplexStream, status as grpcStatus, type ServiceError } from '@grpc/grpc-js';
import type { Node } from '#api/shapes/types/core-v1';
import { backoffDelay } from '#base/backoff';
import type { Clock } from '#base/clock';
import { messageOf } from '#base/errors';
import type { Runnable } from '#base/lifecycle';
import type { Logger } from '#base/logging';
import {
  AgentClient,
  type AgentMessage,
  type Assignments as AssignmentsMessage,
  type ClusterConfiguration,
  type OpenStream,
  type ServerMessage,
  type Servers,
} from '#rpc/generated/agent';
import type { AgentMetrics } from '../metrics.ts';
import type { AssignedObject, Assignments } from './assignments.ts';
import { channelCredentials, channelOptions, type NodeCredentials, renewCredentials, shouldRenew } from './credentials.ts';
import type { Batch, Outbox } from './outbox.ts';

export const protocolVersion = 1;

export interface SessionOptions {
  /** `host:port`, tried in turn; may change. */
  readonly servers: () => readonly string[];
  readonly onServers: (servers: Servers) => void;
  readonly nodeName: string;
  readonly version: string;
  /** Chosen anew at each start of the agent. */
  readonly instance: string;
  readonly credentials: NodeCredentials;
  readonly credentialsDirectory: string;
  readonly assignments: Assignments;
  readonly outbox: Outbox;
  /** What was observed of the node. */
  readonly node: () => Node;
  readonly onCluster: (cluster: ClusterConfiguration) => void;
  readonly onStream: (request: OpenStream, client: AgentClient) => void;
  readonly metrics: AgentMetrics;
  readonly clock: Clock;
  readonly log: Logger;
}

const reconnect = { initial: 100, maximum: 10_000, jitter: 0.5 };
const welcomeTimeout = 10_000;
/** What is reported within this many milliseconds goes into one batch. */
const gather = 2;

export function createSession(options: SessionOptions): Runnable {
  return {
    name: 'session',
    async run(signal) {
      let own = options.credentials;
      let turn = 0;
      for (let failures = 0; !signal.aborted; turn++) {
        const servers = options.servers();
        const server = servers[turn % servers.length]!;
        try {
          if (shouldRenew(own.certificate, options.clock)) {
            own = await renewCredentials(options.credentialsDirectory, server, own, options.nodeName, options.clock);
            options.log.info('the node certificate was renewed');
          }
          await new Conversation(options, server, own).run(signal, () => {
            failures = 0;
          });
        } catch (error) {
          if (signal.aborted) return;
          const level = failures === 0 ? 'warn' : 'debug';
          options.log[level](`no session with ${server}: what runs here goes on`, { error: messageOf(error) });
        }
        if (signal.aborted) return;
        // Where there are others, they are asked first.
        const delay = failures < options.servers().length - 1 ? reconnect.initial : backoffDelay(reconnect, failures);
        failures++;
        await options.clock.sleep(delay, signal).catch(() => undefined);
      }
    },
  };
}

type Call = ClientDuplexStream<AgentMessage, ServerMessage>;

class Conversation {
  readonly #options: SessionOptions;
  readonly #client: AgentClient;
  readonly #call: Call;
  readonly #incoming: ServerMessage[] = [];
  #wake: () => void = () => undefined;
  #ended: Error | 'closed' | undefined;
  #parts: AssignedObject[] = [];
  #refused = false;
  #flushTimer: { cancel(): void } | undefined;
  #lastHeard: number;

  constructor(options: SessionOptions, server: string, own: NodeCredentials) {
    this.#options = options;
    this.#lastHeard = options.clock.monotonic();
    this.#client = new AgentClient(server, channelCredentials(own), channelOptions);
    this.#call = this.#client.connect();
    this.#call.on('data', (message: ServerMessage) => {
      this.#lastHeard = options.clock.monotonic();
      this.#incoming.push(message);
      this.#wake();
    });
    this.#call.on('error', (error: ServiceError) => this.#end(new Error(describe(error), { cause: error })));
    this.#call.on('end', () => this.#end('closed'));
  }

  /** Until the server ends it, it breaks (throws), or the signal aborts. `began` is called once the server has said welcome. */
  async run(signal: AbortSignal, began: () => void): Promise<void> {
    const stop = (): void => this.#end('closed');
    signal.addEventListener('abort', stop, { once: true });
    const timers: { cancel(): void }[] = [];
    try {
      this.#hello();
      const late = this.#options.clock.schedule(welcomeTimeout, () => this.#end(new Error('the server did not answer in time')));
      timers.push(late);
      const welcome = await this.#next();
      late.cancel();
      if (welcome?.message?.$case !== 'welcome') {
        if (welcome === undefined) return;
        throw new Error('the server did not begin with Welcome: it speaks another protocol');
      }
      const { value } = welcome.message;
      this.#options.assignments.welcome({ era: value.era, diverged: value.diverged, restoredEra: value.restoredEra });
      if (value.cluster !== undefined) this.#options.onCluster(value.cluster);
      began();
      this.#options.metrics.connected.set(1);
      this.#options.log.info('session', { id: value.sessionId });
      this.#options.outbox.reset();
      this.#options.outbox.onWork(() => this.#flushSoon());
      this.#flush();
      this.#beat(Math.max(100, value.heartbeatMilliseconds), 1n, timers);
      for (let message = await this.#next(); message !== undefined; message = await this.#next()) await this.#take(message);
    } finally {
      signal.removeEventListener('abort', stop);
      for (const timer of timers) timer.cancel();
      this.#flushTimer?.cancel();
      this.#options.outbox.onWork(() => undefined);
      this.#options.metrics.connected.set(0);
      this.#call.cancel();
      this.#client.close();
    }
  }

  #hello(): void {
    const { nodeName, version, instance, assignments, node } = this.#options;
    this.#send({
      $case: 'hello',
      value: {
        protocolVersion,
        agentVersion: version,
        nodeName,
        agentInstance: instance,
        incarnation: assignments.held.incarnation,
        revision: BigInt(assignments.held.revision),
        node: encode(node()),
        era: assignments.held.era,
        streamsOnly: false,
      },
    });
  }

  async #take({ message }: ServerMessage): Promise<void> {
    switch (message?.$case) {
      case 'assignments':
        return this.#takeAssignments(message.value);
      case 'acknowledged':
        this.#options.outbox.acknowledge(Number(message.value.sequence), message.value.unknownUids);
        return;
      case 'openStream':
        this.#options.onStream(message.value, this.#client);
        return;
      case 'servers':
        this.#options.onServers(message.value);
        return;
      default:
        // A heartbeat's answer, or a message of a newer server: that it came is all that matters.
        return;
    }
  }

  async #takeAssignments(message: AssignmentsMessage): Promise<void> {
    const { assignments, metrics, log } = this.#options;
    for (const { resource, namespace, name, object } of message.objects) {
      this.#parts.push({ resource, namespace, name, object: object.length === 0 ? undefined : decode(object) });
    }
    if (message.more) return;
    const objects = this.#parts;
    this.#parts = [];
    const revision = Number(message.revision);
    const answer = await assignments.offer({ incarnation: message.incarnation, revision, snapshot: message.snapshot, objects });
    if (answer.accepted) {
      metrics.assignedRevision.set(revision);
      this.#send({ $case: 'accepted', value: { incarnation: message.incarnation, revision: message.revision } });
      return;
    }
    metrics.refusedAssignments.inc();
    // Said once a session: each change that follows is refused for the same reason.
    if (!this.#refused) log.error('assignments refused', { reason: answer.reason });
    this.#refused = true;
    this.#send({ $case: 'refused', value: { incarnation: message.incarnation, revision: message.revision, reason: answer.reason } });
  }

  #flushSoon(): void {
    this.#flushTimer ??= this.#options.clock.schedule(gather, () => this.#flush());
  }

  #flush(): void {
    this.#flushTimer?.cancel();
    this.#flushTimer = undefined;
    if (this.#ended !== undefined) return;
    const batch = this.#options.outbox.take();
    if (batch !== undefined) this.#send({ $case: 'status', value: encodeBatch(batch) });
  }

  /** A server that answers nothing for three beats is gone, whatever the connection says. */
  #beat(interval: number, sequence: bigint, timers: { cancel(): void }[]): void {
    timers[0] = this.#options.clock.schedule(interval, () => {
      if (this.#options.clock.monotonic() - this.#lastHeard > 3 * interval) {
        this.#end(new Error('the server no longer answers'));
        return;
      }
      this.#send({ $case: 'heartbeat', value: { sequence } });
      this.#beat(interval, sequence + 1n, timers);
    });
  }

  #send(message: NonNullable<AgentMessage['message']>): void {
    if (this.#ended === undefined) this.#call.write({ message });
  }

  #end(why: Error | 'closed'): void {
    this.#ended ??= why;
    this.#wake();
  }

  async #next(): Promise<ServerMessage | undefined> {
    for (;;) {
      const message = this.#incoming.shift();
      if (message !== undefined) return message;
      if (this.#ended === 'closed') return undefined;
      if (this.#ended !== undefined) throw this.#ended;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}

function encodeBatch({ sequence, pods, events, node, volumes }: Batch): Extract<AgentMessage['message'], { $case: 'status' }>['value'] {
  return {
    sequence: BigInt(sequence),
    pods: pods.map(({ namespace, name, uid, status, stopped }) => ({ namespace, name, uid, status: encode(status), stopped })),
    events: events.map((event) => ({
      involvedObject: encode(event.involvedObject),
      type: event.type,
      reason: event.reason,
      message: event.message,
      firstTime: BigInt(event.firstTime),
      lastTime: BigInt(event.lastTime),
      count: event.count,
      component: 'kubelet',
    })),
    node: node === undefined ? Buffer.alloc(0) : encode(node),
    volumes: [...volumes],
  };
}

function encode(value: object): Buffer {
  return Buffer.from(JSON.stringify(value), 'utf8');
}

function decode(bytes: Uint8Array): AssignedObject['object'] {
  return JSON.parse(Buffer.from(bytes).toString('utf8')) as AssignedObject['object'];
}

function describe(error: ServiceError): string {
  switch (error.code) {
    case grpcStatus.ABORTED:
      return 'a newer session of this node took over: is another agent running under the same name?';
    case grpcStatus.UNAUTHENTICATED:
    case grpcStatus.PERMISSION_DENIED:
      return `${error.details}; if the node was removed from the cluster, join anew with a token`;
    default:
      return error.details === '' ? error.message : error.details;
  }
}
