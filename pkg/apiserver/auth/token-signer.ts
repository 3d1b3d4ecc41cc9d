/**
 * The JSON web tokens of service accounts: signed with the cluster's own key (ES256), and read back with nothing believed that the signature does not
 * cover. Whether what a token speaks of still exists is not looked at here (token-authenticator.ts). Every server of a cluster must have the same key.
 * Sources: RFC 7515, 7517, 7518, 7638's idea of a key's name; the claims are those of Kubernetes' bound tokens.
 */
import { createHash, createPrivateKey, createPublicKey, type KeyObject, randomUUID, sign, verify } from 'node:crypto';
import type { Clock } from '#base/clock';
import { StatusError } from '#base/errors';

interface Reference {
  readonly name: string;
  readonly uid: string;
}

/** Whom a token is for, and what it ends with. */
export interface TokenSubject {
  readonly namespace: string;
  readonly serviceaccount: Reference;
  readonly pod?: Reference;
  readonly secret?: Reference;
  /** Of the pod, or what the token is bound to itself when there is no pod. */
  readonly node?: Partial<Reference>;
}

export interface TokenClaims {
  readonly iss: string;
  readonly sub: string;
  readonly aud: readonly string[];
  /** Seconds since 1970. */
  readonly exp: number;
  readonly iat: number;
  readonly nbf: number;
  readonly jti: string;
  readonly 'kubernetes.io': TokenSubject;
}

export interface TokenSignerOptions {
  /** An EC P-256 key, PKCS#8 PEM. */
  readonly privateKey: string;
  /** `https://kubernetes.default.svc.cluster.local`: also the audience of tokens for the API itself. */
  readonly issuer: string;
  readonly clock: Clock;
}

export const serviceAccountUserPrefix = 'system:serviceaccount:';

/** Clocks of the servers of a cluster differ by no more, in seconds. */
const allowedSkew = 60;
/** Longer than any token that is made here. */
const maximumLength = 16 * 1024;

export class TokenSigner {
  readonly issuer: string;
  readonly #clock: Clock;
  readonly #privateKey: KeyObject;
  readonly #publicKey: KeyObject;
  readonly #keyId: string;

  constructor({ privateKey, issuer, clock }: TokenSignerOptions) {
    this.issuer = issuer;
    this.#clock = clock;
    this.#privateKey = createPrivateKey(privateKey);
    this.#publicKey = createPublicKey(privateKey);
    if (this.#publicKey.asymmetricKeyDetails?.namedCurve !== 'prime256v1')
      throw new Error('the key that signs the tokens of service accounts must be an EC P-256 key');
    this.#keyId = createHash('sha256')
      .update(this.#publicKey.export({ type: 'spki', format: 'der' }))
      .digest('base64url');
  }

  /** `seconds` from now on. */
  issue(subject: TokenSubject, audiences: readonly string[], seconds: number): { readonly token: string; readonly claims: TokenClaims } {
    const now = Math.floor(this.#clock.now() / 1000);
    const claims: TokenClaims = {
      aud: audiences,
      exp: now + seconds,
      iat: now,
      iss: this.issuer,
      jti: randomUUID(),
      'kubernetes.io': subject,
      nbf: now,
      sub: `${serviceAccountUserPrefix}${subject.namespace}:${subject.serviceaccount.name}`,
    };
    const signed = `${encode({ alg: 'ES256', kid: this.#keyId })}.${encode(claims)}`;
    const signature = sign('sha256', Buffer.from(signed), { key: this.#privateKey, dsaEncoding: 'ieee-p1363' });
    return { token: `${signed}.${signature.toString('base64url')}`, claims };
  }

  /** What the token says, once its signature has shown that it was issued here. Throws `Unauthorized`, with the reason as its message. */
  read(token: string): TokenClaims {
    const [head = '', body = '', signature = '', ...more] = token.length > maximumLength ? [] : token.split('.');
    const header = decode(head);
    if (more.length > 0 || header?.alg !== 'ES256' || header.kid !== this.#keyId) throw refused('the token was not issued by this cluster');
    const bytes = Buffer.from(signature, 'base64url');
    const key = { key: this.#publicKey, dsaEncoding: 'ieee-p1363' as const };
    // One text for one token: the decoder of base64 passes over what is none.
    const isExact = bytes.length === 64 && bytes.toString('base64url') === signature;
    if (!isExact || !verify('sha256', Buffer.from(`${head}.${body}`), key, bytes)) throw refused('the signature is invalid');
    const claims = decode(body);
    if (claims === undefined || claims.iss !== this.issuer) throw refused('the token is of another issuer');
    // Nobody else has the key: its claims have the form that `issue` gave them.
    return claims as unknown as TokenClaims;
  }

  /** Throws `Unauthorized` outside of the token's time. */
  checkTime({ exp, nbf }: TokenClaims): void {
    const now = this.#clock.now() / 1000;
    if (now >= exp) throw refused('the token has expired');
    if (now < nbf - allowedSkew) throw refused('the token is not valid yet');
  }

  /** RFC 7517: for those who check tokens without asking the API. */
  keySet(): object {
    return { keys: [{ use: 'sig', ...this.#publicKey.export({ format: 'jwk' }), kid: this.#keyId, alg: 'ES256' }] };
  }
}

export function refused(why: string): StatusError {
  return new StatusError('Unauthorized', why);
}

function encode(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

function decode(part: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(part, 'base64url').toString('utf8'));
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
