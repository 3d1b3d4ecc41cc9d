import { execFileSync } from 'node:child_process';
import { createPublicKey, X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { createAuthority, generatePrivateKey, issueCertificate } from './certificates.ts';

const from = Date.UTC(2026, 0, 2, 3, 4, 5);
const until = Date.UTC(2049, 11, 31, 23, 59, 59);
const hosts = ['localhost', 'kubernetes.default.svc', '127.0.0.1', '::1', '2001:db8::5:0:1', '::ffff:10.1.2.3', 'fd00:1:2:3:4:5:6:7'];

function issued(organizations: readonly string[] = ['system:masters', 'others']) {
  const authority = createAuthority('berth-ca', from, Date.UTC(2055, 0, 1));
  const privateKey = generatePrivateKey();
  const certificate = issueCertificate(authority, createPublicKey(privateKey), {
    subject: { commonName: 'berth-admin', organizations },
    hosts,
    usages: ['server', 'client'],
    notBefore: from,
    notAfter: until,
  });
  return { authority, privateKey, certificate };
}

describe('a certificate', () => {
  test('says who it is for, from when until when, and by whom', () => {
    const { authority, privateKey, certificate } = issued();
    const parsed = new X509Certificate(certificate);
    expect(parsed.subject).toBe('O=system:masters\nO=others\nCN=berth-admin');
    expect(parsed.issuer).toBe('CN=berth-ca');
    expect(Date.parse(parsed.validFrom)).toBe(from);
    expect(Date.parse(parsed.validTo)).toBe(until);
    expect(parsed.ca).toBe(false);
    expect(parsed.publicKey.equals(createPublicKey(privateKey))).toBe(true);
    const issuer = new X509Certificate(authority.certificate);
    expect(parsed.verify(issuer.publicKey)).toBe(true);
    expect(parsed.checkIssued(issuer)).toBe(true);
    expect(issuer.ca).toBe(true);
    expect(Date.parse(issuer.validTo)).toBe(Date.UTC(2055, 0, 1));
  });

  test('holds for the names and addresses of its hosts and for no others', () => {
    const parsed = new X509Certificate(issued().certificate);
    for (const host of ['localhost', 'kubernetes.default.svc']) expect(parsed.checkHost(host)).toBe(host);
    for (const address of hosts.slice(2)) expect(parsed.checkIP(address)).toBe(address);
    expect(parsed.checkHost('example.com')).toBeUndefined();
    expect(parsed.checkIP('127.0.0.2')).toBeUndefined();
  });

  test('is refused for a host that no certificate can name', () => {
    const authority = createAuthority('berth-ca', from, until);
    const request = {
      subject: { commonName: 'x', organizations: [] },
      hosts: ['bücher.example'],
      usages: ['server'] as const,
      notBefore: from,
      notAfter: until,
    };
    expect(() => issueCertificate(authority, createPublicKey(generatePrivateKey()), request)).toThrow(/bücher.example.*ASCII/);
  });

  (hasOpenssl() ? test : test.skip)('passes the strict checks of openssl, as a server and as a client', () => {
    const { authority, certificate } = issued();
    const folder = mkdtempSync(join(tmpdir(), 'berth-certificates-'));
    try {
      const [ca, leaf] = [join(folder, 'ca.crt'), join(folder, 'leaf.crt')];
      writeFileSync(ca, authority.certificate);
      writeFileSync(leaf, certificate);
      for (const purpose of ['sslserver', 'sslclient']) {
        const told = execFileSync('openssl', [
          'verify',
          '-x509_strict',
          '-attime',
          String(from / 1000 + 1),
          '-purpose',
          purpose,
          '-CAfile',
          ca,
          leaf,
        ]);
        expect(told.toString()).toContain(': OK');
      }
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

function hasOpenssl(): boolean {
  try {
    return execFileSync('openssl', ['version']).toString().startsWith('OpenSSL 3');
  } catch {
    return false;
  }
}
