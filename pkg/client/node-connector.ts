/**
 * How a verb reaches what only a node has: logs, the runtime's streams, the agent's own figures. The dispatcher provides
 * it (in this process today, from wherever the node's tunnel ends later) and it is injected into the verbs, so that neither imports the other.
 */
import type { Duplex } from 'node:stream';

export interface NodeConnector {
  /**
   * Opens one stream to a node. Resolves once the agent has opened the target, so that every refusal comes as an error and none as bytes.
   *
   * What the stream carries:
   * - `logs`, `agentHttp`: bytes from the agent alone; it ends when they end. Destroying it stops the reading on the node.
   * - `exec`, `attach`, `portForward`: the caller writes one whole HTTP/1.1 upgrade request as the client sent it (the agent replaces
   *   its target), then both directions pass through byte for byte to the runtime's streaming server and back, half-closes included.
   *
   * Throws `StatusError`: `NotFound` (no such pod or container on that node), `BadRequest` (nothing to show yet, e.g. the container is
   * still waiting), `ServiceUnavailable` (the node is not connected, or its runtime is away), `Timeout` (it did not answer in time).
   * Rejects with the signal's reason when aborted first; aborting later destroys the stream.
   */
  connect(nodeName: string, target: StreamTarget, signal: AbortSignal): Promise<Duplex>;
}

/** What to open on the node; mirrors `OpenStream` of the agent protocol. */
export type StreamTarget = LogTarget | ExecTarget | AttachTarget | PortForwardTarget | AgentHttpTarget;

export interface LogTarget {
  readonly type: 'logs';
  readonly namespace: string;
  readonly pod: string;
  readonly podUid: string;
  readonly container: string;
  /** Go on with what is written later, until the container has ended and its file is drained. */
  readonly follow: boolean;
  /** The container before the present one. */
  readonly previous: boolean;
  readonly timestamps: boolean;
  /** Absent: all. */
  readonly tailLines?: number;
  readonly limitBytes?: number;
  /** Milliseconds since 1970; absent: from the beginning. */
  readonly sinceMilliseconds?: number;
}

export interface ExecTarget {
  readonly type: 'exec';
  readonly podUid: string;
  readonly container: string;
  readonly command: readonly string[];
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  readonly tty: boolean;
}

export interface AttachTarget {
  readonly type: 'attach';
  readonly podUid: string;
  readonly container: string;
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  readonly tty: boolean;
}

export interface PortForwardTarget {
  readonly type: 'portForward';
  readonly podUid: string;
  /** May be empty: SPDY clients name the ports in their stream headers. */
  readonly ports: readonly number[];
}

export interface AgentHttpTarget {
  readonly type: 'agentHttp';
  /** `/metrics`, `/metrics/cadvisor`, `/metrics/resource`, `/stats/summary`. The stream carries the response's body. */
  readonly path: string;
}
