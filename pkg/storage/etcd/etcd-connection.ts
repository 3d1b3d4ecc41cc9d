/**
 * Calls to an etcd cluster: one attempt at one member, with the user's token, and for what may be asked twice, attempts until one is
 * answered. When a member does not answer the next one is asked. Invariant: what is heard comes from one cluster whose revision never
 * goes back; else the connection fails for good, because what was read before is no longer true.
 */
import { setMaxListeners } from 'node:events';
import { type CallOptions, type ClientUnaryCall, Metadata, type ServiceError } from '@grpc/grpc-js';
import { backoffDelay } from '#base/backoff';
import type { Clock } from '#base/clock';
import { messageOf, StatusError } from '#base/errors';
import type { Logger } from '#base/logging';
import { ClosedError } from '../backend.ts';
import { EtcdError, isPassing, toEtcdError } from './etcd-error.ts';
import { EtcdMember, type EtcdTls } from './etcd-member.ts';
import type { ResponseHeader } from './generated/etcd.ts';

export interface EtcdSecrets extends EtcdTls {
  readonly password?: string;
}

export interface ConnectionOptions extends EtcdTls {
  /** `https://HOST:PORT`, `http://HOST:PORT` or `unix:///PATH`, in the order in which they are tried. */
  readonly endpoints: readonly string[];
  readonly user?: string;
  readonly password?: string;
  /** Reads anew what files may have been changed; looked at now and then. Nothing is looked at unless given. */
  readonly refresh?: () => Promise<EtcdSecrets>;
  readonly clock: Clock;
  readonly log: Logger;
}

type Unary<Request, Response> = (
  request: Request,
  metadata: Metadata,
  options: Partial<CallOptions>,
  callback: (error: ServiceError | null, response: Response) => void,
) => ClientUnaryCall;

/** Picks the method of a member's client. */
export type Method<Request, Response> = (member: EtcdMember) => Unary<Request, Response>;

type Headed = { readonly header: ResponseHeader | undefined };

/** Milliseconds until an attempt is given up and the next member is asked. */
const attemptTimeout = 5_000;
/** Milliseconds until a read fails. */
const readTimeout = 10_000;
/** Milliseconds between looks at the files. */
const refreshInterval = 30_000;
const retry = { initial: 20, maximum: 1_000, jitter: 0.5 };

export class EtcdConnection {
  readonly #members: readonly EtcdMember[];
  readonly #options: ConnectionOptions;
  readonly #calls = new Set<ClientUnaryCall>();
  readonly #ended = new AbortController();
  /** What every call sends along; the library copies it. */
  readonly #common = new Metadata();
  #secrets: EtcdSecrets;
  #current = 0;
  #token: Promise<string> | undefined;
  #cluster: bigint | undefined;
  #highest = 0;
  /** Why nothing can be done any more. */
  #failure: Error | undefined;
  #failed = false;

  constructor(options: ConnectionOptions) {
    if (options.endpoints.length === 0) throw new Error('etcd needs at least one endpoint');
    if ((options.certificate === undefined) !== (options.key === undefined))
      throw new Error('a certificate for etcd and its key come together');
    // Every watch and every wait listens to it.
    setMaxListeners(0, this.#ended.signal);
    this.#common.set('hasleader', 'true');
    this.#options = options;
    this.#members = options.endpoints.map((endpoint) => new EtcdMember(endpoint, options));
    this.#secrets = given(options);
    if (options.refresh !== undefined) this.#refreshLater(options.refresh);
  }

  /** The highest revision that etcd has told; etcd's own count. */
  get highest(): number {
    return this.#highest;
  }

  /** Aborts when the connection is closed or has failed for good. */
  get ended(): AbortSignal {
    return this.#ended.signal;
  }

  /** Whether it ended by a failure. */
  get failed(): boolean {
    return this.#failed;
  }

  /** Throws `ClosedError` when closed or failed. */
  checkOpen(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** The member that is asked now. */
  get member(): EtcdMember {
    return this.#members[this.#current] as EtcdMember;
  }

  /** The next member is asked from now on, unless that has been changed already. */
  leave(member: EtcdMember): void {
    if (this.member === member) this.#current = (this.#current + 1) % this.#members.length;
  }

  /** How long to wait before the next attempt: not at all until each member has been asked. */
  delay(attempt: number): number {
    return attempt < this.#members.length - 1 ? 0 : backoffDelay(retry, attempt - this.#members.length + 1);
  }

  /** One attempt at the current member. Throws `EtcdError`; `ClosedError` when nothing was asked, or nothing that is said can be trusted. */
  async attempt<Request, Response extends Headed>(method: Method<Request, Response>, request: Request): Promise<Response> {
    this.checkOpen();
    const { member } = this;
    const floor = this.#highest;
    try {
      const response = await this.#authorized(member, (metadata) => this.#call(method(member), request, metadata));
      this.observe(response.header, floor);
      return response;
    } catch (error) {
      if (error instanceof ClosedError) throw error;
      const failure = error instanceof EtcdError ? error : toEtcdError(error, member.url);
      if (isPassing(failure)) this.leave(member);
      throw failure;
    }
  }

  /** Attempts until one is answered, for at most 10 s. For reads, and what may be done twice. Throws `EtcdError` that is not passing, `StatusError` ServiceUnavailable, or `ClosedError`. */
  async ask<Request, Response extends Headed>(method: Method<Request, Response>, request: Request): Promise<Response> {
    const deadline = this.#options.clock.monotonic() + readTimeout;
    for (let attempt = 0; ; attempt++) {
      try {
        return await this.attempt(method, request);
      } catch (error) {
        if (!isPassing(error)) throw error;
        const delay = this.delay(attempt);
        if (this.#options.clock.monotonic() + delay > deadline) throw unavailable(error);
        await this.pause(delay);
      }
    }
  }

  /** Waits; throws `ClosedError` when the connection ends meanwhile. */
  async pause(milliseconds: number): Promise<void> {
    await this.#options.clock.sleep(milliseconds, this.ended).catch(() => undefined);
    this.checkOpen();
  }

  /** What a call or a watch sends along: the token, and that a member without a leader is not to answer. */
  async metadata(member: EtcdMember): Promise<Metadata> {
    const { user } = this.#options;
    const { password } = this.#secrets;
    if (user === undefined) return this.#common;
    const metadata = this.#common.clone();
    this.#token ??= this.#signIn(member, user, password ?? '');
    const signing = this.#token;
    try {
      const token = await signing;
      if (token !== '') metadata.set('token', token);
      return metadata;
    } catch (error) {
      if (this.#token === signing) this.#token = undefined;
      throw error;
    }
  }

  /** The token is no longer good: the next call signs in anew. */
  forgetToken(): void {
    this.#token = undefined;
  }

  /** To be called with the header of every answer. `floor`: what the answer may not be older than. */
  observe(header: ResponseHeader | undefined, floor = 0): void {
    if (header === undefined) return;
    const revision = Number(header.revision);
    this.#cluster ??= header.clusterId;
    if (header.clusterId !== this.#cluster) {
      this.#fail('what answers at the endpoints of etcd is another cluster than before');
    } else if (revision !== 0 && revision < floor) {
      this.#fail(`etcd has gone back from revision ${floor} to ${revision}, as if an older copy of its data had been put in place`);
    } else if (revision > this.#highest) this.#highest = revision;
    this.checkOpen();
  }

  /** Ends everything with a reason: for what makes all that was read before untrue. */
  #fail(reason: string): void {
    this.#failed ||= this.#failure === undefined;
    this.end(
      new ClosedError(`${reason}; if a backup was restored, stop all servers, run "berth store restore" once, and start them again`),
    );
  }

  /** No call is begun any more, and waits end; who asks hears `error`. Calls that run are left to end. */
  end(error: Error): void {
    if (this.#failure !== undefined) return;
    this.#failure = error;
    this.#ended.abort();
  }

  #refreshLater(refresh: () => Promise<EtcdSecrets>): void {
    const { clock, log } = this.#options;
    clock.schedule(refreshInterval, () => {
      if (this.ended.aborted) return;
      refresh()
        .then((secrets) => {
          if (this.ended.aborted || JSON.stringify(given(secrets)) === JSON.stringify(this.#secrets)) return;
          for (const member of this.#members) member.retrust(secrets);
          this.#secrets = given(secrets);
          this.forgetToken();
          log.info('etcd is spoken to with the new certificates and password');
        })
        // A file that is being written: what there was still holds.
        .catch((error: unknown) => log.warn('the certificates or the password for etcd cannot be read anew', { error: messageOf(error) }))
        .finally(() => this.#refreshLater(refresh));
    });
  }

  /** Ends calls that run, and the connections. */
  close(): void {
    for (const call of this.#calls) call.cancel();
    for (const member of this.#members) member.close();
  }

  async #authorized<Response>(member: EtcdMember, call: (metadata: Metadata) => Promise<Response>): Promise<Response> {
    try {
      return await call(await this.metadata(member));
    } catch (error) {
      const failure = error instanceof EtcdError ? error : toEtcdError(error, member.url);
      if (failure.kind !== 'token' || this.#options.user === undefined) throw failure;
      this.forgetToken();
      return await call(await this.metadata(member));
    }
  }

  /** The token; empty where etcd asks for none. */
  async #signIn(member: EtcdMember, name: string, password: string): Promise<string> {
    try {
      const { auth } = member;
      const { token } = await this.#call(auth.authenticate.bind(auth), { name, password }, new Metadata());
      return token;
    } catch (error) {
      const failure = toEtcdError(error, member.url);
      if (!failure.message.includes('authentication is not enabled')) throw failure;
      this.#options.log.warn('etcd does not ask for a user: its authentication is not enabled', { user: name });
      return '';
    }
  }

  #call<Request, Response>(method: Unary<Request, Response>, request: Request, metadata: Metadata): Promise<Response> {
    return new Promise((resolve, reject) => {
      // The library notes the stack of every call for the case that it fails, which takes longer than encoding the call; nobody would read it.
      const { stackTraceLimit } = Error;
      Error.stackTraceLimit = 0;
      try {
        const call = method(request, metadata, { deadline: Date.now() + attemptTimeout }, (error, response) => {
          this.#calls.delete(call);
          if (error === null) resolve(response);
          else reject(error);
        });
        this.#calls.add(call);
      } finally {
        Error.stackTraceLimit = stackTraceLimit;
      }
    });
  }
}

function given({ certificateAuthority, certificate, key, password }: { [Name in keyof EtcdSecrets]?: string | undefined }): EtcdSecrets {
  return {
    ...(certificateAuthority === undefined ? {} : { certificateAuthority }),
    ...(certificate === undefined ? {} : { certificate }),
    ...(key === undefined ? {} : { key }),
    ...(password === undefined ? {} : { password }),
  };
}

/** What a user is told when etcd does not answer. */
export function unavailable(error: EtcdError): StatusError {
  return new StatusError('ServiceUnavailable', `the store does not answer: ${error.message}; try again when it does`, {
    cause: error,
    details: { retryAfterSeconds: 1 },
  });
}
