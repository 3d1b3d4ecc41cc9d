/**
 * Makes X.509 certificates: the only file that touches the certificate library, which is dear to import (a quarter of a
 * second) and therefore loaded when something must be made and not before. Reading certificates needs `node:crypto` alone.
 */
import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, randomBytes, webcrypto } from 'node:crypto';
import { isIP } from 'node:net';
import { StatusError } from '#base/errors';

/** A certificate and its key, both PEM. */
export interface KeyPair {
  readonly certificate: string;
  readonly privateKey: string;
}

export interface CertificateRequest {
  readonly commonName: string;
  readonly organizations: readonly string[];
  /** Names and addresses, for a server's certificate. */
  readonly hosts: readonly string[];
  readonly usages: readonly ('server' | 'client')[];
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

const signing = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;

/** A fresh EC P-256 key as PKCS#8 PEM. */
export function generatePrivateKey(): string {
  return generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
}

/** A self-signed certificate authority for `commonName`. */
export async function createAuthority(commonName: string, notBefore: number, notAfter: number): Promise<KeyPair> {
  const x509 = await library();
  const privateKey = generatePrivateKey();
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serialNumber(),
    name: [{ CN: [commonName] }],
    notBefore: new Date(notBefore),
    notAfter: new Date(notAfter),
    signingAlgorithm: signing,
    keys: await signingKeys(privateKey),
    extensions: [
      new x509.BasicConstraintsExtension(true, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign | x509.KeyUsageFlags.digitalSignature, true),
      await x509.SubjectKeyIdentifierExtension.create(await publicKeyOf(createPublicKey(privateKey))),
    ],
  });
  return { certificate: `${certificate.toString('pem')}\n`, privateKey };
}

/** A certificate signed by `authority` for the public key `publicKey` (PEM, SPKI). */
export async function issueCertificate(authority: KeyPair, publicKey: KeyObject, request: CertificateRequest): Promise<string> {
  const x509 = await library();
  const issuer = new x509.X509Certificate(authority.certificate);
  const subjectKey = await publicKeyOf(publicKey);
  const usages = { server: x509.ExtendedKeyUsage.serverAuth, client: x509.ExtendedKeyUsage.clientAuth };
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: serialNumber(),
    subject: [...request.organizations.map((organization) => ({ O: [organization] })), { CN: [request.commonName] }],
    issuer: issuer.subject,
    notBefore: new Date(request.notBefore),
    notAfter: new Date(request.notAfter),
    signingAlgorithm: signing,
    publicKey: subjectKey,
    signingKey: (await signingKeys(authority.privateKey)).privateKey,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature | x509.KeyUsageFlags.keyEncipherment, true),
      new x509.ExtendedKeyUsageExtension(request.usages.map((usage) => usages[usage])),
      await x509.AuthorityKeyIdentifierExtension.create(issuer.publicKey),
      ...(request.hosts.length === 0
        ? []
        : [
            new x509.SubjectAlternativeNameExtension(
              request.hosts.map((host) => ({ type: isIP(host) === 0 ? ('dns' as const) : ('ip' as const), value: host })),
            ),
          ]),
    ],
  });
  return `${certificate.toString('pem')}\n`;
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

function serialNumber(): string {
  const bytes = randomBytes(16);
  bytes[0] = (bytes[0]! & 0x7f) | 0x40;
  return bytes.toString('hex');
}

async function signingKeys(pem: string): Promise<webcrypto.CryptoKeyPair> {
  const key = createPrivateKey(pem);
  const der = key.export({ type: 'pkcs8', format: 'der' });
  const privateKey = await webcrypto.subtle.importKey('pkcs8', der, signing, true, ['sign']);
  return { privateKey, publicKey: await publicKeyOf(createPublicKey(key)) };
}

async function publicKeyOf(key: KeyObject): Promise<webcrypto.CryptoKey> {
  const der = key.export({ type: 'spki', format: 'der' });
  const algorithm =
    key.asymmetricKeyType === 'rsa'
      ? { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' }
      : key.asymmetricKeyType === 'ed25519'
        ? { name: 'Ed25519' }
        : { name: 'ECDSA', namedCurve: webCurve(key.asymmetricKeyDetails?.namedCurve) };
  return webcrypto.subtle.importKey('spki', der, algorithm, true, ['verify']);
}

function webCurve(name: string | undefined): string {
  const curve = { prime256v1: 'P-256', secp384r1: 'P-384', secp521r1: 'P-521' }[name ?? ''];
  if (curve === undefined) throw new StatusError('BadRequest', `the key's curve ${name ?? ''} is not supported: use P-256`);
  return curve;
}
