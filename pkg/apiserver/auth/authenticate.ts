/**
 * Who is at the other end of a connection: today, whom the client certificate names (CN the user, each O a group), if it was
 * signed by the cluster's authority and has not ended. No credentials at all mean nobody, wrong ones are refused.
 */
import type { IncomingMessage } from 'node:http';
import type { Http2ServerRequest } from 'node:http2';
import type { PeerCertificate, TLSSocket } from 'node:tls';
import type { Clock } from '#base/clock';
import { StatusError } from '#base/errors';
import { authenticatedGroup, type UserInfo } from '../request-context.ts';

interface Identity {
  readonly user: UserInfo;
  /** Milliseconds since 1970 at which the certificate ends. */
  readonly until: number;
}

export class Authenticator {
  readonly #clock: Clock;
  /** A certificate is read once for each connection. */
  readonly #known = new WeakMap<object, Identity | undefined>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The user of this request. Throws `Unauthorized`, also where there are no credentials. */
  authenticate(request: IncomingMessage | Http2ServerRequest): UserInfo {
    if (request.headers.authorization !== undefined) throw unauthorized();
    const connection = 'stream' in request ? request.stream.session : request.socket;
    if (connection === undefined) throw unauthorized();
    let identity = this.#known.get(connection);
    if (identity === undefined && !this.#known.has(connection)) {
      identity = identify(('socket' in connection ? connection.socket : connection) as TLSSocket);
      this.#known.set(connection, identity);
    }
    if (identity === undefined || identity.until <= this.#clock.now()) throw unauthorized();
    return identity.user;
  }
}

/** In Kubernetes' words. */
export function unauthorized(): StatusError {
  return new StatusError('Unauthorized', 'Unauthorized');
}

function identify(socket: TLSSocket): Identity | undefined {
  if (!socket.authorized) return undefined;
  const certificate: PeerCertificate | Record<string, never> = socket.getPeerCertificate();
  const subject = certificate.subject as unknown as Record<string, string | string[] | undefined> | undefined;
  const name = subject?.CN;
  if (typeof name !== 'string' || name === '') return undefined;
  const groups = subject?.O === undefined ? [] : [subject.O].flat();
  return { user: { name, groups: [...groups, authenticatedGroup] }, until: Date.parse(certificate.valid_to) };
}
