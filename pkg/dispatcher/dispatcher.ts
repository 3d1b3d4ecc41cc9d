/**
 * Where agents come in: it lets nodes join, gives each what it is to run, and writes down what they report. Invariant: a node has one session, and
 * its certificate opens nothing but its own. It decides nothing about pods: it carries what the API says to the nodes, and back.
 */
import { randomUUID } from 'node:crypto';
import { status as grpcStatus, Server, type ServerDuplexStream, type ServerUnaryCall, type sendUnaryData } from '@grpc/grpc-js';
import type { Registry } from 'prom-client';
import type { KubernetesObject } from '#api/object';
import { nodes as nodesResource } from '#api/shapes/resources';
import { backoffDelay } from '#base/backoff';
import type { Clock } from '#base/clock';
import { messageOf, StatusError } from '#base/errors';
import { aborted, type Runnable } from '#base/lifecycle';
import type { Logger } from '#base/logging';
import type { Client } from '#client/client';
import type { InformerSet } from '#client/informer-set';
import type { NodeConnector } from '#client/node-connector';
import { type AgentMessage, AgentService, EnrollmentService, type EnrollResponse, type Hello, type TunnelData } from '#rpc/generated/agent';
import { createDispatcherMetrics } from './dispatcher-metrics.ts';
import { createEnrollment, type NodeCertificateAuthority } from './enrollment.ts';
import { beginEra, type Eras } from './eras.ts';
import { createEventWriter } from './event-writer.ts';
import { AssignmentSources } from './node-assignments.ts';
import { type Call, codeOf, NodeSession, protocolVersion, type SessionServices } from './node-session.ts';
import { createNodeObjects } from './nodes.ts';
import { createRemovedVolumes } from './removed-volumes.ts';
import { createStatusWriter } from './status-writer.ts';
import { Streams } from './streams.ts';
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
  /** Sessions begin when the era has. */
  readonly #era: Promise<Eras>;
  #beginEra: (eras: Eras) => void = () => undefined;
  #listening = false;
  #stopped = false;

  constructor(options: DispatcherOptions) {
    const { client, clock, log } = options;
    this.#options = options;
    this.#era = new Promise((resolve) => {
      this.#beginEra = resolve;
    });
    this.#metrics = createDispatcherMetrics(options.registry);
    this.#certificates = new ServingCertificates(options.serving, options.authority.certificatePem);
    const nodes = createNodeObjects({ client, clusterCidr: options.clusterCidr, clock, log });
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
      incarnation: options.incarnation,
      cluster: { dnsDomain: options.domain, serviceCidr: options.serviceCidr, clusterCidr: options.clusterCidr },
      heartbeatMilliseconds: options.heartbeatMilliseconds ?? 5000,
      silenceMilliseconds: options.silenceMilliseconds ?? 40_000,
      clock,
      log,
    };
    this.#streams = new Streams({ session: (nodeName) => this.#sessions.get(nodeName), metrics: this.#metrics, clock });
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

  async run(signal: AbortSignal): Promise<void> {
    if (!this.#listening) await this.listen();
    const unsubscribe = this.#services.sources.all.map((informer) =>
      informer.onChange(({ object, old }) => {
        for (const session of this.#sessions.values()) session.note(informer, object, old);
      }),
    );
    await this.#openEra(signal);
    await this.#watchSilence(signal);
    await aborted(signal);
    this.#stopped = true;
    for (const stop of unsubscribe) stop();
    for (const timer of this.#silences.values()) timer.cancel();
    for (const session of [...this.#sessions.values()]) session.end(new StatusError('ServiceUnavailable', 'the server is stopping'));
    this.#server.forceShutdown();
  }

  async #openEra(signal: AbortSignal): Promise<void> {
    const { client, clock, log } = this.#options;
    for (let failures = 0; !signal.aborted; failures++) {
      try {
        const openedAt = this.#options.openedAt ?? Number((await client.list(nodesResource, { limit: 1 })).metadata.resourceVersion ?? 0);
        this.#beginEra(await beginEra(client, openedAt));
        return;
      } catch (error) {
        log.warn('the era of the store is not written yet; agents wait', { error: messageOf(error) });
        await clock.sleep(backoffDelay({ initial: 100, maximum: 5000 }, failures), signal).catch(() => undefined);
      }
    }
  }

  /** Nodes that were connected to this server before it was started anew, and do not come back. */
  async #watchSilence(signal: AbortSignal): Promise<void> {
    const informer = this.#options.informers.for(nodesResource);
    await informer.until(() => informer.hasSynced, signal).catch(() => undefined);
    if (signal.aborted) return;
    for (const { metadata } of informer.list()) this.#expectReturn(metadata.name ?? '');
  }

  #expectReturn(nodeName: string): void {
    if (this.#stopped || this.#sessions.has(nodeName)) return;
    this.#silences.get(nodeName)?.cancel();
    const { clock, silenceMilliseconds, nodes, log } = this.#services;
    const timer = clock.schedule(silenceMilliseconds, () => {
      this.#silences.delete(nodeName);
      if (this.#stopped || this.#sessions.has(nodeName)) return;
      log.warn('a node has fallen silent', { node: nodeName });
      nodes.markSilent(nodeName).catch((error: unknown) => {
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
    let session: NodeSession | undefined;
    let greeted = false;
    let over = false;
    call.on('data', (message: AgentMessage) => {
      if (session !== undefined) session.take(message);
      else if (message.message?.$case === 'hello' && !greeted) {
        const hello = message.message.value;
        greeted = true;
        // Before Welcome an agent says nothing but Hello.
        void this.#era.then((eras) => {
          if (!over) session = this.#begin(call, hello, identity.nodeName, eras);
        });
      } else refuse(call, new StatusError('BadRequest', 'the first message must be Hello'));
    });
    const onEnd = (): void => {
      over = true;
      session?.close();
      if (session !== undefined) this.#forget(session);
    };
    call.on('end', onEnd).on('cancelled', onEnd).on('close', onEnd);
    call.on('error', onEnd);
  }

  #begin(call: Call, hello: Hello, nodeName: string, eras: Eras): NodeSession | undefined {
    if (this.#stopped) {
      refuse(call, new StatusError('ServiceUnavailable', 'the server is stopping'));
      return undefined;
    }
    if (hello.nodeName !== nodeName) {
      refuse(call, new StatusError('Forbidden', `the certificate is node "${nodeName}"'s and opens nothing of "${hello.nodeName}"`));
      return undefined;
    }
    if (hello.protocolVersion !== protocolVersion) {
      refuse(
        call,
        new StatusError(
          'BadRequest',
          `the agent speaks protocol ${hello.protocolVersion}, this server ${protocolVersion}: update the older one`,
        ),
      );
      return undefined;
    }
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
