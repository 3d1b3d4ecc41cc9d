/** Streams to nodes: asked for over a node's session, dialled back by its agent, and matched here by an id that nobody can guess. */
import { randomUUID } from 'node:crypto';
import type { Duplex } from 'node:stream';
import { status as grpcStatus, type ServerDuplexStream } from '@grpc/grpc-js';
import type { Clock } from '#base/clock';
import { StatusError } from '#base/errors';
import type { NodeConnector, StreamTarget } from '#client/node-connector';
import type { OpenStream, TunnelData } from '#rpc/generated/agent';
import { failureOf, tunnelStream } from '#rpc/tunnel';
import type { DispatcherMetrics } from './dispatcher-metrics.ts';

export interface StreamSession {
  openStream(streamId: string, target: NonNullable<OpenStream['target']>): void;
}

export interface StreamsOptions {
  /** The node's session; undefined when it is not connected. */
  readonly session: (nodeName: string) => StreamSession | undefined;
  readonly metrics: DispatcherMetrics;
  readonly clock: Clock;
}

interface Waiting {
  readonly nodeName: string;
  readonly resolve: (stream: Duplex) => void;
  readonly reject: (error: unknown) => void;
}

const openTimeout = 30_000;

export class Streams implements NodeConnector {
  readonly #options: StreamsOptions;
  readonly #waiting = new Map<string, Waiting>();

  constructor(options: StreamsOptions) {
    this.#options = options;
  }

  async connect(nodeName: string, target: StreamTarget, signal: AbortSignal): Promise<Duplex> {
    signal.throwIfAborted();
    const session = this.#options.session(nodeName);
    if (session === undefined) {
      throw new StatusError(
        'ServiceUnavailable',
        `node "${nodeName}" is not connected: look at its agent ("kubectl describe node ${nodeName}" says since when)`,
      );
    }
    const streamId = randomUUID();
    const stream = await new Promise<Duplex>((resolve, reject) => {
      const end = (): void => {
        this.#waiting.delete(streamId);
        timer.cancel();
        signal.removeEventListener('abort', onAbort);
      };
      const onAbort = (): void => {
        end();
        reject(signal.reason);
      };
      const timer = this.#options.clock.schedule(openTimeout, () => {
        end();
        reject(new StatusError('Timeout', `node "${nodeName}" did not open the stream in time`));
      });
      signal.addEventListener('abort', onAbort, { once: true });
      this.#waiting.set(streamId, {
        nodeName,
        resolve: (opened) => {
          end();
          resolve(opened);
        },
        reject: (error) => {
          end();
          reject(error);
        },
      });
      session.openStream(streamId, encodeTarget(target));
    });
    const onAbort = (): void => void stream.destroy();
    signal.addEventListener('abort', onAbort, { once: true });
    this.#options.metrics.tunnels.inc();
    stream.once('close', () => {
      signal.removeEventListener('abort', onAbort);
      this.#options.metrics.tunnels.dec();
    });
    return stream;
  }

  /** A call that an agent has dialled. */
  accept(call: ServerDuplexStream<TunnelData, TunnelData>, nodeName: string, streamId: string): void {
    const waiting = this.#waiting.get(streamId);
    if (waiting === undefined || waiting.nodeName !== nodeName) {
      call.emit('error', { code: grpcStatus.NOT_FOUND, details: 'nobody waits for this stream' });
      return;
    }
    const onFirst = (first: TunnelData): void => {
      call.pause();
      call.off('error', onEarly).off('end', onEarly).off('cancelled', onEarly);
      if (first.failureCode > 0) {
        waiting.reject(failureOf(first));
        call.end();
        return;
      }
      const stream = tunnelStream(call, () => call.destroy());
      // Between this and its first user nobody listens, and that must not end the process; `close` follows in any case.
      stream.on('error', () => undefined);
      if (first.data.length > 0) stream.unshift(first.data);
      waiting.resolve(stream);
    };
    const onEarly = (): void => {
      call.off('data', onFirst);
      waiting.reject(new StatusError('ServiceUnavailable', `the connection to node "${nodeName}" broke`));
    };
    call.once('data', onFirst).once('error', onEarly).once('end', onEarly).once('cancelled', onEarly);
  }

  /** The node's session is over: nobody will dial for it. */
  abandon(nodeName: string): void {
    for (const waiting of [...this.#waiting.values()]) {
      if (waiting.nodeName === nodeName)
        waiting.reject(new StatusError('ServiceUnavailable', `the connection to node "${nodeName}" broke`));
    }
  }
}

function encodeTarget(target: StreamTarget): NonNullable<OpenStream['target']> {
  switch (target.type) {
    case 'logs':
      return {
        $case: 'logs',
        value: {
          namespace: target.namespace,
          pod: target.pod,
          podUid: target.podUid,
          container: target.container,
          follow: target.follow,
          previous: target.previous,
          timestamps: target.timestamps,
          tailLines: target.tailLines === undefined ? undefined : BigInt(target.tailLines),
          limitBytes: target.limitBytes === undefined ? undefined : BigInt(target.limitBytes),
          sinceMilliseconds: target.sinceMilliseconds === undefined ? undefined : BigInt(Math.floor(target.sinceMilliseconds)),
        },
      };
    case 'exec':
    case 'attach': {
      const { podUid, container, stdin, stdout, stderr, tty } = target;
      const command = target.type === 'exec' ? [...target.command] : [];
      return { $case: target.type, value: { podUid, container, command, stdin, stdout, stderr, tty } };
    }
    case 'portForward':
      return { $case: 'portForward', value: { podUid: target.podUid, ports: [...target.ports] } };
    case 'agentHttp':
      return { $case: 'agentHttp', value: { path: target.path } };
  }
}
