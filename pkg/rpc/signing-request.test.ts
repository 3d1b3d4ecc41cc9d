import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import 'reflect-metadata';
import { Pkcs10CertificateRequest } from '@peculiar/x509';
import { createSigningRequest, provenPublicKey } from './signing-request.ts';

const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });

describe('a signing request', () => {
  const pem = createSigningRequest(pair.privateKey, 'system:node:worker-1', 'system:nodes');

  test('is read by the certificate library, with its names and a valid signature', async () => {
    const request = new Pkcs10CertificateRequest(pem);
    expect(request.subject).toBe('O=system:nodes, CN=system:node:worker-1');
    expect(await request.verify()).toBe(true);
  });

  test('proves the key that signed it', () => {
    const key = createPublicKey(pair.privateKey).export({ type: 'spki', format: 'der' });
    expect(Buffer.from(provenPublicKey(pem) ?? []).equals(key)).toBe(true);
  });

  test('that was changed proves nothing', () => {
    const other = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const swapped = Buffer.from(pem.replace(/-----.*-----|\n/g, ''), 'base64');
    const own = pair.publicKey.export({ type: 'spki', format: 'der' });
    const at = swapped.indexOf(own);
    other.publicKey.export({ type: 'spki', format: 'der' }).copy(swapped, at);
    expect(
      provenPublicKey(`-----BEGIN CERTIFICATE REQUEST-----\n${swapped.toString('base64')}\n-----END CERTIFICATE REQUEST-----`),
    ).toBeUndefined();
    expect(provenPublicKey('nonsense')).toBeUndefined();
  });
});
