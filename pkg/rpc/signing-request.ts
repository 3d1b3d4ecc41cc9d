/**
 * Makes and reads PKCS#10 certificate signing requests with an EC P-256 key, by hand: an agent needs nothing else of X.509, and the library
 * that could do it costs a quarter of a second to load.
 */
import { createPublicKey, type KeyObject, sign, verify } from 'node:crypto';
import { bitString, element, integer, objectId, pemOf, readElement as read, sequence, set, utf8String } from '#base/der';

const objectIds = {
  commonName: [0x55, 0x04, 0x03],
  organization: [0x55, 0x04, 0x0a],
  ecdsaWithSha256: [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02],
} as const;

/** PEM. Throws for a key that is not EC. */
export function createSigningRequest(privateKey: KeyObject, commonName: string, organization: string): string {
  if (privateKey.asymmetricKeyType !== 'ec')
    throw new Error(`a signing request is made with an EC key, not ${privateKey.asymmetricKeyType}`);
  const publicKey = createPublicKey(privateKey).export({ type: 'spki', format: 'der' });
  const subject = sequence(
    set(sequence(objectId(objectIds.organization), utf8String(organization))),
    set(sequence(objectId(objectIds.commonName), utf8String(commonName))),
  );
  const body = sequence(integer(Buffer.from([0])), subject, publicKey, element(0xa0, Buffer.alloc(0)));
  const signature = sign('sha256', body, privateKey);
  return pemOf('CERTIFICATE REQUEST', sequence(body, sequence(objectId(objectIds.ecdsaWithSha256)), bitString(signature)));
}

/**
 * The public key (SPKI, DER) of a request that `createSigningRequest` made, once its signature has shown that the sender holds the private
 * key; undefined for anything else.
 */
export function provenPublicKey(pem: string): Uint8Array | undefined {
  const base64 = /-----BEGIN CERTIFICATE REQUEST-----([\s\S]+)-----END CERTIFICATE REQUEST-----/.exec(pem)?.[1];
  if (base64 === undefined) return undefined;
  try {
    const outer = read(Buffer.from(base64, 'base64'));
    const body = read(outer.content);
    const algorithm = read(body.rest);
    const signature = read(algorithm.rest).content.subarray(1);
    const version = read(body.content);
    const subject = read(version.rest);
    const publicKey = read(subject.rest).whole;
    const key = createPublicKey({ key: publicKey, format: 'der', type: 'spki' });
    return verify('sha256', body.whole, key, signature) ? publicKey : undefined;
  } catch {
    return undefined;
  }
}
