/**
 * Where agents come in: it lets nodes join, gives each what it is to run, and writes down what they report. Invariant: a node has one session, and
 * its certificate opens nothing but its own. It decides nothing about pods: it carries what the API says to the nodes, and back.
 */
import { randomUUID } from 'node:crypto';
import {
  status as grpcStatus,
  logVerbosity,
  Server,
  type ServerDuplexStream,
  type ServerUnaryCall,
  type sendUnaryData,
  setLogVerbosity,
} from '@grpc/grpc-js';
import type { Registry } from 'prom-client';
import type { KubernetesObject } from '#api/object';
import { nodes as nodesResource } from '#api/shapes/resources';
import type { Node } from '#api/shapes/types/core-v1';
import { backoffDelay } from '#base/backoff';
import type { Clock } from '#base/clock';
import { messageOf, StatusError } from '#base/errors';
import { aborted, type Runnable } from '#base/lifecycle';
import type { Logger } from '#base/logging';
import type { Client } from '#client/client';
import type { InformerSet } from '#client/informer-set';
import type { NodeConnector } from '#client/node-connector';
import {
  type AgentMessage,
  AgentService,
  EnrollmentService,
  type EnrollResponse,
  type Hello,
  type Servers,
  type TunnelData,
} from '#rpc/generated/agent';
import { createDispatcherMetrics } from './dispatcher-metrics.ts';
import { createEnrollment, type NodeCertificateAuthority } from './enrollment.ts';
import { type Eras, openEra } from './eras.ts';
import { createEventWriter } from './event-writer.ts';
import { AssignmentSources } from './node-assignments.ts';
import { type Call, codeOf, NodeSession, protocolVersion, type SessionServices } from './node-session.ts';
import { createNodeObjects, hasAgent, serverOf } from './nodes.ts';
import type { Peers } from './peers.ts';
import { createRemovedVolumes } from './removed-volumes.ts';
import { createStatusWriter } from './status-writer.ts';
import { Streams } from './streams.ts';
import { StreamsOnlySession } from './streams-only-session.ts';
import { nodeIdentityOf, ServingCertificates, type ServingPair } from './transport-security.ts';

export interface DispatcherOptions {
  /** For the user `system:berth:dispatcher`. */
  readonly client: Client;
  readonly informers: InformerSet;
  readonly authority: NodeCertificateAuthority;
  /** Signed by the authority, for the names by which agents dial. */
  readonly serving: ServingPair;
  /** Of the store. */
  readonly incarnation: string;
  /** The newest revision when this server opened the store, before it wrote anything; what a read at the beginning gives, unless given. */
  readonly openedAt?: number;
  /** Names the cluster to its nodes; the store's incarnation at the beginning, unless given. */
  readonly clusterId?: string;
  /** Other servers over the same store; unless given, there are none. */
  readonly peers?: Peers;
  /** All addresses unless given. */
  readonly host?: string;
  /** 0: any free one. */
  readonly port: number;
  readonly clusterCidr: string;
  readonly serviceCidr: string;
  readonly domain: string;
  readonly clock: Clock;
  readonly log: Logger;
  readonly registry: Registry;
  /** 5 s unless given. */
  readonly heartbeatMilliseconds?: number;
  /** How long a node may be silent before nothing is known of it; 40 s, as in Kubernetes, unless given. */
  readonly silenceMilliseconds?: number;
}

export interface Dispatcher extends Runnable {
  readonly connector: NodeConnector;
  /** Opens the agents' port and gives it. Throws when it is taken. */
  listen(): Promise<number>;
  /** Closes the agents' port, where it is not run after all. */
  abandon(): void;
  /** A new certificate for the agents' port; connections that are open stay. */
  replaceCertificate(pair: ServingPair): void;
  /** Nodes that are connected. */
  connected(): readonly string[];
}

export function createDispatcher(options: DispatcherOptions): Dispatcher {
  return new AgentDispatcher(options);
}

class AgentDispatcher implements Dispatcher {
  readonly name = 'dispatcher';
  readonly #options: DispatcherOptions;
  readonly #server: Server;
  readonly #certificates: ServingCertificates;
  readonly #streams: Streams;
  readonly #services: Omit<SessionServices, 'eras'>;
  readonly #sessions = new Map<string, NodeSession>();
  readonly #silences = new Map<string, { cancel(): void }>();
  readonly #encoded = new WeakMap<KubernetesObject, Uint8Array>();
  readonly #metrics;
  /** Connections of nodes whose session is with another server: for streams alone. */
  readonly #streamsOnly = new Map<string, StreamsOnlySession>();
  /** Sessions begin when the era has. */
  #era: Promise<Eras>;
  #beginEra: (eras: Eras) => void = () => undefined;
  #listening = false;
  #stopped = false;

  constructor(options: DispatcherOptions) {
    const { client, clock, log } = options;
    this.#options = options;
    this.#era = this.#nextEra();
    this.#metrics = createDispatcherMetrics(options.registry);
    this.#certificates = new ServingCertificates(options.serving, options.authority.certificatePem);
    const { peers } = options;
    const server = peers === undefined ? {} : { server: peers.own.name };
    const nodes = createNodeObjects({ client, clusterCidr: options.clusterCidr, ...server, clock, log });
    const sources = new AssignmentSources(options.informers);
    const enrollment = createEnrollment({
      client,
      authority: options.authority,
      nodes,
      clusterId: options.clusterId ?? options.incarnation,
      clock,
      log,
    });
    this.#services = {
      client,
      sources,
      nodes,
      statuses: createStatusWriter({ client, cache: sources.pods, clock, log }),
      events: createEventWriter(client, log),
      volumes: createRemovedVolumes(client),
      metrics: this.#metrics,
      servers: peers === undefined ? undefined : () => serversOf(peers),
      incarnation: options.incarnation,
      cluster: { dnsDomain: options.domain, serviceCidr: options.serviceCidr, clusterCidr: options.clusterCidr },
      heartbeatMilliseconds: options.heartbeatMilliseconds ?? 5000,
      silenceMilliseconds: options.silenceMilliseconds ?? 40_000,
      clock,
      log,
    };
    this.#streams = new Streams({
      session: (nodeName) => this.#sessions.get(nodeName) ?? this.#streamsOnly.get(nodeName),
      metrics: this.#metrics,
      clock,
    });
    this.#server = new Server({
      'grpc.max_receive_message_length': 64 * 1024 * 1024,
      'grpc.keepalive_time_ms': 20_000,
      'grpc.keepalive_timeout_ms': 10_000,
    });
    this.#server.addService(EnrollmentService, {
      enroll: unary(log, (call) => enrollment.enroll(call.request)),
    });
    this.#server.addService(AgentService, {
      connect: (call: Call) => this.#accept(call),
      renew: unary(log, (call) => enrollment.renew(call.request, nodeIdentityOf(call))),
      tunnel: (call: ServerDuplexStream<TunnelData, TunnelData>) => {
        const identity = nodeIdentityOf(call);
        const [streamId] = call.metadata.get('stream-id');
        if (identity === undefined) refuse(call, new StatusError('Unauthorized', 'a node certificate is needed'));
        else this.#streams.accept(call, identity.nodeName, String(streamId ?? ''));
      },
    });
  }

  get connector(): NodeConnector {
    return this.#streams;
  }

  connected(): readonly string[] {
    return [...this.#sessions.keys()];
  }

  replaceCertificate(pair: ServingPair): void {
    this.#certificates.replace(pair);
  }

  async listen(): Promise<number> {
    const { host = '[::]', port } = this.#options;
    const address = `${host.includes(':') && !host.startsWith('[') ? `[${host}]` : host}:${port}`;
    // grpc-js would write to the console what is thrown here with what to do.
    setLogVerbosity(logVerbosity.NONE);
    const bound = await new Promise<number>((resolve, reject) => {
      this.#server.bindAsync(address, this.#certificates.credentials, (error, actual) => {
        if (error === null) resolve(actual);
        else
          reject(
            new Error(`cannot open the agents' port ${address}: ${error.message}; choose another with --agent-port`, { cause: error }),
          );
      });
    });
    this.#listening = true;
    return bound;
  }

  abandon(): void {
    this.#server.forceShutdown();
  }

  async run(signal: AbortSignal): Promise<void> {
    if (!this.#listening) await this.listen();
    const unsubscribe = this.#services.sources.all.map((informer) =>
      informer.onChange(({ object, old }) => {
        for (const session of this.#sessions.values()) session.note(informer, object, old);
      }),
    );
    if (this.#options.peers !== undefined) unsubscribe.push(...this.#followPeers(this.#options.peers, signal));
    await this.#openEra(signal, this.#options.openedAt);
    await this.#watchSilence(signal);
    await aborted(signal);
    this.#stopped = true;
    for (const stop of unsubscribe) stop();
    for (const timer of this.#silences.values()) timer.cancel();
    this.#endSessions('the server is stopping');
    this.#server.forceShutdown();
  }

  #endSessions(why: string): void {
    for (const session of [...this.#sessions.values(), ...this.#streamsOnly.values()])
      session.end(new StatusError('ServiceUnavailable', why));
  }

  #nextEra(): Promise<Eras> {
    return new Promise((resolve) => {
      this.#beginEra = resolve;
    });
  }

  /** `from`: where it begins if it is a new one; where the store is now, unless given. */
  async #openEra(signal: AbortSignal, from?: number): Promise<void> {
    const { client, clock, log, peers } = this.#options;
    for (let failures = 0; !signal.aborted; failures++) {
      try {
        const openedAt = from ?? Number((await client.list(nodesResource, { limit: 1 })).metadata.resourceVersion ?? 0);
        this.#beginEra(await openEra({ client, openedAt, peers, clock, signal }));
        return;
      } catch (error) {
        if (signal.aborted) return;
        log.warn('the era of the store is not written yet; agents wait', { error: messageOf(error) });
        await clock.sleep(backoffDelay({ initial: 100, maximum: 5000 }, failures), signal).catch(() => undefined);
      }
    }
  }

  /** Follows who else serves which node. Gives what stops it. */
  #followPeers(peers: Peers, signal: AbortSignal): (() => void)[] {
    const nodes = this.#options.informers.for(nodesResource);
    peers.onLost(() => {
      if (signal.aborted) return;
      // Others have taken over what this server did: its agents begin anew, once it is known in which era.
      this.#era = this.#nextEra();
      this.#endSessions('this server was cut off from the others');
      void this.#openEra(signal);
    });
    const unfollow = peers.onChange(() => {
      for (const session of [...this.#sessions.values(), ...this.#streamsOnly.values()]) session.tellServers();
      for (const node of nodes.list()) if (hasAgent(node) && !isServedBy(node, peers)) this.#expectReturn(node.metadata.name ?? '', false);
    });
    const unwatch = nodes.onChange(({ object }) => {
      const session = this.#sessions.get(object.metadata.name ?? '');
      if (session?.isSupersededBy(object) !== true) return;
      this.#metrics.fenced.inc();
      session.end(new StatusError('Conflict', 'a newer session of this node has begun with another server'));
      this.#forget(session);
    });
    return [unfollow, unwatch];
  }

  /** Nodes that were connected to this server before it was started anew, and do not come back. */
  async #watchSilence(signal: AbortSignal): Promise<void> {
    const informer = this.#options.informers.for(nodesResource);
    await informer.until(() => informer.hasSynced, signal).catch(() => undefined);
    if (signal.aborted) return;
    for (const node of informer.list()) if (hasAgent(node)) this.#expectReturn(node.metadata.name ?? '');
  }

  /** `again`: the time begins anew for one that is expected already. */
  #expectReturn(nodeName: string, again = true): void {
    if (this.#stopped || this.#sessions.has(nodeName) || (!again && this.#silences.has(nodeName))) return;
    this.#silences.get(nodeName)?.cancel();
    const { clock, silenceMilliseconds, nodes, log } = this.#services;
    const { peers } = this.#options;
    // Where another server lives and has the node, that one says when it is silent.
    const isSilent = (node: Node): boolean => {
      if (this.#sessions.has(nodeName)) return false;
      if (peers !== undefined && serverOf(node) !== peers.own.name && isServedBy(node, peers)) return false;
      log.warn('a node has fallen silent', { node: nodeName });
      return true;
    };
    const timer = clock.schedule(silenceMilliseconds, () => {
      this.#silences.delete(nodeName);
      if (this.#stopped || this.#sessions.has(nodeName)) return;
      nodes.markSilent(nodeName, isSilent).catch((error: unknown) => {
        log.warn('a silent node could not be marked, trying again', { node: nodeName, error: messageOf(error) });
        this.#expectReturn(nodeName);
      });
    });
    this.#silences.set(nodeName, timer);
  }

  #accept(call: Call): void {
    const identity = nodeIdentityOf(call);
    if (identity === undefined) {
      refuse(call, new StatusError('Unauthorized', 'a node certificate of this cluster is needed: join with a token'));
      return;
    }
    let session: NodeSession | StreamsOnlySession | undefined;
    let greeted = false;
    let over = false;
    call.on('data', (message: AgentMessage) => {
      if (session !== undefined) session.take(message);
      else if (message.message?.$case === 'hello' && !greeted) {
        const hello = message.message.value;
        greeted = true;
        // Before Welcome an agent says nothing but Hello.
        if (hello.streamsOnly) session = this.#beginStreams(call, hello, identity.nodeName);
        else {
          void this.#era.then((eras) => {
            if (!over) session = this.#begin(call, hello, identity.nodeName, eras);
          });
        }
      } else refuse(call, new StatusError('BadRequest', 'the first message must be Hello'));
    });
    const onEnd = (): void => {
      over = true;
      session?.close();
      if (session instanceof NodeSession) this.#forget(session);
      else if (session !== undefined && this.#streamsOnly.get(session.nodeName) === session) {
        this.#streamsOnly.delete(session.nodeName);
        if (!this.#sessions.has(session.nodeName)) this.#streams.abandon(session.nodeName);
      }
    };
    call.on('end', onEnd).on('cancelled', onEnd).on('close', onEnd);
    call.on('error', onEnd);
  }

  #begin(call: Call, hello: Hello, nodeName: string, eras: Eras): NodeSession | undefined {
    if (!this.#admits(call, hello, nodeName)) return undefined;
    const older = this.#sessions.get(nodeName);
    if (older !== undefined) {
      this.#metrics.fenced.inc();
      older.end(new StatusError('Conflict', 'a newer session of this node has begun'));
    }
    const session = new NodeSession(randomUUID(), nodeName, call, hello, { ...this.#services, eras }, this.#encoded);
    this.#sessions.set(nodeName, session);
    this.#metrics.sessions.set(this.#sessions.size);
    this.#silences.get(nodeName)?.cancel();
    this.#options.log.info('an agent has connected', { node: nodeName, session: session.id, version: hello.agentVersion });
    session.run().catch((error: unknown) => {
      if (this.#sessions.get(nodeName) !== session) return;
      this.#options.log.warn('a session could not begin', { node: nodeName, error: messageOf(error) });
      session.end(error instanceof StatusError ? error : new StatusError('InternalError', messageOf(error)));
      this.#forget(session);
    });
    return session;
  }

  #beginStreams(call: Call, hello: Hello, nodeName: string): StreamsOnlySession | undefined {
    if (!this.#admits(call, hello, nodeName)) return undefined;
    this.#streamsOnly.get(nodeName)?.end(new StatusError('Conflict', 'a newer connection of this node has begun'));
    const session = new StreamsOnlySession(nodeName, call, this.#services.servers);
    this.#streamsOnly.set(nodeName, session);
    return session;
  }

  /** Refuses the call where it is not the node's own, or not of this protocol. */
  #admits(call: Call, hello: Hello, nodeName: string): boolean {
    const refusal = this.#stopped
      ? new StatusError('ServiceUnavailable', 'the server is stopping')
      : hello.nodeName !== nodeName
        ? new StatusError('Forbidden', `the certificate is node "${nodeName}"'s and opens nothing of "${hello.nodeName}"`)
        : hello.protocolVersion !== protocolVersion
          ? new StatusError(
              'BadRequest',
              `the agent speaks protocol ${hello.protocolVersion}, this server ${protocolVersion}: update the older one`,
            )
          : undefined;
    if (refusal !== undefined) refuse(call, refusal);
    return refusal === undefined;
  }

  #forget(session: NodeSession): void {
    const { nodeName } = session;
    if (this.#sessions.get(nodeName) !== session) return;
    this.#sessions.delete(nodeName);
    this.#metrics.sessions.set(this.#sessions.size);
    this.#streams.abandon(nodeName);
    this.#options.log.info('an agent has disconnected', { node: nodeName });
    this.#expectReturn(nodeName);
  }
}

/** Whether the server that the node's agent was last connected to lives. */
function isServedBy(node: Node, peers: Peers): boolean {
  const server = serverOf(node);
  return peers.members.some(({ name }) => name === server);
}

function serversOf({ own, members }: Peers): Servers {
  return { own: own.name, servers: members.flatMap(({ name, agents }) => (agents === undefined ? [] : [{ name, address: agents }])) };
}

function refuse(call: { emit(event: 'error', error: object): boolean }, error: StatusError): void {
  call.emit('error', { code: grpcStatus[codeOf(error)], details: error.message });
}

function unary<Request>(log: Logger, handle: (call: ServerUnaryCall<Request, EnrollResponse>) => Promise<EnrollResponse>) {
  return (call: ServerUnaryCall<Request, EnrollResponse>, done: sendUnaryData<EnrollResponse>): void => {
    handle(call).then(
      (response) => done(null, response),
      (error: unknown) => {
        const status = error instanceof StatusError ? error : new StatusError('InternalError', messageOf(error));
        if (status.reason === 'InternalError') log.error('a call of an agent failed', { error: messageOf(error) });
        done({ code: grpcStatus[codeOf(status)], details: status.message });
      },
    );
  };
}
