/**
 * An HTTP/2 stream as a request and its reply, with the few members of Node's own (of `node:http`) that the handlers use. Node's compatibility layer, which
 * makes streams of its own around the stream, costs more than all the rest of HTTP/2.
 */
import type { IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http';
import type { ServerHttp2Stream } from 'node:http2';

export class Http2Request {
  readonly stream: ServerHttp2Stream;
  readonly headers: IncomingHttpHeaders;
  readonly method: string;
  readonly url: string;

  constructor(stream: ServerHttp2Stream, headers: IncomingHttpHeaders) {
    this.stream = stream;
    this.headers = headers;
    this.method = headers[':method'] as string;
    this.url = headers[':path'] as string;
  }

  /** Whether nothing more of it is to come. */
  get complete(): boolean {
    const { stream } = this;
    return stream.endAfterHeaders || stream.readableEnded || stream.destroyed;
  }

  /** Tells the client that the rest of its body is not wanted, once the reply is out. */
  destroy(): void {
    const { stream } = this;
    if (stream.writableFinished) stream.close();
    else stream.once('finish', () => stream.close());
  }
}

export class Http2Response {
  readonly stream: ServerHttp2Stream;
  statusCode = 200;
  #ended = false;

  constructor(stream: ServerHttp2Stream) {
    this.stream = stream;
  }

  get headersSent(): boolean {
    return this.stream.headersSent;
  }

  get destroyed(): boolean {
    return this.stream.destroyed;
  }

  /** Whether the reply was ended here; a stream that was reset says so of itself, too. */
  get writableEnded(): boolean {
    return this.#ended;
  }

  get writableLength(): number {
    return this.stream.writableLength;
  }

  writeHead(code: number, headers?: OutgoingHttpHeaders): void {
    this.statusCode = code;
    if (!this.stream.destroyed && !this.stream.closed) this.stream.respond({ ':status': code, ...headers });
  }

  write(bytes: Uint8Array): boolean {
    // Replies that have no body (to HEAD) are over when their head was written.
    return this.stream.writableEnded || this.stream.write(bytes);
  }

  end(bytes?: Uint8Array): void {
    this.#ended = true;
    if (!this.stream.writableEnded) this.stream.end(bytes);
  }

  destroy(): void {
    this.stream.destroy();
  }

  once(event: 'close' | 'drain' | 'finish', listener: () => void): void {
    this.stream.once(event, listener);
  }

  removeListener(event: 'close' | 'drain' | 'finish', listener: () => void): void {
    this.stream.removeListener(event, listener);
  }
}
