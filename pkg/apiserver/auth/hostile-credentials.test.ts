/** Whatever a token or a certificate signing request holds, it is read or refused with a StatusError. */
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { parseSigningRequest } from '#api/signing-request';
import { systemClock } from '#base/clock';
import { pemOf, sequence } from '#base/der';
import { StatusError } from '#base/errors';
import { generatePrivateKey, readSigningRequest } from './certificates.ts';
import { TokenSigner } from './token-signer.ts';

const seed = 20_260_112;

/** A request of an EC key for `CN=a, O=b` and the name `c.example`, with a signature that need not hold. */
const request: Buffer = sequence(
  sequence(
    Buffer.from([2, 1, 0]),
    sequence(Buffer.from('310a3008060355040a0c0162', 'hex'), Buffer.from('310a300806035504030c0161', 'hex')),
    Buffer.from('3059301306072a8648ce3d020106082a8648ce3d030107034200', 'hex'),
    Buffer.from('a0283026 06092a864886f70d01090e 3119 3017 3015 0603551d11 040e 300c 8209 632e6578616d706c65'.replaceAll(' ', ''), 'hex'),
  ),
  Buffer.from('300a06082a8648ce3d040302', 'hex'),
  Buffer.from([3, 1, 0]),
);

const changed: fc.Arbitrary<Buffer> = fc
  .tuple(
    fc.array(
      fc.tuple(fc.nat(request.length - 1), fc.oneof(fc.integer({ min: 0, max: 255 }), fc.constantFrom(0x80, 0x84, 0x87, 0xff, 0x30))),
      { maxLength: 5 },
    ),
    fc.oneof(fc.constant(request.length), fc.nat(request.length)),
  )
  .map(([bytes, cut]) => {
    const body = Buffer.from(request);
    for (const [at, byte] of bytes) body[at] = byte;
    return body.subarray(0, cut);
  });

test('certificate signing requests', async () => {
  const anything = fc.oneof(changed, fc.uint8Array({ maxLength: 200 })).map((bytes) => pemOf('CERTIFICATE REQUEST', bytes));
  const text = fc.oneof(
    anything,
    fc.string({ maxLength: 100, unit: 'binary' }),
    fc.constant(`-----BEGIN CERTIFICATE REQUEST-----${'-'.repeat(10_000)}`),
  );
  fc.assert(
    fc.property(text, (pem) => {
      const read = parseSigningRequest(pem);
      if (read !== undefined) expect(typeof read.commonName).toBe('string');
    }),
    { seed, numRuns: 1000 },
  );
  await fc.assert(
    fc.asyncProperty(text, async (pem) => {
      const error: unknown = await readSigningRequest(pem).then(
        () => undefined,
        (reason: unknown) => reason,
      );
      expect(error).toBeInstanceOf(StatusError);
      expect((error as StatusError).code).toBe(400);
    }),
    { seed, numRuns: 150 },
  );
});

test('tokens', () => {
  const signer = new TokenSigner({ privateKey: generatePrivateKey(), issuer: 'https://berth', clock: systemClock });
  const { token } = signer.issue({ namespace: 'a', serviceaccount: { name: 'b', uid: 'c' } }, ['d'], 3600);
  expect(signer.read(token).sub).toBe('system:serviceaccount:a:b');
  const encoded = fc.jsonValue({ maxDepth: 2 }).map((value) => Buffer.from(JSON.stringify(value)).toString('base64url'));
  const part = fc.oneof(
    encoded,
    fc.constantFrom(...token.split('.'), '', '.', 'e30', 'bnVsbA'),
    fc.string({ maxLength: 20, unit: 'binary' }),
  );
  fc.assert(
    fc.property(
      fc.array(part, { maxLength: 5 }),
      fc.nat(token.length - 1),
      fc.string({ minLength: 1, maxLength: 1 }),
      (parts, at, letter) => {
        for (const given of [parts.join('.'), token.slice(0, at), `${token.slice(0, at)}${letter}${token.slice(at)}`]) {
          if (given === token) continue;
          expect(() => signer.read(given)).toThrow(StatusError);
        }
      },
    ),
    { seed, numRuns: 300 },
  );
  expect(() => signer.read('a.'.repeat(1_000_000))).toThrow(StatusError);
});
