/**
 * One HTTP/2 connection to a server, made when first needed and made again when it is lost. It notices a peer that has gone
 * silent, and does not keep a process alive that has nothing more to ask.
 */
import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants, type OutgoingHttpHeaders } from 'node:http2';
import { codeOf, messageOf, StatusError } from '#base/errors';
import type { ConnectionOptions } from './kubeconfig.ts';

const connectTimeout = 15_000;
const pingInterval = 30_000;
const pingTimeout = 15_000;

export class HttpSession {
  readonly #connection: ConnectionOptions;
  #session: Promise<ClientHttp2Session> | undefined;
  #open = 0;
  #closed = false;

  constructor(connection: ConnectionOptions) {
    this.#connection = connection;
  }

  /** Opens a stream. Throws `ServiceUnavailable` when the server cannot be reached, saying why; after `close`, too. */
  async request(headers: OutgoingHttpHeaders, endStream: boolean): Promise<ClientHttp2Stream> {
    for (let attempt = 0; ; attempt++) {
      const session = await this.#connect();
      try {
        const stream = session.request(headers, { endStream });
        if (this.#open++ === 0) session.ref();
        stream.once('close', () => {
          if (--this.#open === 0 && !session.destroyed) session.unref();
        });
        return stream;
      } catch (error) {
        // The connection ended between two requests: nothing of this one has been sent.
        if (attempt > 1) throw unreachable(this.#connection.server, error);
        this.#session = undefined;
      }
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    const session = await this.#session?.catch(() => undefined);
    session?.destroy();
  }

  #connect(): Promise<ClientHttp2Session> {
    if (this.#closed) return Promise.reject(new StatusError('ServiceUnavailable', 'this client has been closed'));
    this.#session ??= this.#openSession();
    return this.#session;
  }

  #openSession(): Promise<ClientHttp2Session> {
    const { server, certificateAuthority, clientCertificate, clientKey, tlsServerName, insecureSkipTlsVerify } = this.#connection;
    const opening = new Promise<ClientHttp2Session>((resolve, reject) => {
      const session = connect(server, {
        ...(certificateAuthority === undefined ? {} : { ca: certificateAuthority }),
        ...(clientCertificate === undefined ? {} : { cert: clientCertificate }),
        ...(clientKey === undefined ? {} : { key: clientKey }),
        ...(tlsServerName === undefined ? {} : { servername: tlsServerName }),
        ...(insecureSkipTlsVerify === true ? { rejectUnauthorized: false } : {}),
        settings: { initialWindowSize: 1024 * 1024 },
      });
      const forget = (): void => {
        if (this.#session === opening) this.#session = undefined;
      };
      const slow = setTimeout(() => session.destroy(new Error(`no answer within ${connectTimeout / 1000} s`)), connectTimeout);
      session.once('connect', () => {
        clearTimeout(slow);
        session.unref();
        watchPeer(session);
        resolve(session);
      });
      session.on('error', (error) => {
        clearTimeout(slow);
        forget();
        reject(unreachable(server, error));
      });
      session.once('goaway', forget);
      session.once('close', () => {
        clearTimeout(slow);
        forget();
        reject(unreachable(server, new Error('the connection was closed')));
      });
    });
    return opening;
  }
}

/** Ends the connection, and with it all streams, when the peer does not answer any more. */
function watchPeer(session: ClientHttp2Session): void {
  const timer = setInterval(() => {
    const silent = setTimeout(() => session.destroy(new Error('the server has stopped answering')), pingTimeout);
    silent.unref();
    const sent = session.ping(() => clearTimeout(silent));
    if (!sent) clearTimeout(silent);
  }, pingInterval);
  timer.unref();
  session.once('close', () => clearInterval(timer));
}

/** What to tell a user when there is no connection. */
export function unreachable(server: string, error: unknown): StatusError {
  if (error instanceof StatusError) return error;
  const code = codeOf(error);
  const why: Record<string, string> = {
    ECONNREFUSED: 'connection refused: is the server running?',
    ENOTFOUND: 'the name is not known',
    ETIMEDOUT: 'no answer',
    EHOSTUNREACH: 'there is no way to the host',
    UNABLE_TO_VERIFY_LEAF_SIGNATURE:
      "the server's certificate is not signed by the authority in the kubeconfig: is the kubeconfig the right one?",
    SELF_SIGNED_CERT_IN_CHAIN:
      "the server's certificate is not signed by the authority in the kubeconfig: is the kubeconfig the right one?",
    ERR_TLS_CERT_ALTNAME_INVALID: `${messageOf(error)}: add the name with the server's --tls-san`,
  };
  return new StatusError('ServiceUnavailable', `cannot reach the server at ${server}: ${why[code ?? ''] ?? messageOf(error)}`, {
    cause: error,
  });
}

/** Whether the server says that it has not looked at the request, so that it may be sent again. */
export function wasRefused(stream: ClientHttp2Stream): boolean {
  return stream.rstCode === constants.NGHTTP2_REFUSED_STREAM;
}
