/** The API over HTTPS: writes an `ApiRequest` into an HTTP request, and reads the object, list, Status or events of the answer. */
import type { ClientHttp2Stream, IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http2';
import { maximumBodyBytes } from '#api/limits';
import { apiVersionOf } from '#api/object';
import { type Clock, systemClock } from '#base/clock';
import { messageOf, type Status, StatusError } from '#base/errors';
import { HttpSession, unreachable, wasRefused } from './http-session.ts';
import type { ConnectionOptions } from './kubeconfig.ts';
import { RetryAfter } from './retry-after.ts';
import type {
  ApiRequest,
  DeleteOptions,
  ListOptions,
  NamedTarget,
  Target,
  Transport,
  WatchEvent,
  WatchOptions,
  WatchRequest,
  WriteOptions,
} from './transport.ts';

/** What the server refuses for now, and says when to ask again (429, and for reads 5xx), is asked again a few times, as Kubernetes' clients do. */
export interface HttpTransport extends Transport {
  /** Ends the connection, with all requests and watches on it. */
  close(): Promise<void>;
}

export interface HttpTransportOptions {
  readonly userAgent?: string;
  /** Takes the warnings that come with answers; they are dropped unless given. */
  readonly warn?: (text: string) => void;
  /** For waits between attempts; the machine's unless given. */
  readonly clock?: Clock;
}

export function createHttpTransport(connection: ConnectionOptions, options: HttpTransportOptions = {}): HttpTransport {
  return new Http2Transport(connection, options);
}

interface Call {
  readonly method: string;
  readonly path: string;
  readonly contentType?: string;
  readonly body?: Buffer;
}

const patchContentTypes = {
  json: 'application/json-patch+json',
  merge: 'application/merge-patch+json',
  strategic: 'application/strategic-merge-patch+json',
  apply: 'application/apply-patch+yaml',
} as const;

/** A line of a watch may be as long as the largest object, and some more. */
const longestEvent = 8 * 1024 * 1024;

class Http2Transport implements HttpTransport {
  readonly #connection: ConnectionOptions;
  readonly #options: HttpTransportOptions;
  readonly #session: HttpSession;

  constructor(connection: ConnectionOptions, options: HttpTransportOptions) {
    this.#connection = connection;
    this.#options = options;
    this.#session = new HttpSession(connection);
  }

  async send(request: ApiRequest, signal?: AbortSignal): Promise<object> {
    const call = callOf(request);
    const retry = new RetryAfter(request);
    let refused = 0;
    for (;;) {
      signal?.throwIfAborted();
      const stream = await this.#start(call, signal);
      let answer: HttpAnswer;
      try {
        answer = await this.#answer(stream, signal);
      } catch (error) {
        if (wasRefused(stream) && refused++ < 2) continue;
        throw error;
      }
      if (answer.code < 400) return withTypes(parse(answer.text));
      await this.#waitOrThrow(retry, answer, signal);
    }
  }

  async *watch(request: WatchRequest, signal: AbortSignal): AsyncGenerator<WatchEvent> {
    if (signal.aborted) return;
    const query = new URLSearchParams({ watch: 'true' });
    addReadOptions(query, request.options);
    const retry = new RetryAfter(request);
    let stream: ClientHttp2Stream | undefined;
    try {
      for (;;) {
        stream = await this.#start({ method: 'GET', path: `${pathOf(request)}?${query.toString()}` }, signal);
        const headers = await headersOf(stream, this.#connection.server);
        const code = Number(headers[':status']);
        if (code < 400) break;
        const text = await readAll(stream, this.#connection.server);
        await this.#waitOrThrow(retry, { code, text, retryAfter: headers['retry-after'] }, signal);
      }
      for await (const line of linesOf(stream)) {
        const event = JSON.parse(line) as { type: string; object: object };
        if (event.type === 'ERROR') throw StatusError.fromStatus(event.object);
        yield event as WatchEvent;
        if (signal.aborted) return;
      }
    } catch (error) {
      if (signal.aborted) return;
      throw error instanceof StatusError ? error : unreachable(this.#connection.server, error);
    } finally {
      stream?.destroy();
    }
  }

  close(): Promise<void> {
    return this.#session.close();
  }

  async #start(call: Call, signal: AbortSignal | undefined): Promise<ClientHttp2Stream> {
    const headers: OutgoingHttpHeaders = {
      ':method': call.method,
      ':path': call.path,
      accept: 'application/json',
      'user-agent': this.#options.userAgent ?? 'berth',
      ...(call.contentType === undefined ? {} : { 'content-type': call.contentType }),
      ...(call.body === undefined ? {} : { 'content-length': call.body.length }),
      ...(this.#connection.token === undefined ? {} : { authorization: `Bearer ${this.#connection.token}` }),
    };
    const stream = await this.#session.request(headers, call.body === undefined);
    // What goes wrong is thrown to whoever reads; this keeps an abort in between from ending the process.
    stream.on('error', () => undefined);
    if (signal?.aborted === true) {
      stream.destroy();
      signal.throwIfAborted();
    }
    const onAbort = (): void => void stream.destroy();
    signal?.addEventListener('abort', onAbort, { once: true });
    stream.once('close', () => signal?.removeEventListener('abort', onAbort));
    if (call.body !== undefined) stream.end(call.body);
    return stream;
  }

  async #answer(stream: ClientHttp2Stream, signal: AbortSignal | undefined): Promise<HttpAnswer> {
    try {
      const headers = await headersOf(stream, this.#connection.server);
      this.#tellWarnings(headers);
      const text = await readAll(stream, this.#connection.server);
      return { code: Number(headers[':status']), text, retryAfter: headers['retry-after'] };
    } catch (error) {
      signal?.throwIfAborted();
      throw error;
    }
  }

  /** Waits until the request may be sent again. Throws the failure where it may not, and the signal's reason. */
  async #waitOrThrow(retry: RetryAfter, { code, text, retryAfter }: HttpAnswer, signal: AbortSignal | undefined): Promise<void> {
    const failure = failureOf(code, text);
    const delay = retry.delayFor(failure, retryAfter);
    if (delay === undefined) throw failure;
    await (this.#options.clock ?? systemClock).sleep(delay, signal);
  }

  #tellWarnings(headers: IncomingHttpHeaders): void {
    const { warn } = this.#options;
    if (warn === undefined || headers.warning === undefined) return;
    for (const match of headers.warning.matchAll(/299 \S+ "((?:[^"\\]|\\.)*)"/g)) {
      warn(Buffer.from(match[1]!.replaceAll(/\\(.)/g, '$1'), 'latin1').toString('utf8'));
    }
  }
}

interface HttpAnswer {
  readonly code: number;
  readonly text: string;
  /** As the server said it. */
  readonly retryAfter: string | undefined;
}

function parse(text: string): object {
  try {
    return JSON.parse(text) as object;
  } catch (error) {
    throw new StatusError('InternalError', `the server's answer is no JSON: ${messageOf(error)}`, { cause: error });
  }
}

/** The path of a resource, or of what is in it. */
function pathOf(target: Target & Partial<Pick<NamedTarget, 'name' | 'subresource'>>): string {
  const { resource, namespace } = target;
  const root = resource.group === '' ? `/api/${resource.version}` : `/apis/${apiVersionOf(resource)}`;
  const scope = namespace === undefined || !resource.namespaced ? '' : `/namespaces/${encodeURIComponent(namespace)}`;
  const rest = [target.name, target.subresource].filter((part) => part !== undefined).map((part) => `/${encodeURIComponent(part)}`);
  return `${root}${scope}/${resource.plural}${rest.join('')}`;
}

function callOf(request: ApiRequest): Call {
  const query = new URLSearchParams();
  const call = (method: string, path: string, body?: unknown, contentType = 'application/json'): Call => {
    const text = query.toString();
    return {
      method,
      path: text === '' ? path : `${path}?${text}`,
      ...(body === undefined ? {} : { body: bodyOf(body), contentType }),
    };
  };
  let made: Call;
  switch (request.verb) {
    case 'get':
      if (request.resourceVersion !== undefined) query.set('resourceVersion', request.resourceVersion);
      made = call('GET', pathOf(request));
      break;
    case 'list':
      addReadOptions(query, request.options);
      made = call('GET', pathOf(request));
      break;
    case 'create':
      addWriteOptions(query, request.options);
      made = call('POST', pathOf(request), request.object);
      break;
    case 'update':
      addWriteOptions(query, request.options);
      made = call('PUT', pathOf(request), request.object);
      break;
    case 'patch':
      addWriteOptions(query, request.options);
      if (request.options.force === true) query.set('force', 'true');
      made = call('PATCH', pathOf(request), request.patch, patchContentTypes[request.patchType]);
      break;
    case 'delete':
      made = call('DELETE', pathOf(request), deleteOptionsBody(request.options));
      break;
    case 'deletecollection':
      addReadOptions(query, request.options);
      made = call('DELETE', pathOf(request), deleteOptionsBody(request.options));
      break;
  }
  return made;
}

function bodyOf(value: unknown): Buffer {
  const body = Buffer.from(JSON.stringify(value));
  if (body.length <= maximumBodyBytes) return body;
  throw new StatusError('RequestEntityTooLarge', `Request entity too large: it has ${body.length} bytes, the limit is ${maximumBodyBytes}`);
}

function addReadOptions(query: URLSearchParams, options: ListOptions & WatchOptions): void {
  for (const name of [
    'labelSelector',
    'fieldSelector',
    'limit',
    'continue',
    'resourceVersion',
    'resourceVersionMatch',
    'sendInitialEvents',
    'allowWatchBookmarks',
    'timeoutSeconds',
  ] as const) {
    const value = options[name];
    if (value !== undefined) query.set(name, `${value}`);
  }
}

function addWriteOptions(query: URLSearchParams, options: WriteOptions): void {
  if (options.dryRun === true) query.set('dryRun', 'All');
  if (options.fieldManager !== undefined) query.set('fieldManager', options.fieldManager);
  // The face's own default is to warn; a client that did not ask is not warned.
  query.set('fieldValidation', options.fieldValidation ?? 'Ignore');
}

function deleteOptionsBody(options: DeleteOptions): object {
  const { gracePeriodSeconds, propagationPolicy, preconditions, dryRun } = options;
  return {
    kind: 'DeleteOptions',
    apiVersion: 'v1',
    ...(gracePeriodSeconds === undefined ? {} : { gracePeriodSeconds }),
    ...(propagationPolicy === undefined ? {} : { propagationPolicy }),
    ...(preconditions === undefined ? {} : { preconditions }),
    ...(dryRun === true ? { dryRun: ['All'] } : {}),
  };
}

/** A list whose items have their kind and version, which servers leave out where the list's own says it. */
function withTypes(answer: object): object {
  const { apiVersion, kind, items } = answer as { apiVersion?: unknown; kind?: unknown; items?: unknown };
  if (typeof kind !== 'string' || !kind.endsWith('List') || !Array.isArray(items)) return answer;
  const type = { apiVersion, kind: kind.slice(0, -'List'.length) };
  return { ...answer, items: items.map((item: object) => ('kind' in item ? item : { ...type, ...item })) };
}

function headersOf(stream: ClientHttp2Stream, server: string): Promise<IncomingHttpHeaders & { ':status'?: number }> {
  return new Promise((resolve, reject) => {
    stream.once('response', resolve);
    stream.once('error', (error) => reject(unreachable(server, error)));
    stream.once('close', () => reject(unreachable(server, new Error('the connection was closed before an answer had come'))));
  });
}

function readAll(stream: ClientHttp2Stream, server: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.once('end', () => resolve(Buffer.concat(chunks).toString('utf8')));
    stream.once('error', (error) => reject(unreachable(server, error)));
    stream.once('close', () => {
      if (stream.readableEnded && stream.rstCode === 0) return;
      reject(unreachable(server, new Error('the connection was closed in the middle of an answer')));
    });
  });
}

function failureOf(code: number, text: string): StatusError {
  try {
    const status = JSON.parse(text) as Partial<Status>;
    if (status.kind === 'Status') return StatusError.fromStatus({ code, ...status });
  } catch {
    // Not from an API server, or not from all of it: what it said is the best there is.
  }
  return new StatusError(code === 503 ? 'ServiceUnavailable' : 'InternalError', `the server answered ${code}: ${text.slice(0, 500)}`, {
    code,
  });
}

async function* linesOf(stream: ClientHttp2Stream): AsyncGenerator<string> {
  let rest: Buffer[] = [];
  let size = 0;
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    let from = 0;
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, from)) {
      const line = rest.length === 0 ? chunk.subarray(from, end) : Buffer.concat([...rest, chunk.subarray(from, end)]);
      rest = [];
      size = 0;
      from = end + 1;
      if (line.length > 0) yield line.toString('utf8');
    }
    if (from < chunk.length) {
      rest.push(chunk.subarray(from));
      size += chunk.length - from;
      if (size > longestEvent) throw new StatusError('InternalError', 'the server sent an event that is too long');
    }
  }
  if (stream.rstCode !== 0) throw new Error(`the connection was closed in the middle of a watch (code ${stream.rstCode})`);
}
