/**
 * The API port: one TLS server for HTTP/2 and HTTP/1.1, with bounds on connections, headers, streams and handshakes. Its certificate
 * can be changed while it runs; when it stops it ends watches first, lets requests finish for a moment, and then closes what is left.
 */
import type { IncomingHttpHeaders, ServerResponse } from 'node:http';
import { createSecureServer, type Http2SecureServer, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import type { Clock } from '#base/clock';
import { codeOf } from '#base/errors';
import { aborted, type Runnable } from '#base/lifecycle';
import type { Logger } from '#base/logging';
import type { KeyPair } from '../auth/pki.ts';
import type { ApiHandler } from './api-handler.ts';
import { Exchange, ExchangeDeadlines } from './exchange.ts';
import { Http2Request, Http2Response } from './http2-stream.ts';

export interface ApiServerOptions {
  readonly handler: Pick<ApiHandler, 'handle' | 'upgrade'>;
  readonly certificate: KeyPair;
  /** PEM of the authority that signed the clients' certificates. */
  readonly clientAuthority: string;
  /** All addresses unless given. */
  readonly host?: string;
  /** 0: any free one. */
  readonly port: number;
  /** Aborted first when the server stops, so that watches end. */
  readonly stopping: AbortController;
  readonly clock: Clock;
  readonly log: Logger;
}

/** How long requests in flight may take when the server stops, milliseconds. */
const drainTime = 5_000;
const maximumConnections = 10_000;
/** Megabytes that a session may keep for its client; above, Node refuses new streams on it. */
const sessionMemory = 256;
/** Bytes left unsent by streams that broke off, above which a session takes no new ones: Node never ceases to count them as kept. */
const lostLimit = 64 * 1024 * 1024;
/** How long an HTTP/2 session may be open with nothing going on in it, milliseconds. */
const idleTime = 120_000;
/** Broken streams after which a session must not be idle for long, milliseconds: one that Node has given up for a flood of them does not see its client go. */
const suspicious = 500;
const suspectTime = 2_000;

export class ApiServer implements Runnable {
  readonly name = 'apiserver';
  readonly #options: ApiServerOptions;
  readonly #server: Http2SecureServer;
  readonly #sockets = new Set<TLSSocket>();
  readonly #sessions = new Map<ServerHttp2Session, SessionUse>();
  readonly #deadlines: ExchangeDeadlines;

  constructor(options: ApiServerOptions) {
    this.#options = options;
    const { handler, certificate } = options;
    this.#deadlines = new ExchangeDeadlines(options.clock);
    const server = createSecureServer({
      allowHTTP1: true,
      cert: certificate.certificate,
      key: certificate.privateKey,
      ca: options.clientAuthority,
      requestCert: true,
      // Whoever shows no certificate, or a wrong one, gets an answer that says so.
      rejectUnauthorized: false,
      minVersion: 'TLSv1.2',
      handshakeTimeout: 15_000,
      maxSessionMemory: sessionMemory,
      maxHeaderListPairs: 200,
      settings: { maxConcurrentStreams: 1000, initialWindowSize: 1024 * 1024, maxHeaderListSize: 64 * 1024 },
    });
    // Properties of the HTTP/1.1 side, which the types of HTTP/2 do not know.
    Object.assign(server, { headersTimeout: 30_000, requestTimeout: 120_000, keepAliveTimeout: 120_000, requireHostHeader: true });
    server.maxConnections = maximumConnections;
    // Whoever listens for requests gets Node's compatibility layer for HTTP/2 too; without it they are those of HTTP/1.1.
    server.on('request', (request, response) => {
      void handler.handle(new Exchange(request, response as unknown as ServerResponse, this.#deadlines));
    });
    server.removeAllListeners('stream');
    server.on('stream', (stream, headers) => this.#receive(stream, headers));
    server.on('upgrade', (request, socket: Duplex, head: Buffer) => void handler.upgrade(request, socket, head));
    server.on('secureConnection', (socket) => {
      socket.setNoDelay(true);
      socket.setKeepAlive(true, 30_000);
      socket.on('error', () => undefined);
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
    });
    server.on('session', (session) => {
      const use: SessionUse = { open: 0, broken: 0, lost: 0 };
      this.#sessions.set(session, use);
      session.once('close', () => this.#sessions.delete(session));
      // Told again after any sign of life.
      session.setTimeout(idleTime, () => {
        if (use.open === 0) session.close();
      });
      session.on('error', (error) => options.log.debug('an HTTP/2 session ended with an error', { error: error.message }));
    });
    server.on('tlsClientError', (error, socket) => {
      options.log.debug('a TLS handshake failed', { error: error.message });
      if (codeOf(error) === 'ERR_SSL_HTTP_REQUEST') answerPlainly(socket);
    });
    this.#server = server;
  }

  /** Starts to listen. Throws an error that says what to do when the address cannot be had. */
  async listen(): Promise<AddressInfo> {
    const { host, port } = this.#options;
    await new Promise<void>((resolve, reject) => {
      const onError = (error: Error): void => {
        const at = `${host ?? 'all addresses'}, port ${port}`;
        const why: Record<string, string> = {
          EADDRINUSE: `something else listens on ${at}: is another server running? choose another port with --port`,
          EACCES: `not allowed to listen on ${at}: choose a port above 1023`,
          EADDRNOTAVAIL: `this machine has no address ${at}`,
        };
        reject(new Error(why[codeOf(error) ?? ''] ?? `cannot listen on ${at}: ${error.message}`, { cause: error }));
      };
      this.#server.once('error', onError);
      this.#server.listen({ port, ...(host === undefined ? {} : { host }) }, () => {
        this.#server.removeListener('error', onError);
        resolve();
      });
    });
    return this.#server.address() as AddressInfo;
  }

  /** Shows another certificate to those who connect from now on. */
  setCertificate(certificate: KeyPair): void {
    this.#server.setSecureContext({ cert: certificate.certificate, key: certificate.privateKey, ca: this.#options.clientAuthority });
  }

  /** Serves until the signal aborts; `listen` must have been called. */
  async run(signal: AbortSignal): Promise<void> {
    const failed = new Promise<never>((_, reject) => this.#server.once('error', reject));
    failed.catch(() => undefined);
    try {
      await Promise.race([aborted(signal), failed]);
    } finally {
      await this.close();
    }
  }

  /** Stops listening, gives what is in flight a moment, and closes all connections. Only to be called where `run` was not. */
  async close(): Promise<void> {
    this.#options.stopping.abort();
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const session of this.#sessions.keys()) session.close();
    const waited = new AbortController();
    // HTTP/1.1 connections that are idle do not close by themselves.
    await Promise.race([closed, this.#options.clock.sleep(this.#sockets.size === 0 ? 0 : drainTime, waited.signal).catch(() => undefined)]);
    waited.abort();
    for (const session of this.#sessions.keys()) session.destroy();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
    this.#deadlines.stop();
  }

  #receive(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void {
    stream.on('error', () => undefined);
    this.#count(stream);
    if (headers[':method'] === 'CONNECT' || (headers.expect !== undefined && headers.expect !== '100-continue')) {
      stream.respond({ ':status': headers.expect === undefined ? 405 : 417 }, { endStream: true });
      return;
    }
    if (headers.expect !== undefined) stream.additionalHeaders({ ':status': 100 });
    void this.#options.handler.handle(new Exchange(new Http2Request(stream, headers), new Http2Response(stream), this.#deadlines));
  }

  /** Has the client open another session before broken streams have made this one unusable. */
  #count(stream: ServerHttp2Stream): void {
    const { session } = stream;
    const use = session === undefined ? undefined : this.#sessions.get(session as ServerHttp2Session);
    if (use === undefined) return;
    use.open++;
    stream.once('close', () => {
      use.open--;
      if (stream.rstCode === 0) return;
      use.broken++;
      if (use.broken === suspicious) session?.setTimeout(suspectTime);
      use.lost += stream.writableLength;
      if (use.lost > lostLimit) session?.close();
    });
  }
}

interface SessionUse {
  /** Streams that are open. */
  open: number;
  /** Streams that broke off. */
  broken: number;
  /** Bytes left unsent by them. */
  lost: number;
}

/** Tells a client that speaks HTTP without TLS what is wrong. Below the TLS that failed there is the connection itself, still open. */
function answerPlainly(socket: TLSSocket & { readonly _parent?: Socket | null }): void {
  const { _parent: connection } = socket;
  if (connection == null || connection.destroyed) return;
  connection.on('error', () => undefined);
  connection.end('HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n');
  connection.destroySoon();
}
