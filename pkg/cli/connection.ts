/**
 * The cluster as a verb sees it: which server, which namespace, a typed client, and raw requests for what has no type (tables, logs, discovery).
 * One per command; it is made without a word to the server.
 */

import type { IncomingMessage } from 'node:http';
import { Agent, request as httpsRequest, type RequestOptions } from 'node:https';
import type { Readable } from 'node:stream';
import type { ResourceType } from '#api/object';
import { codeOf, messageOf, StatusError } from '#base/errors';
import type { Client } from '#client/client';
import { createHttpTransport } from '#client/http-transport';
import { type ConnectionOptions, connectionOf, kubeconfigPaths, loadKubeconfig } from '#client/kubeconfig';
import { createClient } from '#client/typed-client';
import { berthHome } from './home.ts';
import { type DiscoveryDocument, ResourceMapper } from './resource-mapper.ts';
import { UsageError, type VerbContext } from './verb.ts';

/** The flags of the program itself. */
export interface GlobalFlags {
  readonly kubeconfig?: string;
  readonly context?: string;
  readonly namespace?: string;
}

export interface RawRequest {
  readonly method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** With its query, from the root: `/api/v1/pods?watch=true`. */
  readonly path: string;
  readonly accept?: string;
  readonly contentType?: string;
  readonly body?: string;
}

const discoveryAccept = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json';

export class Connection {
  readonly namespace: string;
  readonly client: Client;
  readonly options: ConnectionOptions;
  /** For those who open sockets of their own. */
  readonly tls: TlsOptions;
  readonly #agent: Agent;
  readonly #signal: AbortSignal;
  readonly #close: () => void;
  #mapper: Promise<ResourceMapper> | undefined;

  constructor(options: ConnectionOptions, namespace: string, signal: AbortSignal) {
    this.options = options;
    this.namespace = namespace;
    this.#signal = signal;
    this.tls = tlsOptions(options);
    this.#agent = new Agent({ keepAlive: true, ...this.tls });
    const transport = createHttpTransport(options);
    this.client = createClient(transport);
    this.#close = () => void transport.close();
  }

  /** The server's reply as a stream; an answer of 400 or more is thrown as the `StatusError` in it. */
  async stream(request: RawRequest): Promise<Readable> {
    const response = await this.#send(request);
    if ((response.statusCode ?? 500) < 400) return response;
    throw parseFailure(response.statusCode ?? 500, await readAll(response));
  }

  async json<T>(request: RawRequest): Promise<T> {
    return JSON.parse(await readAll(await this.stream(request))) as T;
  }

  /** What the server serves; asked once. */
  mapper(): Promise<ResourceMapper> {
    this.#mapper ??= Promise.all(['/api', '/apis'].map((path) => this.json<DiscoveryDocument>({ path, accept: discoveryAccept }))).then(
      (documents) => new ResourceMapper(documents),
    );
    return this.#mapper;
  }

  close(): void {
    this.#agent.destroy();
    this.#close();
  }

  #send(request: RawRequest): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const url = new URL(request.path, this.options.server);
      const options: RequestOptions = {
        method: request.method ?? 'GET',
        agent: this.#agent,
        signal: this.#signal,
        headers: {
          accept: request.accept ?? 'application/json',
          ...(request.contentType === undefined ? {} : { 'content-type': request.contentType }),
          ...(this.options.token === undefined ? {} : { authorization: `Bearer ${this.options.token}` }),
        },
      };
      const outgoing = httpsRequest(url, options, resolve);
      outgoing.on('error', (error) => reject(this.#signal.aborted ? this.#signal.reason : unreachable(this.options.server, error)));
      outgoing.end(request.body);
    });
  }
}

/** The path of a collection, or of one object in it. */
export function pathOf(resource: ResourceType, namespace: string | undefined, name?: string, subresource?: string): string {
  const root = resource.group === '' ? `/api/${resource.version}` : `/apis/${resource.group}/${resource.version}`;
  const scope = resource.namespaced && namespace !== undefined ? `/namespaces/${encodeURIComponent(namespace)}` : '';
  const rest = [name, subresource].filter((part) => part !== undefined).map((part) => `/${encodeURIComponent(part)}`);
  return `${root}${scope}/${resource.plural}${rest.join('')}`;
}

type TlsOptions = Pick<RequestOptions, 'ca' | 'cert' | 'key' | 'servername' | 'rejectUnauthorized'>;

/** Opens the cluster that flags and environment name. Throws `UsageError` that says how to get one. */
export async function connect(context: VerbContext, flags: GlobalFlags): Promise<Connection> {
  const home = berthHome(context);
  const paths = kubeconfigPaths(flags.kubeconfig, context.environment.KUBECONFIG, [home.kubeconfig]);
  const config = await loadKubeconfig(paths);
  if (config.clusters.length === 0) {
    throw new UsageError(
      `there is no cluster to talk to: ${paths.join(', ')} ${paths.length === 1 ? 'does' : 'do'} not exist or name none`,
      '`berth up` starts one on this machine; --kubeconfig names another.',
    );
  }
  let options: ConnectionOptions;
  try {
    options = await connectionOf(config, flags.context);
  } catch (error) {
    throw new UsageError(messageOf(error));
  }
  return new Connection(options, flags.namespace ?? options.namespace ?? 'default', context.signal);
}

/** Runs `action` with a connection and closes it afterwards. */
export async function withConnection<T>(
  context: VerbContext,
  flags: GlobalFlags,
  action: (connection: Connection) => Promise<T>,
): Promise<T> {
  const connection = await connect(context, flags);
  try {
    return await action(connection);
  } finally {
    connection.close();
  }
}

function tlsOptions(options: ConnectionOptions): TlsOptions {
  return {
    ...(options.certificateAuthority === undefined ? {} : { ca: options.certificateAuthority }),
    ...(options.clientCertificate === undefined
      ? {}
      : { cert: options.clientCertificate, ...(options.clientKey === undefined ? {} : { key: options.clientKey }) }),
    ...(options.tlsServerName === undefined ? {} : { servername: options.tlsServerName }),
    ...(options.insecureSkipTlsVerify === true ? { rejectUnauthorized: false } : {}),
  };
}

async function readAll(stream: Readable): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}

function parseFailure(code: number, text: string): StatusError {
  try {
    return StatusError.fromStatus(JSON.parse(text) as object);
  } catch {
    return new StatusError('InternalError', `the server answered ${code}: ${text.slice(0, 500)}`, { code });
  }
}

function unreachable(server: string, error: unknown): Error {
  const code = codeOf(error);
  if (code === 'ECONNREFUSED' || code === 'ENOTFOUND' || code === 'EHOSTUNREACH' || code === 'ETIMEDOUT') {
    return new UsageError(
      `the server ${server} cannot be reached (${code})`,
      '`berth up` starts a server on this machine; its log is in $BERTH_HOME/logs.',
    );
  }
  return new UsageError(`the connection to ${server} failed: ${messageOf(error)}`);
}
