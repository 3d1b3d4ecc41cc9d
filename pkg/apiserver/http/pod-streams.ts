/**
 * A pod's logs and the streams that take over a connection: who may, which pod, which container; then the node's bytes.
 */
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { KubernetesObject } from '#api/object';
import type { Pod } from '#api/shapes/types/core-v1';
import type { Clock } from '#base/clock';
import { StatusError } from '#base/errors';
import type { AttachTarget, ExecTarget, NodeConnector, PortForwardTarget } from '#client/node-connector';
import { type Authorizer, mustBeAllowed } from '../authorization/authorizer.ts';
import type { UserInfo } from '../request-context.ts';
import type { Exchange } from './exchange.ts';
import type { ResourcePath } from './path.ts';
import { breakOff, pipeTo, sendBytes } from './reply.ts';
import { convert, convertedProtocols } from './stream-conversion.ts';
import { attachStream, execStream, logStream, portForwardStream } from './stream-targets.ts';
import { isConverted, tunnel, upgradeRequestBytes } from './upgrade.ts';

/** Subresources of pods that are streams. */
export type PodStream = 'log' | 'exec' | 'attach' | 'portforward';

const podStreams: ReadonlySet<string> = new Set<PodStream>(['log', 'exec', 'attach', 'portforward']);

export interface PodStreamsOptions {
  readonly connector: NodeConnector;
  readonly authorizers: readonly Authorizer[];
  /** The pod as the server itself sees it. Throws `NotFound`. */
  readonly getPod: (namespace: string, name: string) => Promise<KubernetesObject>;
  readonly clock: Clock;
}

/** The node's end of a stream. */
interface OpenedStream {
  /** Hands the client's connection over to it; resolves when both are closed. */
  join(client: Duplex, head: Buffer): Promise<void>;
}

/** Which stream a path opens; undefined when it is none. */
export function podStreamOf(path: ResourcePath): PodStream | undefined {
  const { group, version, plural, namespace, name, subresource, rest } = path;
  if (group !== '' || version !== 'v1' || plural !== 'pods' || namespace === undefined || name === undefined || rest !== undefined) {
    return undefined;
  }
  return subresource !== undefined && podStreams.has(subresource) ? (subresource as PodStream) : undefined;
}

export class PodStreams {
  readonly #options: PodStreamsOptions;

  constructor(options: PodStreamsOptions) {
    this.#options = options;
  }

  /** Sends a log: as it is read, until it ends or the client goes. */
  async log(exchange: Exchange, user: UserInfo, path: ResourcePath): Promise<void> {
    const { connector, clock } = this.#options;
    const pod = await this.#pod(user, 'get', path);
    const { nodeName, target } = logStream(pod, exchange.query, clock.now());
    const { response } = exchange;
    if (nodeName === undefined || nodeName === '') {
      await sendBytes(response, 200, 'text/plain', new Uint8Array());
      return;
    }
    exchange.becomeLongRunning();
    const stream = await connector.connect(nodeName, target, exchange.signal);
    exchange.seat?.leave();
    response.writeHead(200, { 'content-type': 'text/plain', 'cache-control': 'no-cache, private' });
    if ('flushHeaders' in response) response.flushHeaders();
    await new Promise<void>((resolve) => {
      // A log that breaks off must not look like one that ended.
      stream.once('error', () => breakOff(response));
      response.once('close', () => {
        stream.destroy();
        resolve();
      });
      pipeTo(response, stream);
    });
  }

  /** Checks an upgrade request and opens the node's end. Nothing is written to the client before this has resolved. */
  async open(
    request: IncomingMessage,
    user: UserInfo,
    path: ResourcePath,
    query: URLSearchParams,
    signal: AbortSignal,
  ): Promise<OpenedStream> {
    const pod = await this.#pod(user, request.method === 'POST' ? 'create' : 'get', path);
    const { nodeName, target } = targetOf(pod, path, query);
    const converted = isConverted(request, convertedProtocols[target.type]);
    const node = await this.#options.connector.connect(nodeName, target, signal);
    if (converted) return { join: await convert(request, node, target) };
    return {
      join: async (client, head) => {
        node.write(upgradeRequestBytes(request));
        if (head.length > 0) node.write(head);
        await tunnel(client, node);
      },
    };
  }

  async #pod(user: UserInfo, verb: string, path: ResourcePath): Promise<Pod> {
    const { name = '', namespace = '', subresource = '' } = path;
    await mustBeAllowed(this.#options.authorizers, {
      user,
      verb,
      group: '',
      version: 'v1',
      resource: 'pods',
      subresource,
      namespace,
      name,
    });
    return (await this.#options.getPod(namespace, name)) as Pod;
  }
}

type PodTarget = ExecTarget | AttachTarget | PortForwardTarget;

function targetOf(pod: Pod, path: ResourcePath, query: URLSearchParams): { readonly nodeName: string; readonly target: PodTarget } {
  switch (path.subresource ?? '') {
    case 'exec':
      return execStream(pod, query);
    case 'attach':
      return attachStream(pod, query);
    case 'portforward':
      return portForwardStream(pod, query);
    default:
      throw new StatusError('BadRequest', `${path.subresource ?? ''} takes no upgrade request`);
  }
}
