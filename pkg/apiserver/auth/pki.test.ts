import 'reflect-metadata';
import { X509Certificate } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { Pkcs10CertificateRequestGenerator } from '@peculiar/x509';
import { ManualClock } from '#base/manual-clock';
import { openPki } from './pki.ts';

const day = 24 * 60 * 60 * 1000;
let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'berth-pki-'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

const hosts = ['localhost', '127.0.0.1', '::1', 'kubernetes.default.svc', '10.43.0.1'];

describe('openPki', () => {
  test('makes an authority, a serving and an admin certificate, with keys for the owner alone', async () => {
    const pki = await openPki({ directory, hosts, clock: new ManualClock() });
    const authority = new X509Certificate(pki.authority.certificatePem);
    expect(authority.ca).toBe(true);
    const serving = new X509Certificate(pki.serving.certificate);
    expect(serving.verify(authority.publicKey)).toBe(true);
    expect(serving.checkIP('10.43.0.1')).toBeDefined();
    expect(serving.checkIP('::1')).toBeDefined();
    expect(serving.checkHost('kubernetes.default.svc')).toBeDefined();
    const admin = new X509Certificate(pki.admin.certificate);
    expect(admin.subject).toBe('O=system:masters\nCN=berth-admin');
    for (const name of (await readdir(directory)).filter((file) => file.endsWith('.key'))) {
      expect((await stat(join(directory, name))).mode & 0o777).toBe(0o600);
    }
    expect((await readdir(directory)).filter((file) => file.endsWith('.tmp'))).toEqual([]);
  });

  test('changes nothing when opened again', async () => {
    const clock = new ManualClock();
    const first = await openPki({ directory, hosts, clock });
    const again = await openPki({ directory, hosts, clock });
    expect(again.serving).toEqual(first.serving);
    expect(again.admin).toEqual(first.admin);
    expect(again.authority.certificatePem).toBe(first.authority.certificatePem);
  });

  test('issues the serving certificate anew when its hosts change, under the same authority', async () => {
    const clock = new ManualClock();
    const first = await openPki({ directory, hosts, clock });
    const again = await openPki({ directory, hosts: [...hosts, 'berth.example'], clock });
    expect(again.serving.certificate).not.toBe(first.serving.certificate);
    expect(new X509Certificate(again.serving.certificate).checkHost('berth.example')).toBeDefined();
    expect(again.admin).toEqual(first.admin);
    const fewer = await openPki({ directory, hosts: ['localhost'], clock });
    expect(new X509Certificate(fewer.serving.certificate).checkHost('berth.example')).toBeUndefined();
  });

  test('issues certificates anew before they end, and keeps the authority', async () => {
    const clock = new ManualClock();
    const first = await openPki({ directory, hosts, clock });
    await clock.advance(300 * day);
    const again = await openPki({ directory, hosts, clock });
    expect(again.serving.certificate).not.toBe(first.serving.certificate);
    expect(again.admin.certificate).not.toBe(first.admin.certificate);
    expect(again.authority.certificatePem).toBe(first.authority.certificatePem);
  });

  test('begins anew after a start that was cut short before the authority was complete', async () => {
    await writeFile(join(directory, 'ca.key'), 'half a ke');
    const pki = await openPki({ directory, hosts, clock: new ManualClock() });
    expect(new X509Certificate(pki.serving.certificate).verify(new X509Certificate(pki.authority.certificatePem).publicKey)).toBe(true);
  });

  test('never replaces an authority whose key is lost', async () => {
    await openPki({ directory, hosts, clock: new ManualClock() });
    await rm(join(directory, 'ca.key'));
    await expect(openPki({ directory, hosts, clock: new ManualClock() })).rejects.toThrow(/ca\.key is missing.*restore it/);
    const other = join(directory, 'other');
    await openPki({ directory: other, hosts, clock: new ManualClock() });
    await writeFile(join(directory, 'ca.key'), await readFile(join(other, 'ca.key')));
    await expect(openPki({ directory, hosts, clock: new ManualClock() })).rejects.toThrow(/do not belong together/);
  });
});

describe('node certificates', () => {
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
  async function signingRequest(): Promise<string> {
    const keys = await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
    const request = await Pkcs10CertificateRequestGenerator.create({
      name: 'CN=somebody,O=system:masters',
      keys,
      signingAlgorithm: algorithm,
    });
    return request.toString('pem');
  }

  test('are for the node that was named, whatever the request says of itself', async () => {
    const { authority } = await openPki({ directory, hosts, clock: new ManualClock() });
    const certificate = new X509Certificate(await authority.issueNodeCertificate(await signingRequest(), 'node-1'));
    expect(certificate.subject).toBe('O=system:nodes\nCN=system:node:node-1');
    expect(certificate.ca).toBe(false);
    expect(certificate.verify(new X509Certificate(authority.certificatePem).publicKey)).toBe(true);
  });

  test('are refused for what is no request and for names that could mean something else', async () => {
    const { authority } = await openPki({ directory, hosts, clock: new ManualClock() });
    await expect(authority.issueNodeCertificate('nonsense', 'node-1')).rejects.toMatchObject({ reason: 'BadRequest' });
    const request = await signingRequest();
    for (const name of ['', 'Node', 'a,O=system:masters', '-a', `a${'b'.repeat(253)}`]) {
      await expect(authority.issueNodeCertificate(request, name)).rejects.toMatchObject({ reason: 'BadRequest' });
    }
  });

  test('are refused when the request is not signed by its own key', async () => {
    const { authority } = await openPki({ directory, hosts, clock: new ManualClock() });
    const der = Buffer.from((await signingRequest()).replaceAll(/-----[^-]+-----|\s/g, ''), 'base64');
    der[der.length - 3]! ^= 1;
    const forged = `-----BEGIN CERTIFICATE REQUEST-----\n${der.toString('base64')}\n-----END CERTIFICATE REQUEST-----\n`;
    await expect(authority.issueNodeCertificate(forged, 'node-1')).rejects.toMatchObject({ reason: 'BadRequest' });
  });
});
