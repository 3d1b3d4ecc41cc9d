/** A connection of a node whose session is with another server: streams to the node can be asked for here as well, and nothing else. */
import { status as grpcStatus } from '@grpc/grpc-js';
import type { StatusError } from '#base/errors';
import type { AgentMessage, OpenStream, ServerMessage, Servers } from '#rpc/generated/agent';
import { type Call, codeOf } from './node-session.ts';

export class StreamsOnlySession {
  readonly nodeName: string;
  readonly #call: Call;
  readonly #servers: (() => Servers) | undefined;
  #ended = false;

  constructor(nodeName: string, call: Call, servers: (() => Servers) | undefined) {
    this.nodeName = nodeName;
    this.#call = call;
    this.#servers = servers;
    this.tellServers();
  }

  /** To be called when the servers have changed. */
  tellServers(): void {
    const servers = this.#servers?.();
    if (servers !== undefined) this.#send({ $case: 'servers', value: servers });
  }

  take({ message }: AgentMessage): void {
    if (message?.$case === 'heartbeat') this.#send({ $case: 'heartbeat', value: { sequence: message.value.sequence } });
  }

  openStream(streamId: string, target: NonNullable<OpenStream['target']>): void {
    this.#send({ $case: 'openStream', value: { streamId, target } });
  }

  /** Ends it; the reason is what the agent is told. */
  end(reason: StatusError): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#call.emit('error', { code: grpcStatus[codeOf(reason)], details: reason.message });
  }

  /** The agent has hung up. */
  close(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#call.end();
  }

  #send(message: NonNullable<ServerMessage['message']>): void {
    if (!this.#ended) this.#call.write({ message });
  }
}
