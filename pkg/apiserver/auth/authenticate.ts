/**
 * Who makes a request: whose token it carries, else whom the client certificate of its connection names (CN the user, each O a group), if that was
 * signed by the cluster's authority and has not ended. No credentials at all mean nobody; wrong ones are refused, also beside right ones.
 */
import { createHash } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import type { ServerHttp2Stream } from 'node:http2';
import type { Socket } from 'node:net';
import type { PeerCertificate, TLSSocket } from 'node:tls';
import type { Clock } from '#base/clock';
import { StatusError } from '#base/errors';
import { authenticatedGroup, type UserInfo } from '../request-context.ts';
import { credentialId, type TokenAuthenticator } from './token-authenticator.ts';

interface Identity {
  readonly user: UserInfo;
  /** Milliseconds since 1970 at which the certificate ends. */
  readonly until: number;
}

/** What of a request says who makes it, of either version of HTTP. */
export type Credentialed = { readonly headers: IncomingHttpHeaders } & (
  | { readonly stream: Pick<ServerHttp2Stream, 'session'> }
  | { readonly socket: Socket }
);

export class Authenticator {
  readonly #clock: Clock;
  readonly #tokens: Pick<TokenAuthenticator, 'authenticate'> | undefined;
  /** A certificate is read once for each connection. */
  readonly #known = new WeakMap<object, Identity | undefined>();

  /** Without `tokens`, all of them are wrong. */
  constructor(clock: Clock, tokens?: Pick<TokenAuthenticator, 'authenticate'>) {
    this.#clock = clock;
    this.#tokens = tokens;
  }

  /** The user of this request. Throws `Unauthorized`, also where there are no credentials. */
  authenticate(request: Credentialed): UserInfo | Promise<UserInfo> {
    const token = tokenOf(request.headers);
    if (token !== undefined) return this.#byToken(token);
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

  async #byToken(token: string): Promise<UserInfo> {
    if (this.#tokens === undefined) throw unauthorized();
    try {
      return (await this.#tokens.authenticate(token)).user;
    } catch (error) {
      // Why is nothing to tell whoever showed it.
      if (error instanceof StatusError && error.reason === 'Unauthorized') throw unauthorized();
      throw error;
    }
  }
}

/** What a browser's WebSocket, which can set no other header, has instead of `Authorization`: a protocol that is the token (base64url). */
const tokenProtocol = /^base64url\.bearer\.authorization\.k8s\.io\.([\w-]+)$/;

/** Whether this WebSocket protocol is a credential. */
export function isTokenProtocol(protocol: string): boolean {
  return tokenProtocol.test(protocol);
}

/** Empty for credentials that are no token. */
function tokenOf(headers: IncomingHttpHeaders): string | undefined {
  const { authorization, 'sec-websocket-protocol': protocols } = headers;
  if (authorization !== undefined) return /^Bearer +(\S+) *$/i.exec(authorization)?.[1] ?? '';
  if (protocols === undefined) return undefined;
  const found = protocols.split(',').flatMap((protocol) => tokenProtocol.exec(protocol.trim())?.[1] ?? []);
  return found[0] === undefined ? undefined : Buffer.from(found[0], 'base64url').toString('utf8');
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
  const extra = { [credentialId]: [`X509SHA256=${createHash('sha256').update(certificate.raw).digest('hex')}`] };
  return { user: { name, groups: [...groups, authenticatedGroup], extra }, until: Date.parse(certificate.valid_to) };
}
