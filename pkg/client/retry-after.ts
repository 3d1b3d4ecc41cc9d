/**
 * When a request that the server refused for now is sent again, by Kubernetes' rule for clients: the server says when (`Retry-After`), and the client does
 * so a few times. What the server may have begun to do is sent again only where doing it twice is doing it once.
 */
import type { StatusError } from '#base/errors';
import type { ApiRequest, WatchRequest } from './transport.ts';

/** How often one request is sent again at most, and how long it waits for that in all, milliseconds. */
const maximumRetries = 10;
const longestWait = 60_000;

export class RetryAfter {
  readonly #isRead: boolean;
  #retries = 0;
  #waited = 0;

  constructor(request: ApiRequest | WatchRequest) {
    this.#isRead = request.verb === 'get' || request.verb === 'list' || request.verb === 'watch';
  }

  /** Milliseconds after which to send the request again; undefined: not again. `header` is the answer's `Retry-After`. */
  delayFor({ code, details }: Pick<StatusError, 'code' | 'details'>, header: string | undefined): number | undefined {
    // Our servers know the newest revision there is: one that they do not have will not come by waiting.
    if (details?.causes?.some(({ reason }) => reason === 'ResourceVersionTooLarge') === true) return undefined;
    if (header === undefined || !/^\d{1,6}$/.test(header)) return undefined;
    // 429 is said of what has not been looked at.
    if (code !== 429 && !(code >= 500 && this.#isRead)) return undefined;
    const delay = Number(header) * 1000;
    if (this.#retries >= maximumRetries || this.#waited + delay > longestWait) return undefined;
    this.#retries++;
    this.#waited += delay;
    return delay;
  }
}
