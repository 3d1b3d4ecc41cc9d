/** TLS of the agents' port, where a client certificate is asked for and may be absent (to join, one has none), and who the caller is. */
import { X509Certificate } from 'node:crypto';
import type { PeerCertificate } from 'node:tls';
import { experimental, type ServerCredentials } from '@grpc/grpc-js';
import { keyFingerprint } from '#rpc/join-token';

export interface ServingPair {
  /** Both PEM. */
  readonly certificate: string;
  readonly privateKey: string;
}

type Provider = Parameters<typeof experimental.createCertificateProviderServerCredentials>[0];
type AuthorityListener = Parameters<Provider['addCaCertificateListener']>[0];
type IdentityListener = Parameters<Provider['addIdentityCertificateListener']>[0];

/** Certificates that can be changed while the server runs. */
export class ServingCertificates {
  readonly credentials: ServerCredentials;
  readonly #authority: string;
  readonly #listeners = new Set<IdentityListener>();
  #pair: ServingPair;

  constructor(pair: ServingPair, authority: string) {
    this.#pair = pair;
    this.#authority = authority;
    // Told a moment later, never at once: the library registers whom it tells only after it has asked.
    const provider: Provider = {
      addCaCertificateListener: (listener: AuthorityListener) => queueMicrotask(() => listener({ caCertificate: Buffer.from(authority) })),
      removeCaCertificateListener: () => undefined,
      addIdentityCertificateListener: (listener) => {
        this.#listeners.add(listener);
        queueMicrotask(() => listener(this.#identity()));
      },
      removeIdentityCertificateListener: (listener) => void this.#listeners.delete(listener),
    };
    this.credentials = experimental.createCertificateProviderServerCredentials(provider, provider, false);
  }

  replace(pair: ServingPair): void {
    this.#pair = pair;
    for (const listener of this.#listeners) listener(this.#identity());
  }

  /** The authority is shown too: an agent that joins knows it by its hash. */
  #identity(): { certificate: Buffer; privateKey: Buffer } {
    return {
      certificate: Buffer.from(`${this.#pair.certificate.trim()}\n${this.#authority}`),
      privateKey: Buffer.from(this.#pair.privateKey),
    };
  }
}

export interface NodeIdentity {
  readonly nodeName: string;
  readonly keyFingerprint: string;
}

const nodePrefix = 'system:node:';

/** The node whose certificate the caller showed, signed by the cluster's authority and valid now; undefined for everyone else. */
export function nodeIdentityOf(call: { getAuthContext(): { sslPeerCertificate?: PeerCertificate } }): NodeIdentity | undefined {
  const certificate = call.getAuthContext().sslPeerCertificate;
  if (certificate === undefined) return undefined;
  const { CN: name, O: organizations } = certificate.subject as { CN?: unknown; O?: unknown };
  const isNode = organizations === 'system:nodes' || (Array.isArray(organizations) && organizations.includes('system:nodes'));
  if (!isNode || typeof name !== 'string' || !name.startsWith(nodePrefix)) return undefined;
  const key = new X509Certificate(certificate.raw).publicKey.export({ type: 'spki', format: 'der' });
  return { nodeName: name.slice(nodePrefix.length), keyFingerprint: keyFingerprint(key) };
}
