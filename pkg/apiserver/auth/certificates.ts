/**
 * Makes X.509 certificates with EC keys, by hand, because every first start waits for them: the library that could do it is dear to import
 * (a quarter of a second). It is loaded here alone, and only to read the signing requests of others.
 */
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  sign as signBytes,
  webcrypto,
  X509Certificate,
} from 'node:crypto';
import { isIP } from 'node:net';
import { bitString, element, integer, objectId, octetString, pemOf, readElement, sequence, set, utf8String } from '#base/der';
import { StatusError } from '#base/errors';

/** A certificate and its key, both PEM. */
export interface KeyPair {
  readonly certificate: string;
  readonly privateKey: string;
}

export interface CertificateRequest {
  /** Whom it is for: the name, and its organizations; or a whole name in DER. */
  readonly subject: { readonly commonName: string; readonly organizations: readonly string[] } | Uint8Array;
  /** Names and addresses, for a server's certificate. */
  readonly hosts: readonly string[];
  readonly usages: readonly ('server' | 'client')[];
  /** Whether keys may be enciphered with its key, besides signing; it is so unless given. */
  readonly encipherment?: boolean;
  /** Milliseconds since 1970. */
  readonly notBefore: number;
  readonly notAfter: number;
}

type Library = typeof import('@peculiar/x509');
async function library(): Promise<Library> {
  await import('reflect-metadata');
  const x509 = await import('@peculiar/x509');
  x509.cryptoProvider.set(webcrypto);
  return x509;
}

const ids = {
  commonName: [0x55, 0x04, 0x03],
  organization: [0x55, 0x04, 0x0a],
  subjectKeyIdentifier: [0x55, 0x1d, 0x0e],
  keyUsage: [0x55, 0x1d, 0x0f],
  subjectAlternativeName: [0x55, 0x1d, 0x11],
  basicConstraints: [0x55, 0x1d, 0x13],
  authorityKeyIdentifier: [0x55, 0x1d, 0x23],
  extendedKeyUsage: [0x55, 0x1d, 0x25],
  ecdsaWithSha256: [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02],
} as const;

const usageIds = {
  server: [0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x01],
  client: [0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x02],
} as const;

const derTrue = Buffer.from([0x01, 0x01, 0xff]);

/** A fresh EC P-256 key as PKCS#8 PEM. */
export function generatePrivateKey(): string {
  return generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
}

/** A self-signed certificate authority for `commonName`. */
export function createAuthority(commonName: string, notBefore: number, notAfter: number): KeyPair {
  const privateKey = generatePrivateKey();
  const publicKey = createPublicKey(privateKey).export({ type: 'spki', format: 'der' });
  const name = sequence(nameEntry(ids.commonName, commonName));
  const certificate = sign(privateKey, { issuer: name, notBefore, notAfter, subject: name, publicKey }, [
    extension(ids.basicConstraints, sequence(derTrue), true),
    // Digital signature, signing of certificates and of revocation lists.
    extension(ids.keyUsage, bitString(Buffer.from([0x86]), 1), true),
    extension(ids.subjectKeyIdentifier, octetString(keyIdentifier(publicKey))),
  ]);
  return { certificate, privateKey };
}

/** A certificate signed by `authority`, whose key is EC, for `publicKey`. Throws where a host is too odd to stand in a certificate. */
export function issueCertificate(authority: KeyPair, publicKey: KeyObject, request: CertificateRequest): string {
  const issuer = new X509Certificate(authority.certificate);
  const { notBefore, notAfter, subject: whom } = request;
  const subject =
    whom instanceof Uint8Array
      ? whom
      : sequence(
          ...whom.organizations.map((organization) => nameEntry(ids.organization, organization)),
          nameEntry(ids.commonName, whom.commonName),
        );
  const body = {
    issuer: subjectOf(issuer.raw),
    notBefore,
    notAfter,
    subject,
    publicKey: publicKey.export({ type: 'spki', format: 'der' }),
  };
  const issuerKey = keyIdentifier(issuer.publicKey.export({ type: 'spki', format: 'der' }));
  return sign(authority.privateKey, body, [
    extension(ids.basicConstraints, sequence(), true),
    // Digital signature, and encipherment of keys.
    extension(ids.keyUsage, request.encipherment === false ? bitString(Buffer.from([0x80]), 7) : bitString(Buffer.from([0xa0]), 5), true),
    extension(ids.extendedKeyUsage, sequence(...request.usages.map((usage) => objectId(usageIds[usage])))),
    extension(ids.authorityKeyIdentifier, sequence(element(0x80, issuerKey))),
    ...(request.hosts.length === 0 ? [] : [extension(ids.subjectAlternativeName, sequence(...request.hosts.map(alternativeName)))]),
  ]);
}

interface CertificateBody {
  /** Names in DER. */
  readonly issuer: Uint8Array;
  readonly subject: Uint8Array;
  readonly notBefore: number;
  readonly notAfter: number;
  /** SPKI in DER. */
  readonly publicKey: Uint8Array;
}

/** A version 3 certificate as PEM. */
function sign(privateKey: string, body: CertificateBody, extensions: readonly Uint8Array[]): string {
  const key = createPrivateKey(privateKey);
  if (key.asymmetricKeyType !== 'ec')
    throw new Error(`certificates are signed with an EC key; the authority's is ${key.asymmetricKeyType}`);
  const algorithm = sequence(objectId(ids.ecdsaWithSha256));
  const signed = sequence(
    element(0xa0, integer(Buffer.from([2]))),
    integer(serialNumber()),
    algorithm,
    body.issuer,
    sequence(time(body.notBefore), time(body.notAfter)),
    body.subject,
    body.publicKey,
    element(0xa3, sequence(...extensions)),
  );
  return pemOf('CERTIFICATE', sequence(signed, algorithm, bitString(signBytes('sha256', signed, key))));
}

function nameEntry(id: readonly number[], value: string): Buffer {
  return set(sequence(objectId(id), utf8String(value)));
}

function extension(id: readonly number[], value: Uint8Array, critical = false): Buffer {
  return sequence(objectId(id), ...(critical ? [derTrue] : []), octetString(value));
}

/** As RFC 5280 has it: two digits for the year until 2049, four from then on. */
function time(milliseconds: number): Buffer {
  const digits = new Date(milliseconds).toISOString().replaceAll(/\.\d+|[-:T]/g, '');
  return Number(digits.slice(0, 4)) < 2050 ? element(0x17, Buffer.from(digits.slice(2))) : element(0x18, Buffer.from(digits));
}

/** RFC 5280's first method: the SHA-1 of the key's bits. */
function keyIdentifier(publicKey: Buffer): Buffer {
  const algorithm = readElement(readElement(publicKey).content);
  return createHash('sha1').update(readElement(algorithm.rest).content.subarray(1)).digest();
}

/** The subject's name of a certificate, byte for byte: what is issued must name its issuer just so. */
function subjectOf(certificate: Buffer): Buffer {
  const version = readElement(readElement(readElement(certificate).content).content);
  const serial = readElement(version.rest);
  const algorithm = readElement(serial.rest);
  const issuer = readElement(algorithm.rest);
  const validity = readElement(issuer.rest);
  return readElement(validity.rest).whole;
}

function alternativeName(host: string): Buffer {
  const family = isIP(host);
  if (family === 4) return element(0x87, Buffer.from(host.split('.').map(Number)));
  if (family === 6) return element(0x87, addressBytes(host));
  if (!/^[\x21-\x7e]+$/.test(host)) throw new Error(`${JSON.stringify(host)} cannot be a name in a certificate: write it in ASCII`);
  return element(0x82, Buffer.from(host, 'latin1'));
}

/** The 16 bytes of an IPv6 address. */
function addressBytes(address: string): Buffer {
  // A URL spells every form of an address in the same way: hexadecimal groups, at most one `::`.
  const [before = '', after] = new URL(`http://[${address.replace(/%.*$/, '')}]`).hostname.slice(1, -1).split('::');
  const head = before === '' ? [] : before.split(':');
  const tail = after === undefined || after === '' ? [] : after.split(':');
  const groups = [...head, ...Array.from({ length: 8 - head.length - tail.length }, () => '0'), ...tail];
  return Buffer.concat(groups.map((group) => Buffer.from(group.padStart(4, '0'), 'hex')));
}

/**
 * The public key of a PKCS#10 request, once its signature has shown that the sender holds the private one. Nothing else of
 * the request counts: names are given by whoever signs. Throws `BadRequest`.
 */
export async function readSigningRequest(pem: string): Promise<KeyObject> {
  const x509 = await library();
  let key: KeyObject;
  let proven: boolean;
  try {
    const request = new x509.Pkcs10CertificateRequest(pem);
    key = createPublicKey({ key: Buffer.from(request.publicKey.rawData), format: 'der', type: 'spki' });
    proven = await request.verify();
  } catch (error) {
    throw new StatusError('BadRequest', 'the certificate signing request is not PEM-encoded PKCS#10: make a new one', { cause: error });
  }
  if (!proven) throw new StatusError('BadRequest', 'the certificate signing request is not signed by its own key: make a new one');
  const bits = key.asymmetricKeyDetails?.modulusLength;
  if (key.asymmetricKeyType === 'rsa' ? bits === undefined || bits < 2048 : !['ec', 'ed25519'].includes(key.asymmetricKeyType ?? '')) {
    throw new StatusError(
      'BadRequest',
      'the certificate signing request has a weak or unknown key: use EC P-256, Ed25519 or RSA of 2048 bits',
    );
  }
  return key;
}

/** 16 random bytes that are a positive number. */
function serialNumber(): Buffer {
  const bytes = randomBytes(16);
  bytes[0] = (bytes[0]! & 0x7f) | 0x40;
  return bytes;
}
