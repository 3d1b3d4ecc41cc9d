/**
 * The cluster's certificates, kept in one folder (keys 0600): the authority, the API server's own certificate, and the
 * administrator's; and the key that signs tokens. Made at the first start, read at the next ones, made anew when the server's names change or an end is near.
 * Invariant: the authority is never replaced by itself, because every node trusts it; a lost key is an error that says so.
 */
import { createPublicKey, type KeyObject, X509Certificate } from 'node:crypto';
import { chmod, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { hostname, networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { parseSigningRequest } from '#api/signing-request';
import type { Clock } from '#base/clock';
import { codeOf, StatusError } from '#base/errors';
import {
  type CertificateRequest,
  createAuthority,
  generatePrivateKey,
  issueCertificate,
  type KeyPair,
  readSigningRequest,
} from './certificates.ts';

export type { KeyPair } from './certificates.ts';

const day = 24 * 60 * 60 * 1000;
const authorityLife = 10 * 365 * day;
const certificateLife = 365 * day;
/** A certificate whose rest is shorter than this is made anew. */
const renewBefore = 90 * day;
/** Clocks differ: certificates hold from a little before they were made. */
const allowedSkew = 5 * 60 * 1000;

/** Signs certificates for nodes, which the dispatcher hands out at enrolment. */
export interface CertificateAuthority {
  readonly certificatePem: string;
  /**
   * A client certificate (CN `system:node:NAME`, O `system:nodes`) for the key of a PKCS#10 request, one year long.
   * What the request itself says of names is not looked at. Throws `BadRequest` for an unusable request or name.
   */
  issueNodeCertificate(signingRequestPem: string, nodeName: string): Promise<string>;
}

export interface Pki {
  readonly authority: CertificateAuthority;
  /** What the API server, and the dispatcher, show to their clients. */
  readonly serving: KeyPair;
  /** CN `berth-admin`, O `system:masters`. */
  readonly admin: KeyPair;
  /** Signs the tokens of service accounts: PKCS#8 PEM, EC P-256. All servers of a cluster must have the same. */
  readonly tokenKey: string;
  /** A client certificate with a fresh key for a part that runs as its own process. */
  issueClient(commonName: string, organizations: readonly string[]): Promise<KeyPair>;
  /**
   * The certificate that a PKCS#10 request (PEM) asks for, with the names in it, for so many seconds (a year, and at most that, unless given). Of the usages
   * `server auth`, `client auth` and `key encipherment` count. Whether it may have them is decided before. Throws `BadRequest`.
   */
  signRequest(request: string, options: { readonly usages: readonly string[]; readonly seconds?: number }): Promise<string>;
}

export interface PkiOptions {
  readonly directory: string;
  /** Names and addresses of the serving certificate; see `servingHosts`. */
  readonly hosts: readonly string[];
  readonly clock: Clock;
}

/** Reads the folder, making what is missing, ends soon or no longer fits. Call it again to renew: it changes nothing when all is well. */
export async function openPki(options: PkiOptions): Promise<Pki> {
  const { directory, clock } = options;
  await mkdir(directory, { recursive: true, mode: 0o700 });
  await chmod(directory, 0o700);
  const authority = await openAuthority(directory, clock);
  const hosts = [...new Set(options.hosts)];
  const [serving, admin, tokenKey] = await Promise.all([
    openPair(directory, 'server', authority, clock, {
      subject: { commonName: 'berth-apiserver', organizations: [] },
      hosts,
      usages: ['server'],
    }),
    openPair(directory, 'admin', authority, clock, {
      subject: { commonName: 'berth-admin', organizations: ['system:masters'] },
      hosts: [],
      usages: ['client'],
    }),
    openTokenKey(directory),
  ]);
  const issue = (key: KeyObject, commonName: string, organizations: readonly string[]): string =>
    issueCertificate(authority, key, { subject: { commonName, organizations }, hosts: [], usages: ['client'], ...validity(clock) });
  return {
    serving,
    admin,
    tokenKey,
    authority: {
      certificatePem: authority.certificate,
      async issueNodeCertificate(signingRequestPem, nodeName) {
        if (!/^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/.test(nodeName)) {
          throw new StatusError(
            'BadRequest',
            `node name ${JSON.stringify(nodeName)} is not allowed: use lower-case letters, digits, '-' and '.', at most 253`,
          );
        }
        return issue(await readSigningRequest(signingRequestPem), `system:node:${nodeName}`, ['system:nodes']);
      },
    },
    signRequest: async (request, { usages, seconds = Number.POSITIVE_INFINITY }) => {
      const key = await readSigningRequest(request);
      const asked = parseSigningRequest(request);
      if (asked === undefined) throw new StatusError('BadRequest', 'the certificate signing request cannot be read: make a new one');
      return issueCertificate(authority, key, {
        subject: asked.subject,
        hosts: [...asked.dnsNames, ...asked.addresses],
        usages: (['server', 'client'] as const).filter((usage) => usages.includes(`${usage} auth`)),
        encipherment: usages.includes('key encipherment'),
        notBefore: clock.now() - allowedSkew,
        notAfter: clock.now() + Math.min(certificateLife, seconds * 1000),
      });
    },
    issueClient(commonName, organizations) {
      const privateKey = generatePrivateKey();
      return Promise.resolve({ privateKey, certificate: issue(createPublicKey(privateKey), commonName, organizations) });
    },
  };
}

/** The names and addresses under which clients of this machine, its pods and its neighbours reach the server. */
export function servingHosts(extra: readonly string[], serviceAddress: string, domain: string): string[] {
  const addresses = Object.values(networkInterfaces())
    .flatMap((entries) => entries ?? [])
    .filter((entry) => !entry.internal && !entry.address.startsWith('fe80:'))
    .map((entry) => entry.address)
    .toSorted();
  const kubernetes = ['kubernetes', 'kubernetes.default', 'kubernetes.default.svc', `kubernetes.default.svc.${domain}`];
  return [...new Set(['localhost', '127.0.0.1', '::1', hostname(), ...addresses, ...kubernetes, serviceAddress, ...extra])];
}

function validity(clock: Clock): { notBefore: number; notAfter: number } {
  return { notBefore: clock.now() - allowedSkew, notAfter: clock.now() + certificateLife };
}

async function openAuthority(directory: string, clock: Clock): Promise<KeyPair> {
  const certificate = await readOptional(join(directory, 'ca.crt'));
  const privateKey = await readOptional(join(directory, 'ca.key'));
  if (certificate !== undefined && privateKey !== undefined) {
    if (!matches(certificate, privateKey)) {
      throw new Error(`${directory}: ca.crt and ca.key do not belong together: restore both from one backup`);
    }
    return { certificate, privateKey };
  }
  if (certificate !== undefined) {
    throw new Error(
      `${join(directory, 'ca.key')} is missing, so no certificate can be issued: restore it, or remove the folder to begin anew`,
    );
  }
  // A key with no certificate is what a start that was cut short leaves: nothing has been signed with it.
  const made = createAuthority('berth-ca', clock.now() - allowedSkew, clock.now() + authorityLife);
  await writePair(directory, 'ca', made);
  return made;
}

async function openTokenKey(directory: string): Promise<string> {
  const path = join(directory, 'sa.key');
  const present = await readOptional(path);
  if (present !== undefined) {
    try {
      createPublicKey(present);
      return present;
    } catch (error) {
      throw new Error(`${path} is no private key: restore it, or remove it and make the tokens of service accounts anew`, { cause: error });
    }
  }
  const made = generatePrivateKey();
  await writeAtomically(path, made, 0o600);
  return made;
}

async function openPair(
  directory: string,
  name: string,
  authority: KeyPair,
  clock: Clock,
  request: Omit<CertificateRequest, 'notBefore' | 'notAfter'>,
): Promise<KeyPair> {
  const certificate = await readOptional(join(directory, `${name}.crt`));
  const privateKey = await readOptional(join(directory, `${name}.key`));
  if (certificate !== undefined && privateKey !== undefined && serves(certificate, privateKey, authority, request.hosts, clock)) {
    return { certificate, privateKey };
  }
  const fresh = generatePrivateKey();
  const made = {
    privateKey: fresh,
    certificate: issueCertificate(authority, createPublicKey(fresh), { ...request, ...validity(clock) }),
  };
  await writePair(directory, name, made);
  return made;
}

function serves(certificate: string, privateKey: string, authority: KeyPair, hosts: readonly string[], clock: Clock): boolean {
  if (!matches(certificate, privateKey)) return false;
  const parsed = new X509Certificate(certificate);
  if (!parsed.verify(new X509Certificate(authority.certificate).publicKey)) return false;
  if (Date.parse(parsed.validTo) - clock.now() < renewBefore) return false;
  const named = (parsed.subjectAltName ?? '').split(', ').filter((entry) => entry !== '');
  return (
    named.length === hosts.length && hosts.every((host) => (isIP(host) === 0 ? parsed.checkHost(host) : parsed.checkIP(host)) !== undefined)
  );
}

function matches(certificate: string, privateKey: string): boolean {
  try {
    const own = createPublicKey(privateKey).export({ type: 'spki', format: 'der' });
    return own.equals(new X509Certificate(certificate).publicKey.export({ type: 'spki', format: 'der' }));
  } catch {
    return false;
  }
}

async function writePair(directory: string, name: string, pair: KeyPair): Promise<void> {
  await writeAtomically(join(directory, `${name}.key`), pair.privateKey, 0o600);
  await writeAtomically(join(directory, `${name}.crt`), pair.certificate, 0o644);
}

/** Writes a file so that a reader, or a start after a crash, sees all of it or what was there before. */
export async function writeAtomically(path: string, content: string, mode: number): Promise<void> {
  const temporary = `${path}.${process.pid}.tmp`;
  try {
    await writeFile(temporary, content, { mode, flush: true });
    await chmod(temporary, mode);
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

/** The file's text; undefined where there is none. */
export async function readOptional(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}
