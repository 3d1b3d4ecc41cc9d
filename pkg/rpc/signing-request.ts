/**
 * Makes and reads PKCS#10 certificate signing requests with an EC P-256 key, by hand: an agent needs nothing else of X.509, and the library
 * that could do it costs a quarter of a second to load.
 */
import { createPublicKey, type KeyObject, sign, verify } from 'node:crypto';

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
    element(0x31, sequence(objectId(objectIds.organization), utf8(organization))),
    element(0x31, sequence(objectId(objectIds.commonName), utf8(commonName))),
  );
  const body = sequence(element(0x02, Buffer.from([0])), subject, publicKey, element(0xa0, Buffer.alloc(0)));
  const signature = sign('sha256', body, privateKey);
  const request = sequence(
    body,
    sequence(objectId(objectIds.ecdsaWithSha256)),
    element(0x03, Buffer.concat([Buffer.from([0]), signature])),
  );
  const lines = request.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE REQUEST-----\n${lines.join('\n')}\n-----END CERTIFICATE REQUEST-----\n`;
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

interface Element {
  readonly content: Buffer;
  /** Tag and length included. */
  readonly whole: Buffer;
  readonly rest: Buffer;
}

function read(bytes: Buffer): Element {
  let length = bytes.readUInt8(1);
  let start = 2;
  if (length & 0x80) {
    const size = length & 0x7f;
    length = bytes.readUIntBE(2, size);
    start += size;
  }
  const end = start + length;
  if (end > bytes.length) throw new RangeError('truncated');
  return { content: bytes.subarray(start, end), whole: bytes.subarray(0, end), rest: bytes.subarray(end) };
}

function element(tag: number, content: Buffer): Buffer {
  return Buffer.concat([Buffer.from([tag]), lengthOf(content.length), content]);
}

function lengthOf(length: number): Buffer {
  if (length < 0x80) return Buffer.from([length]);
  if (length < 0x100) return Buffer.from([0x81, length]);
  return Buffer.from([0x82, length >> 8, length & 0xff]);
}

function sequence(...parts: readonly Uint8Array[]): Buffer {
  return element(0x30, Buffer.concat(parts));
}

function objectId(bytes: readonly number[]): Buffer {
  return element(0x06, Buffer.from(bytes));
}

function utf8(text: string): Buffer {
  return element(0x0c, Buffer.from(text, 'utf8'));
}
