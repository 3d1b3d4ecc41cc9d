import 'reflect-metadata';
import { describe, expect, test } from '@jest/globals';
import { Pkcs10CertificateRequestGenerator, SubjectAlternativeNameExtension } from '@peculiar/x509';
import fc from 'fast-check';
import { parseSigningRequest } from './signing-request.ts';

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };

async function requestFor(
  name: string,
  alternatives: ConstructorParameters<typeof SubjectAlternativeNameExtension>[0] = [],
): Promise<string> {
  const keys = await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const extensions = Array.isArray(alternatives) && alternatives.length === 0 ? [] : [new SubjectAlternativeNameExtension(alternatives)];
  const request = await Pkcs10CertificateRequestGenerator.create({ name, keys, signingAlgorithm: algorithm, extensions });
  return request.toString('pem');
}

describe('a certificate signing request', () => {
  test('is read with its names', async () => {
    const pem = await requestFor('O=team a, O=tëam b, CN=jane', [
      { type: 'dns', value: 'web.example' },
      { type: 'ip', value: '10.0.0.1' },
      { type: 'ip', value: '2001:db8::1' },
      { type: 'email', value: 'jane@example.com' },
      { type: 'url', value: 'spiffe://example/jane' },
    ]);
    expect(parseSigningRequest(pem)).toMatchObject({
      commonName: 'jane',
      organizations: ['team a', 'tëam b'],
      dnsNames: ['web.example'],
      addresses: ['10.0.0.1', '2001:db8::1'],
      emails: ['jane@example.com'],
      uris: ['spiffe://example/jane'],
    });
  });

  test('may have no names at all', async () => {
    expect(parseSigningRequest(await requestFor(''))).toMatchObject({ commonName: '', organizations: [], dnsNames: [], addresses: [] });
  });

  test('that is cut off, changed or nonsense is read as none, or as another, and nothing is thrown', async () => {
    const pem = await requestFor('CN=jane', [{ type: 'dns', value: 'web.example' }]);
    const der = Buffer.from(pem.replaceAll(/-----[^-]+-----|\s/g, ''), 'base64');
    const wrap = (bytes: Uint8Array): string =>
      `-----BEGIN CERTIFICATE REQUEST-----\n${Buffer.from(bytes).toString('base64')}\n-----END CERTIFICATE REQUEST-----\n`;
    for (const text of ['', 'nonsense', wrap(Buffer.alloc(0)), wrap(Buffer.from([0x30]))])
      expect(parseSigningRequest(text)).toBeUndefined();
    fc.assert(
      fc.property(fc.nat(der.length - 1), fc.integer({ min: 0, max: 255 }), fc.boolean(), (at, byte, cut) => {
        const changed = Buffer.from(der);
        changed[at] = byte;
        parseSigningRequest(wrap(cut ? changed.subarray(0, at) : changed));
      }),
      { seed: 7, numRuns: 2000 },
    );
  });
});
