/**
 * The cluster as a verb sees it: which server, which namespace, a typed client, and raw requests for what has no type (tables, logs, discovery).
 * One per command; it is made without a word to the server.
 */

import type { ClientRequest, IncomingMessage } from 'node:http';
import { Agent, request as httpsRequest, type RequestOptions } from 'node:https';
import type { Duplex, Readable } from 'node:stream';
import type { ResourceType } from '#api/object';
import { type Clock, systemClock } from '#base/clock';
import { codeOf, messageOf, StatusError } from '#base/errors';
import type { Client } from '#client/client';
import { createHttpTransport } from '#client/http-transport';
import { type ConnectionOptions, connectionOf, kubeconfigPaths, loadKubeconfig } from '#client/kubeconfig';
import { createClient } from '#client/typed-client';
import { parseSeconds } from './durations.ts';
import { berthHome } from './home.ts';
import { type DiscoveryDocument, ResourceMapper } from './resource-mapper.ts';
import { printable } from './text-table.ts';
import { UsageError, type VerbContext } from './verb.ts';

/** The flags of the program itself. */
export interface GlobalFlags {
  readonly kubeconfig?: string;
  readonly context?: string;
  readonly namespace?: string;
  readonly requestTimeout?: string;
}

export interface RawRequest {
  readonly method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** With its query, from the root: `/api/v1/pods?watch=true`. */
  readonly path: string;
  readonly accept?: string;
  readonly contentType?: string;
  readonly body?: string;
}

/** What a connection needs of its surroundings. */
export interface ConnectionContext {
  readonly clock?: Clock;
  /** How long a request may take to its end, in milliseconds; unless given, its first word is waited for so long as is fit. */
  readonly requestTimeout?: number;
  /** Takes the warnings that come with answers; they are dropped unless given. */
  readonly warn?: (text: string) => void;
}

/** A server that answers nothing for so long is not waited for; what it sends after its first word may take its time. */
const answerWithin = 30_000;

const discoveryAccept = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json';

export class Connection {
  readonly namespace: string;
  readonly client: Client;
  readonly options: ConnectionOptions;
  /** For those who open sockets of their own. */
  readonly tls: TlsOptions;
  readonly #agent: Agent;
  readonly #signal: AbortSignal;
  readonly #clock: Clock;
  readonly #requestTimeout: number | undefined;
  readonly #warn: (text: string) => void;
  readonly #close: () => void;
  #mapper: Promise<ResourceMapper> | undefined;
  readonly #expired = new WeakSet<Readable>();

  constructor(options: ConnectionOptions, namespace: string, signal: AbortSignal, context: ConnectionContext = {}) {
    this.options = options;
    this.namespace = namespace;
    this.#signal = signal;
    this.#clock = context.clock ?? systemClock;
    this.#requestTimeout = context.requestTimeout;
    // One that comes with several answers is told once.
    const told = new Set<string>();
    this.#warn = (text) => {
      if (!told.has(text)) context.warn?.(text);
      told.add(text);
    };
    this.tls = tlsOptions(options);
    this.#agent = new Agent({ keepAlive: true, ...this.tls });
    const transport = createHttpTransport(options, { warn: this.#warn });
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

  /** Whether --request-timeout ended this stream: a watch then ends as one that its reader has had enough of. */
  hasExpired(stream: Readable): boolean {
    return this.#expired.has(stream);
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

  /** Opens a request for whoever speaks another protocol over it; the socket and what it sent already. Throws the `StatusError` of a refusal. */
  async upgrade(path: string, headers: Readonly<Record<string, string>>): Promise<{ readonly socket: Duplex; readonly head: Buffer }> {
    const { outgoing, response, settled } = this.#open({ method: 'POST', path }, { agent: false, headers });
    const upgraded = new Promise<{ socket: Duplex; head: Buffer }>((resolve) => {
      outgoing.once('upgrade', (_response, socket, head) => resolve({ socket, head }));
    });
    outgoing.end();
    try {
      const answer = await Promise.race([upgraded, response]);
      if ('socket' in answer && 'head' in answer) return answer;
      throw parseFailure(answer.statusCode ?? 500, await readAll(answer));
    } finally {
      settled();
    }
  }

  async #send(request: RawRequest): Promise<IncomingMessage> {
    const { outgoing, response, settled } = this.#open(request, {
      agent: this.#agent,
      headers: {
        accept: request.accept ?? 'application/json',
        ...(request.contentType === undefined ? {} : { 'content-type': request.contentType }),
        // Of a DELETE, Node does not say by itself how long its body is.
        ...(request.body === undefined ? {} : { 'content-length': String(Buffer.byteLength(request.body)) }),
      },
    });
    outgoing.end(request.body);
    try {
      const answer = await response;
      for (const text of warningsOf(answer)) this.#warn(text);
      return answer;
    } finally {
      settled();
    }
  }

  /** A request that its caller ends; `settled` is to be called when it was answered: until then it is given up after a while. */
  #open(
    request: Pick<RawRequest, 'method' | 'path'>,
    options: Pick<RequestOptions, 'agent'> & { readonly headers: Readonly<Record<string, string>> },
  ): { readonly outgoing: ClientRequest; readonly response: Promise<IncomingMessage>; settled(): void } {
    const { server, token } = this.options;
    const outgoing = httpsRequest(new URL(request.path, server), {
      method: request.method ?? 'GET',
      agent: options.agent,
      signal: this.#signal,
      ...(options.agent === false ? this.tls : {}),
      headers: { ...options.headers, ...(token === undefined ? {} : { authorization: `Bearer ${token}` }) },
    });
    const limit = this.#requestTimeout;
    let answer: IncomingMessage | undefined;
    outgoing.once('response', (response) => {
      answer = response;
    });
    const slow = this.#clock.schedule(limit ?? answerWithin, () => {
      if (answer !== undefined) this.#expired.add(answer);
      outgoing.destroy(new SilentServerError());
    });
    if (limit !== undefined) outgoing.once('close', () => slow.cancel());
    const response = new Promise<IncomingMessage>((resolve, reject) => {
      outgoing.once('response', resolve);
      outgoing.on('error', (error) => reject(this.#signal.aborted ? this.#signal.reason : unreachable(server, error)));
    });
    response.catch(() => undefined);
    return { outgoing, response, settled: () => (limit === undefined ? slow.cancel() : undefined) };
  }
}

/** The server took longer than it may. */
class SilentServerError extends Error {
  override readonly name = 'SilentServerError';
  constructor() {
    super('the server took too long');
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
  return new Connection(options, flags.namespace ?? options.namespace ?? 'default', context.signal, {
    clock: context.clock,
    ...(flags.requestTimeout === undefined || Number.parseFloat(flags.requestTimeout) === 0
      ? {}
      : { requestTimeout: parseSeconds('--request-timeout', flags.requestTimeout) * 1000 }),
    warn: (text) => void context.stderr.write(`Warning: ${printable(text)}\n`),
  });
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

/** The texts of an answer's Warning headers (RFC 7234, code 299). */
function warningsOf(answer: IncomingMessage): string[] {
  return [...(answer.headers.warning ?? '').matchAll(/299 \S+ "((?:[^"\\]|\\.)*)"/g)].map(([, text = '']) =>
    Buffer.from(text.replaceAll(/\\(.)/g, '$1'), 'latin1').toString('utf8'),
  );
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
  const options = { unreachable: true };
  if (error instanceof SilentServerError) {
    const next = 'Is its process stopped, or its machine overloaded? Its log is in $BERTH_HOME/logs.';
    return new UsageError(`the server ${server} has not answered in time`, next, options);
  }
  if (code === 'ECONNREFUSED' || code === 'ENOTFOUND' || code === 'EHOSTUNREACH' || code === 'ETIMEDOUT') {
    const next = '`berth up` starts a server on this machine; its log is in $BERTH_HOME/logs.';
    return new UsageError(`the server ${server} cannot be reached (${code})`, next, options);
  }
  return new UsageError(`the connection to ${server} failed: ${messageOf(error)}`, undefined, { unreachable: code === 'ECONNRESET' });
}
