/** One request and the way to answer it, whichever HTTP version it came over. */
import type { IncomingMessage } from 'node:http';
import type { Http2ServerRequest } from 'node:http2';
import { StatusError } from '#base/errors';
import type { RequestContext, UserInfo } from '../request-context.ts';
import { type Response, sendError } from './reply.ts';

export type Request = IncomingMessage | Http2ServerRequest;

/** How long a request that is no watch or stream may take, milliseconds. */
const requestTimeout = 60_000;

export class Exchange {
  readonly request: Request;
  readonly response: Response;
  readonly method: string;
  /** Without the query, as it came. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly warnings: string[] = [];
  #controller: AbortController | undefined;
  #reason: unknown;
  readonly #timer: NodeJS.Timeout;

  constructor(request: Request, response: Response) {
    this.request = request;
    this.response = response;
    this.method = request.method ?? 'GET';
    const url = request.url ?? '/';
    const mark = url.indexOf('?');
    this.path = mark < 0 ? url : url.slice(0, mark);
    this.query = new URLSearchParams(mark < 0 ? '' : url.slice(mark + 1));
    this.#timer = setTimeout(() => {
      const late = new StatusError('Timeout', `the request did not complete within ${requestTimeout / 1000} s`);
      this.#abort(late);
      sendError(response, late);
      if (!request.complete) request.destroy();
    }, requestTimeout);
    this.#timer.unref();
    // The end of the response, not that of the request: a request ends when its body has been read.
    response.once('close', () => {
      clearTimeout(this.#timer);
      // Not `writableFinished`, which HTTP/2 also says of a stream that was reset.
      if (!response.writableEnded) this.#abort(new DOMException('the client has gone', 'AbortError'));
    });
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
    clearTimeout(this.#timer);
  }

  header(name: string): string | undefined {
    const value = this.request.headers[name];
    return Array.isArray(value) ? value.join(',') : value;
  }

  get acceptsGzip(): boolean {
    const accepted = this.header('accept-encoding');
    return accepted !== undefined && /(^|[\s,])(gzip|\*)\s*($|,|;(?!\s*q=0(\.0*)?\s*($|,)))/i.test(accepted);
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
