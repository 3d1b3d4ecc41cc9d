/** The etcd backend over TLS, with certificates on both sides, and as a user of etcd's own authentication. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { Registry } from 'prom-client';
import { openPki, type Pki } from '#apiserver/auth/pki';
import { systemClock } from '#base/clock';
import { type EtcdBackend, type EtcdOptions, openEtcd } from '#storage/etcd/etcd-backend';
import type { EtcdSecrets } from '#storage/etcd/etcd-connection';
import { checkVersion } from '#storage/etcd/etcd-status';
import { hurriedClock } from '../harness/command-line.ts';
import { eventually } from '../harness/commands.ts';
import { missingForEtcd, startTestEtcd, type TestEtcd } from '../harness/etcd.ts';

const missing = missingForEtcd();
const describeOnEtcd = missing === undefined ? describe : describe.skip;

const opened: EtcdBackend[] = [];
async function open(options: EtcdOptions): Promise<EtcdBackend> {
  const backend = await openEtcd(options);
  opened.push(backend);
  return backend;
}
afterEach(async () => {
  await Promise.all(opened.splice(0).map((backend) => backend.close()));
});

/** Commits one key, and sees it come through a watch. */
async function works(backend: EtcdBackend, key: string): Promise<void> {
  const after = await backend.revision();
  const result = await backend.commit({ compare: [{ key, revision: 0 }], ops: [{ type: 'put', key, value: Buffer.from('x') }] });
  expect(result).toMatchObject({ committed: true });
  for await (const { events } of backend.watch('/berth/', after, new AbortController().signal)) {
    if (events.some((event) => event.key === key)) return;
  }
}

describeOnEtcd(`etcd over TLS${missing === undefined ? '' : ` (${missing})`}`, () => {
  let folder: string;
  let etcd: TestEtcd;
  let pki: Pki;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'berth-etcd-tls-'));
    pki = await openPki({ directory: join(folder, 'pki'), hosts: ['127.0.0.1', 'localhost'], clock: systemClock });
    const paths = {
      certificateAuthority: join(folder, 'ca.crt'),
      certificate: join(folder, 'server.crt'),
      key: join(folder, 'server.key'),
    };
    await writeFile(paths.certificateAuthority, pki.authority.certificatePem);
    await writeFile(paths.certificate, pki.serving.certificate);
    await writeFile(paths.key, pki.serving.privateKey);
    etcd = await startTestEtcd({ tls: paths, flags: ['--client-cert-auth'] });
  });
  afterAll(async () => {
    await etcd.stop();
    await rm(folder, { recursive: true });
  });

  test('works by address and by name, with a certificate of its own', async () => {
    const client = await pki.issueClient('berth', []);
    const options = { certificateAuthority: pki.authority.certificatePem, certificate: client.certificate, key: client.privateKey };
    await works(await open({ ...options, endpoints: etcd.endpoints }), '/berth/a');
    await works(await open({ ...options, endpoints: etcd.endpoints.map((url) => url.replace('127.0.0.1', 'localhost')) }), '/berth/b');
  });

  test('reads its certificates anew when they have changed, and says in its metrics how it is', async () => {
    const registry = new Registry();
    const { certificate, privateKey: key } = await pki.issueClient('berth', []);
    const right = { certificateAuthority: pki.authority.certificatePem, certificate, key };
    let files: EtcdSecrets = right;
    let looks = 0;
    const refresh = (): Promise<EtcdSecrets> => {
      looks++;
      return Promise.resolve(files);
    };
    // What is looked at now and then is looked at now.
    const clock = {
      ...hurriedClock(10),
      schedule: (ms: number, callback: () => void) => systemClock.schedule(ms === 30_000 ? 20 : ms, callback),
    };
    const backend = await open({ ...right, endpoints: etcd.endpoints, refresh, registry, clock });
    const looked = async (): Promise<void> => {
      const before = looks;
      await eventually('the files were read', () => Promise.resolve(looks > before + 1 ? true : undefined));
    };
    await looked();
    await works(backend, '/berth/before');
    // With no certificate nothing is answered any more: so it is these that are used.
    files = { certificateAuthority: right.certificateAuthority };
    await looked();
    await expect(backend.revision()).rejects.toThrow('does not answer');
    const other = await pki.issueClient('berth', []);
    files = { ...right, certificate: other.certificate, key: other.privateKey };
    await looked();
    await works(backend, '/berth/after');
    const text = await registry.metrics();
    expect(text).toMatch(/etcd_request_duration_seconds_count\{operation="txn"\} [2-9]\n/);
    expect(text).toMatch(/etcd_request_errors_total\{operation="revision"\} 1\n/);
    expect(text).toMatch(/apiserver_storage_size_bytes [1-9]/);
  });

  test('is refused where the certificate is not for the address, not trusted, or missing', async () => {
    const client = await pki.issueClient('berth', []);
    const own = { certificate: client.certificate, key: client.privateKey };
    const trusted = { certificateAuthority: pki.authority.certificatePem };
    const other = await openPki({ directory: join(folder, 'other'), hosts: [], clock: systemClock });
    const elsewhere = etcd.endpoints.map((url) => url.replace('127.0.0.1', '127.0.0.2'));
    const attempts = await Promise.allSettled([
      openEtcd({ endpoints: etcd.endpoints, ...own, certificateAuthority: other.authority.certificatePem }),
      openEtcd({ endpoints: etcd.endpoints, ...trusted }),
      openEtcd({ endpoints: elsewhere, ...own, ...trusted }),
      openEtcd({ endpoints: etcd.endpoints, ...trusted, certificate: client.certificate }),
    ]);
    const messages = attempts.map((attempt) => (attempt.status === 'rejected' ? (attempt.reason as Error).message : 'it opened'));
    expect(messages[0]).toMatch(/certificate/);
    expect(messages[1]).toMatch(/does not answer/);
    expect(messages[2]).toMatch(/127\.0\.0\.2/);
    expect(messages[3]).toBe('a certificate for etcd and its key come together');
  });
});

describeOnEtcd('etcd with authentication', () => {
  let etcd: TestEtcd;
  const user = { user: 'berth', password: 'secret of berth' };

  beforeAll(async () => {
    etcd = await startTestEtcd({ flags: ['--auth-token-ttl', '3'] });
    for (const words of [
      ['user', 'add', 'root:root'],
      ['user', 'grant-role', 'root', 'root'],
      ['role', 'add', 'berth'],
      ['role', 'grant-permission', 'berth', 'readwrite', '--prefix=true', '/berth/'],
      ['user', 'add', `berth:${user.password}`],
      ['user', 'grant-role', 'berth', 'berth'],
      ['user', 'add', 'stranger:stranger'],
      ['auth', 'enable'],
    ]) {
      etcd.control(...words);
    }
  });
  afterAll(() => etcd.stop());

  test('works as a user who may read and write under the prefix alone, also after its tokens are gone', async () => {
    const backend = await open({ endpoints: etcd.endpoints, ...user });
    await works(backend, '/berth/a');
    const stop = new AbortController();
    const keys: string[] = [];
    const after = await backend.revision();
    const watched = (async () => {
      for await (const { events } of backend.watch('/berth/', after, stop.signal)) {
        keys.push(...events.map(({ key }) => key).filter((key) => !key.startsWith('/berth/_/')));
        if (keys.includes('/berth/c')) stop.abort();
      }
    })();
    // Tokens are in the memory of etcd.
    await etcd.members[0]?.kill();
    await etcd.members[0]?.start();
    await works(backend, '/berth/b');
    await systemClock.sleep(5_000);
    await works(backend, '/berth/c');
    await watched;
    expect(keys).toEqual(['/berth/b', '/berth/c']);
    await backend.compact(await backend.revision());
  });

  test('refuses a wrong password, no user, and a user who may not, with what to do', async () => {
    const refused = async (options: Partial<EtcdOptions>): Promise<string> =>
      await openEtcd({ endpoints: etcd.endpoints, ...options }).then(
        () => 'it opened',
        (error: Error) => error.message,
      );
    expect(await refused({ user: 'berth', password: 'wrong' })).toMatch(/authentication failed.*--etcd-password-file/);
    expect(await refused({})).toMatch(/user name is empty; it wants a user: --etcd-user/);
    expect(await refused({ user: 'stranger', password: 'stranger' })).toMatch(/permission denied; the user needs a role/);
    expect(await refused({ ...user, prefix: '/elsewhere' })).toMatch(/permission denied/);
  });
});

test('what an endpoint and a prefix must be is said', async () => {
  for (const endpoint of ['127.0.0.1:2379', 'ftp://a', 'http://a/path', 'http://', 'unix://a', 'unix:///', '']) {
    await expect(openEtcd({ endpoints: [endpoint] })).rejects.toThrow(
      `an etcd endpoint is http://HOST:PORT, https://HOST:PORT or unix:///PATH, not "${endpoint}"`,
    );
  }
  await expect(openEtcd({ endpoints: [] })).rejects.toThrow('etcd needs at least one endpoint');
  await expect(openEtcd({ endpoints: ['http://127.0.0.1:1'], prefix: 'a b' })).rejects.toThrow('printable ASCII');
});

test('an etcd that is too old is refused', () => {
  for (const version of ['3.4.0', '3.5.16', '3.6.6', '4.0.0']) checkVersion(version);
  for (const version of ['3.3.27', '2.3.8']) expect(() => checkVersion(version)).toThrow(`etcd ${version} is too old: 3.4 or later`);
});
