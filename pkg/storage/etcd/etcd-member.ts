/**
 * One endpoint of an etcd cluster: where it is, how it is trusted, and its channels, which are dialled when first used. Calls and
 * watches have a connection each, so that a watch that catches up does not stand before the answer to a write.
 */
import { isIP } from 'node:net';
import { checkServerIdentity } from 'node:tls';
import { type ChannelCredentials, type ClientOptions, credentials } from '@grpc/grpc-js';
import { AuthClient, KVClient, WatchClient } from './generated/etcd.ts';

export interface EtcdTls {
  /** PEM; the system's authorities unless given. */
  readonly certificateAuthority?: string;
  /** PEM, together with `key`: a client's certificate. */
  readonly certificate?: string;
  readonly key?: string;
}

const channelOptions = {
  'grpc.initial_reconnect_backoff_ms': 50,
  'grpc.min_reconnect_backoff_ms': 50,
  'grpc.max_reconnect_backoff_ms': 1000,
  // etcd ends connections that ask more often than every 5 s.
  'grpc.keepalive_time_ms': 10_000,
  'grpc.keepalive_timeout_ms': 5_000,
  'grpc.max_receive_message_length': -1,
  'grpc.max_send_message_length': -1,
  'grpc.enable_http_proxy': 0,
  'grpc.use_local_subchannel_pool': 1,
  // What becomes of a call that failed is decided by who made it; and nobody looks at the library's own figures.
  'grpc.enable_retries': 0,
  'grpc.enable_channelz': 0,
} as const;

export class EtcdMember {
  /** As it was given. */
  readonly url: string;
  readonly #target: string;
  /** Of the TLS that it is given. */
  readonly #credentialsOf: (tls: EtcdTls) => ChannelCredentials;
  readonly #options: ClientOptions;
  #kv: KVClient | undefined;
  #auth: AuthClient | undefined;
  #watches: WatchClient | undefined;
  #credentials: ChannelCredentials;

  /** Throws an error that says what is wrong with the endpoint. */
  constructor(endpoint: string, tls: EtcdTls) {
    const url = parseEndpoint(endpoint);
    this.url = endpoint;
    if (url.protocol === 'unix:') {
      this.#target = `unix:${decodeURIComponent(url.pathname)}`;
      this.#credentialsOf = () => credentials.createInsecure();
      this.#credentials = this.#credentialsOf(tls);
      // Else it would be the path, which servers refuse.
      this.#options = { ...channelOptions, 'grpc.default_authority': 'localhost' };
      return;
    }
    // The port that is a scheme's own is left out by URL, though it was written.
    this.#target = `dns:///${url.hostname}:${/:(\d+)\/?$/.exec(endpoint)?.[1] ?? '2379'}`;
    const address = url.hostname.replace(/^\[|\]$/g, '');
    const secure = url.protocol === 'https:';
    const byAddress = secure && isIP(address) !== 0;
    this.#credentialsOf = (given) => (secure ? secureCredentials(given, byAddress ? address : undefined) : credentials.createInsecure());
    this.#credentials = this.#credentialsOf(tls);
    // A server's name in TLS is never an address; the certificate is checked against the address all the same.
    this.#options = byAddress ? { ...channelOptions, 'grpc.ssl_target_name_override': 'etcd' } : channelOptions;
  }

  get kv(): KVClient {
    this.#kv ??= new KVClient(this.#target, this.#credentials, this.#options);
    return this.#kv;
  }

  get auth(): AuthClient {
    this.#auth ??= new AuthClient(this.#target, this.#credentials, { ...this.#options, channelOverride: this.kv.getChannel() });
    return this.#auth;
  }

  get watches(): WatchClient {
    this.#watches ??= new WatchClient(this.#target, this.#credentials, this.#options);
    return this.#watches;
  }

  /** Dials with other certificates from now on; what is under way ends on the connections that there are. Throws for what is no PEM. */
  retrust(tls: EtcdTls): void {
    this.#credentials = this.#credentialsOf(tls);
    this.close();
    this.#kv = undefined;
    this.#auth = undefined;
    this.#watches = undefined;
  }

  close(): void {
    this.#kv?.close();
    this.#watches?.close();
  }
}

function secureCredentials(tls: EtcdTls, address: string | undefined): ChannelCredentials {
  const pem = (text: string | undefined): Buffer | null => (text === undefined ? null : Buffer.from(text));
  return credentials.createSsl(
    pem(tls.certificateAuthority),
    pem(tls.key),
    pem(tls.certificate),
    address === undefined ? {} : { checkServerIdentity: (_name, certificate) => checkServerIdentity(address, certificate) },
  );
}

function parseEndpoint(endpoint: string): URL {
  const url = URL.canParse(endpoint) ? new URL(endpoint) : undefined;
  const network = url?.protocol === 'http:' || url?.protocol === 'https:';
  const fits = network
    ? url.hostname !== '' && (url.pathname === '/' || url.pathname === '')
    : url?.protocol === 'unix:' && url.hostname === '' && url.pathname.length > 1;
  if (url === undefined || !fits || url.username !== '' || url.search !== '') {
    throw new Error(`an etcd endpoint is http://HOST:PORT, https://HOST:PORT or unix:///PATH, not "${endpoint}"`);
  }
  return url;
}
