/** What lets others check the tokens of service accounts by themselves: who issues them, and with which keys. OpenID Connect Discovery 1.0, as far as Kubernetes has it. */
import type { TokenSigner } from '../auth/token-signer.ts';

export const discoveryPath = '/.well-known/openid-configuration';
export const keySetPath = '/openid/v1/jwks';

export interface IssuerPage {
  readonly contentType: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly bytes: Uint8Array;
}

const headers = { 'cache-control': 'public, max-age=3600' };

export class IssuerPages {
  readonly #signer: TokenSigner;

  constructor(signer: TokenSigner) {
    this.#signer = signer;
  }

  /** `host`: as the client named this server, so that it finds the keys where it found this. */
  find(path: string, host: string): IssuerPage | undefined {
    if (path === keySetPath) return { contentType: 'application/jwk-set+json', headers, bytes: bytesOf(this.#signer.keySet()) };
    if (path !== discoveryPath) return undefined;
    const document = {
      issuer: this.#signer.issuer,
      jwks_uri: `https://${host}${keySetPath}`,
      response_types_supported: ['id_token'],
      subject_types_supported: ['public'],
      id_token_signing_alg_values_supported: ['ES256'],
    };
    return { contentType: 'application/json', headers, bytes: bytesOf(document) };
  }
}

function bytesOf(document: object): Uint8Array {
  return Buffer.from(JSON.stringify(document));
}
