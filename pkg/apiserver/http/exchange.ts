/** One request and the way to answer it, whichever HTTP version it came over. */
import type { IncomingMessage } from 'node:http';
import type { Http2ServerRequest } from 'node:http2';
import { StatusError } from '#base/errors';
import type { RequestContext, UserInfo } from '../request-context.ts';
import type { Response } from './reply.ts';

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
  readonly #controller = new AbortController();
  #timer: NodeJS.Timeout | undefined;

  constructor(request: Request, response: Response) {
    this.request = request;
    this.response = response;
    this.method = request.method ?? 'GET';
    const url = request.url ?? '/';
    const mark = url.indexOf('?');
    this.path = mark < 0 ? url : url.slice(0, mark);
    this.query = new URLSearchParams(mark < 0 ? '' : url.slice(mark + 1));
    this.#timer = setTimeout(() => {
      this.abort(new StatusError('Timeout', `the request did not complete within ${requestTimeout / 1000} s`));
    }, requestTimeout);
    this.#timer.unref();
    // The end of the response, not that of the request: a request ends when its body has been read.
    response.once('close', () => {
      clearTimeout(this.#timer);
      if (!response.writableFinished) this.abort(new DOMException('the client has gone', 'AbortError'));
    });
  }

  /** Aborted when the client has gone, or the request has taken too long. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  abort(reason: unknown): void {
    if (!this.#controller.signal.aborted) this.#controller.abort(reason);
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
    return /(^|[\s,])(gzip|\*)\s*($|,|;(?!\s*q=0(\.0*)?\s*($|,)))/i.test(this.header('accept-encoding') ?? '');
  }

  contextFor(user: UserInfo): RequestContext {
    return { user, signal: this.signal, warn: (text) => this.warnings.push(text) };
  }
}
