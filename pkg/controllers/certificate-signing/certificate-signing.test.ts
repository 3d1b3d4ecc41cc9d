import 'reflect-metadata';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { Pkcs10CertificateRequestGenerator } from '@peculiar/x509';
import { certificateSigningRequests } from '#api/shapes/resources';
import type { CertificateSigningRequest } from '#api/shapes/types/certificates-v1';
import type { SigningRequest } from '#api/signing-request';
import { formatTime } from '#base/clock';
import { StatusError } from '#base/errors';
import { runAll } from '#base/lifecycle';
import { silentLogger } from '#base/logging';
import { ManualClock } from '#base/manual-clock';
import type { Client, Draft } from '#client/client';
import { InformerSet } from '#client/informer-set';
import { MemoryTransport } from '#client/memory-transport';
import { createClient } from '#client/typed-client';
import type { ControllerEnvironment } from '../controller.ts';
import { certificateSigning } from './certificate-signing.ts';
import { faultFor } from './signers.ts';

let pem: string;
beforeAll(async () => {
  const signingAlgorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
  const keys = await crypto.subtle.generateKey(signingAlgorithm, true, ['sign', 'verify']);
  pem = (await Pkcs10CertificateRequestGenerator.create({ name: 'CN=jane', keys, signingAlgorithm })).toString('pem');
});
const signerName = 'kubernetes.io/kube-apiserver-client';

type Sign = NonNullable<ControllerEnvironment['signCertificate']>;

async function withController(sign: Sign, use: (client: Client, clock: ManualClock) => Promise<void>): Promise<void> {
  const client = createClient(new MemoryTransport());
  const clock = new ManualClock();
  const informers = new InformerSet(client, { clock, log: silentLogger });
  const environment = { clientFor: () => client, informers, clock, log: silentLogger, resources: () => [], signCertificate: sign };
  const stop = new AbortController();
  const running = runAll([informers, certificateSigning.create(environment)], stop.signal);
  try {
    await use(client, clock);
  } finally {
    stop.abort();
    await running;
  }
}

function request(
  clock: ManualClock,
  decision: 'Approved' | 'Denied' | undefined,
  spec: Partial<CertificateSigningRequest['spec']> = {},
): Draft<CertificateSigningRequest> {
  const now = formatTime(clock.now());
  const condition = { type: decision ?? '', status: 'True', lastUpdateTime: now };
  return {
    metadata: { name: 'r', creationTimestamp: now },
    spec: { request: Buffer.from(pem).toString('base64'), signerName, usages: ['client auth'], ...spec },
    status: decision === undefined ? {} : { conditions: [condition] },
  };
}

/** The request once it is as is waited for. */
async function until(
  client: Client,
  isSo: (request: CertificateSigningRequest | undefined) => boolean | Promise<boolean>,
): Promise<CertificateSigningRequest | undefined> {
  for (;;) {
    const found = await client.find(certificateSigningRequests, { name: 'r' });
    if (await isSo(found)) return found;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

describe('a request for a certificate', () => {
  test('is signed once it was approved, as it asks', async () => {
    const asked: unknown[] = [];
    const sign: Sign = (...given) => {
      asked.push(given);
      return Promise.resolve('signed');
    };
    await withController(sign, async (client, clock) => {
      await client.create(certificateSigningRequests, request(clock, 'Approved', { expirationSeconds: 900 }));
      const done = await until(client, (found) => found?.status?.certificate !== undefined);
      expect(done?.status?.certificate).toBe(Buffer.from('signed').toString('base64'));
      expect(asked).toEqual([[pem, { usages: ['client auth'], seconds: 900 }]]);
    });
  });

  test('fails with the reason, and once, where its signer does not allow it or it is no request', async () => {
    const never: Sign = () => Promise.reject(new StatusError('BadRequest', 'not signed by its own key'));
    for (const [spec, why] of [
      [{ usages: ['server auth'] }, /usages are \[server auth\] and must be client auth/],
      [{ request: Buffer.from('nonsense').toString('base64') }, /cannot be read/],
      [{}, /not signed by its own key/],
    ] as const) {
      await withController(never, async (client, clock) => {
        await client.create(certificateSigningRequests, request(clock, 'Approved', spec as object));
        const failed = await until(client, (found) => found?.status?.conditions?.length === 2);
        expect(failed?.status?.conditions?.[1]).toMatchObject({
          type: 'Failed',
          reason: 'SignerValidationFailure',
          message: expect.stringMatching(why),
        });
        expect(failed?.status?.certificate).toBeUndefined();
      });
    }
  });

  test('is forgotten an hour after it was decided, and a day after it was made where nobody did', async () => {
    const never: Sign = () => Promise.reject(new Error('not to be signed'));
    for (const [decision, kept] of [
      ['Denied', 3_600_000],
      [undefined, 24 * 3_600_000],
    ] as const) {
      await withController(never, async (client, clock) => {
        await client.create(certificateSigningRequests, request(clock, decision));
        await clock.advance(kept - 1000);
        expect(await client.find(certificateSigningRequests, { name: 'r' })).toBeDefined();
        await until(client, async (found) => {
          if (found !== undefined) await clock.advance(1000);
          return found === undefined;
        });
      });
    }
  });
});

test("each signer has Kubernetes' rules", () => {
  const node: SigningRequest = {
    subject: Buffer.alloc(0),
    commonName: 'system:node:n',
    organizations: ['system:nodes'],
    dnsNames: [],
    addresses: [],
    emails: [],
    uris: [],
  };
  const client = ['digital signature', 'client auth'];
  const server = ['digital signature', 'key encipherment', 'server auth'];
  const [ofClient, ofServer] = ['kubernetes.io/kube-apiserver-client-kubelet', 'kubernetes.io/kubelet-serving'];
  expect(faultFor(ofClient, node, client)).toBeUndefined();
  expect(faultFor(ofClient, node, ['client auth'])).toMatch(/must be digital signature, client auth, and may be key encipherment/);
  expect(faultFor(ofClient, { ...node, organizations: ['system:nodes', 'system:masters'] }, client)).toMatch(/system:nodes alone/);
  expect(faultFor(ofClient, { ...node, commonName: 'jane' }, client)).toMatch(/must begin with system:node:/);
  expect(faultFor(ofClient, { ...node, dnsNames: ['n'] }, client)).toMatch(/not allowed/);
  expect(faultFor(ofServer, node, server)).toMatch(/a DNS name or an address is needed/);
  expect(faultFor(ofServer, { ...node, addresses: ['10.0.0.1'] }, server)).toBeUndefined();
  expect(faultFor(ofServer, { ...node, addresses: ['10.0.0.1'], uris: ['x:y'] }, server)).toMatch(/alone/);
});
