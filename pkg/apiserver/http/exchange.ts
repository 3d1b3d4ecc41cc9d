/** One request and the way to answer it, whichever HTTP version it came over. */
import type { IncomingMessage } from 'node:http';
import type { Clock } from '#base/clock';
import { StatusError } from '#base/errors';
import type { RequestContext, UserInfo } from '../request-context.ts';
import { Deadlines } from './deadlines.ts';
import type { Seat } from './fair-queue.ts';
import type { Http2Request } from './http2-stream.ts';
import { type Response, sendError } from './reply.ts';

export type Request = IncomingMessage | Http2Request;

/** How long a request that is no watch or stream may take, milliseconds. */
const requestTimeout = 60_000;
/** How long a client may hold its request up before others get its seat, milliseconds. */
const holdUpTime = 1000;
/** Bytes of a reply that may wait for the client without that being counted. */
const heldUpFrom = 64 * 1024;
const noQuery: URLSearchParams = new URLSearchParams();

/** What all exchanges of a server must keep to. */
export class ExchangeDeadlines {
  readonly request: Deadlines<Exchange>;
  readonly client: Deadlines<Exchange>;

  constructor(clock: Clock) {
    this.request = new Deadlines(clock, requestTimeout, (exchange) => exchange.timeOut());
    this.client = new Deadlines(clock, holdUpTime, (exchange) => exchange.stall());
  }

  stop(): void {
    this.request.stop();
    this.client.stop();
  }
}

export class Exchange {
  readonly request: Request;
  readonly response: Response;
  readonly method: string;
  /** Without the query and, where the client sent one, the server's address; else as it came. */
  readonly path: string;
  readonly warnings: string[] = [];
  /** Given back when the exchange ends, at the latest. */
  seat: Seat | undefined;
  readonly #deadlines: ExchangeDeadlines;
  readonly #queryText: string;
  #query: URLSearchParams | undefined;
  #controller: AbortController | undefined;
  #reason: unknown;

  constructor(request: Request, response: Response, deadlines: ExchangeDeadlines) {
    this.request = request;
    this.response = response;
    this.#deadlines = deadlines;
    this.method = request.method ?? 'GET';
    const url = targetOf(request.url ?? '/');
    const mark = url.indexOf('?');
    this.path = mark < 0 ? url : url.slice(0, mark);
    this.#queryText = mark < 0 ? '' : url.slice(mark + 1);
    deadlines.request.add(this);
    // The end of the response, not that of the request: a request ends when its body has been read.
    response.once('close', () => {
      deadlines.request.delete(this);
      deadlines.client.delete(this);
      this.seat?.leave();
      // Not `writableFinished`, which HTTP/2 also says of a stream that was reset.
      if (!response.writableEnded) this.#abort(new DOMException('the client has gone', 'AbortError'));
    });
  }

  /** Never to be changed: requests without any share one. */
  get query(): URLSearchParams {
    this.#query ??= this.#queryText === '' ? noQuery : new URLSearchParams(this.#queryText);
    return this.#query;
  }

  /** Aborted when the client has gone, or the request has taken too long. Made when first asked for: most requests never wait. */
  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    if (this.#reason !== undefined) this.#controller.abort(this.#reason);
    return this.#controller.signal;
  }

  /** Why the exchange is over before it was answered; undefined while it is not. */
  get reason(): unknown {
    return this.#reason;
  }

  /** From here on the request may take as long as it likes. */
  becomeLongRunning(): void {
    this.#deadlines.request.delete(this);
  }

  /** Waits for what only the client can bring about: that it sends its body, that it reads its reply. */
  async untilClient<T>(work: Promise<T>): Promise<T> {
    if (this.seat === undefined) return await work;
    this.#deadlines.client.add(this);
    try {
      return await work;
    } finally {
      this.#deadlines.client.delete(this);
    }
  }

  /** To be called when all of the reply is written. The seat is given back at once, unless the client has long to read. */
  answered(): void {
    if (this.response.writableLength < heldUpFrom) this.seat?.leave();
    else if (this.seat !== undefined) this.#deadlines.client.add(this);
  }

  /** It has taken too long. */
  timeOut(): void {
    this.#giveUp(new StatusError('Timeout', `the request did not complete within ${requestTimeout / 1000} s`));
  }

  /** Its client has held it up for too long: it goes on without a seat, if not too many do. */
  stall(): void {
    if (this.seat?.stall() !== false) return;
    this.#giveUp(
      new StatusError('TooManyRequests', 'too many requests of this user wait for their client', { details: { retryAfterSeconds: 1 } }),
    );
  }

  #giveUp(why: StatusError): void {
    this.#abort(why);
    sendError(this.response, why);
    if (!this.request.complete) this.request.destroy();
  }

  header(name: string): string | undefined {
    const value = this.request.headers[name];
    return Array.isArray(value) ? value.join(',') : value;
  }

  get acceptsGzip(): boolean {
    const accepted = this.header('accept-encoding');
    return accepted !== undefined && (accepted === 'gzip' || /(^|[\s,])(gzip|\*)\s*($|,|;(?!\s*q=0(\.0*)?\s*($|,)))/i.test(accepted));
  }

  /** `waits`: the verb may wait for long, and should stop when nobody waits for its answer any more. */
  contextFor(user: UserInfo, waits: boolean): RequestContext {
    const warn = (text: string): void => void this.warnings.push(text);
    return waits ? { user, warn, signal: this.signal } : { user, warn };
  }

  #abort(reason: unknown): void {
    this.#reason ??= reason;
    this.#controller?.abort(this.#reason);
  }
}

/** The path and query of a request's target, which may be a whole URL (RFC 9112, 3.2.2). */
function targetOf(url: string): string {
  if (url.startsWith('/')) return url;
  const match = /^https?:\/\/[^/?#]*/i.exec(url);
  if (match === null) return url;
  const rest = url.slice(match[0].length);
  return rest.startsWith('/') ? rest : `/${rest}`;
}
