/**
 * What a machine shows to join: `berth1.<id>.<secret>.<hash>`. Id and secret are those of a Kubernetes bootstrap token; the hash is the
 * SHA-256 of the authority's public key, by which the agent knows the server before it sends the secret.
 */
import { createHash, randomInt, X509Certificate } from 'node:crypto';

export interface JoinToken {
  /** Six characters of [a-z0-9]: names the Secret, no secret itself. */
  readonly id: string;
  /** Sixteen characters of [a-z0-9]. */
  readonly secret: string;
  /** See `authorityHash`. */
  readonly authorityHash: string;
}

const form = /^berth1\.([a-z0-9]{6})\.([a-z0-9]{16})\.([0-9a-f]{64})$/;

export function formatJoinToken(token: JoinToken): string {
  return `berth1.${token.id}.${token.secret}.${token.authorityHash}`;
}

/** Throws an Error that says what a token looks like and where one comes from. */
export function parseJoinToken(text: string): JoinToken {
  const [, id, secret, hash] = form.exec(text.trim()) ?? [];
  if (id === undefined || secret === undefined || hash === undefined) {
    throw new Error(
      'the join token is not of the form berth1.<id>.<secret>.<hash>: copy the whole of it, or make one with "berth token create" on the server',
    );
  }
  return { id, secret, authorityHash: hash };
}

/** A fresh id and secret. */
export function generateTokenParts(): { readonly id: string; readonly secret: string } {
  return { id: randomText(6), secret: randomText(16) };
}

/** SHA-256 of the certificate's public key (SPKI, DER), hex: stays the same when the authority's certificate is renewed for the same key. */
export function authorityHash(certificatePem: string): string {
  return keyFingerprint(new X509Certificate(certificatePem).publicKey.export({ type: 'spki', format: 'der' }));
}

/** SHA-256, hex, of a public key as SPKI in DER. */
export function keyFingerprint(spki: Uint8Array): string {
  return createHash('sha256').update(spki).digest('hex');
}

function randomText(length: number): string {
  const letters = 'abcdefghijklmnopqrstuvwxyz0123456789';
  return Array.from({ length }, () => letters[randomInt(letters.length)]).join('');
}
