/** The contract of a backend over real etcd. */
import { afterAll, beforeAll, describe, test } from '@jest/globals';
import { describeBackend } from '#storage/backend.suite';
import { carryOnEtcd, openEtcd } from '#storage/etcd/etcd-backend';
import { missingForEtcd, startTestEtcd, type TestEtcd } from '../harness/etcd.ts';

const missing = missingForEtcd();

if (missing === undefined) {
  let etcd: TestEtcd;
  const prefix = '/another/place';
  beforeAll(async () => {
    etcd = await startTestEtcd();
    // Behind a prefix and ahead of etcd's own revisions: then no key and no revision is by chance the same on both sides.
    await carryOnEtcd({ endpoints: etcd.endpoints, prefix }, { above: 5_000_000_000 });
  });
  afterAll(() => etcd.stop());
  describeBackend('the etcd backend', async (options) => ({
    backend: await openEtcd({ endpoints: etcd.endpoints, prefix, ...options }),
    dispose: async () => undefined,
  }));
} else {
  describe.skip(`the etcd backend (${missing})`, () => test.todo('keeps the contract of a backend'));
}
