/** Whole servers on one etcd: what one has written the other shows, and a cluster moves between stores. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { configMaps, pods } from '#api/shapes/resources';
import { systemClock } from '#base/clock';
import { hasReason } from '#base/errors';
import { createLogger } from '#base/logging';
import type { Client } from '#client/client';
import { type RunningServer, type ServerOptions, startServer } from '#server/server';
import { exportCluster, importCluster, type StoreOptions } from '#server/stores';
import { missingForEtcd, startTestEtcd, type TestEtcd } from '../harness/etcd.ts';

const missing = missingForEtcd();
const describeOnEtcd = missing === undefined ? describe : describe.skip;

let folder: string;
let etcd: TestEtcd;
const running: RunningServer[] = [];

async function start(home: string, options: Partial<ServerOptions> = {}): Promise<RunningServer> {
  // A further server of the cluster joins by the token of the first.
  const serverToken = await readFile(join(folder, 'a', 'server-token'), 'utf8').catch(() => '');
  const server = await startServer({
    home: join(folder, home),
    ...(serverToken === '' ? {} : { serverToken }),
    store: 'etcd',
    etcd: { endpoints: etcd.endpoints },
    host: '127.0.0.1',
    port: 0,
    agentPort: 0,
    components: { scheduler: false, controllers: false, dispatcher: false },
    log: createLogger({ format: 'text' }),
    ...options,
  });
  running.push(server);
  return server;
}

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'berth-etcd-servers-'));
});
afterEach(async () => {
  await Promise.all(running.splice(0).map((server) => server.stop()));
  await etcd.stop();
  await rm(folder, { recursive: true });
});

const configMap = (name: string, value: number) => ({ metadata: { name, namespace: 'default' }, data: { value: `${value}` } });

describeOnEtcd(`two servers over one etcd${missing === undefined ? '' : ` (${missing})`}`, () => {
  test('give a client that alternates between them what it has just written: 10,000 times', async () => {
    etcd = await startTestEtcd();
    const servers = [await start('a'), await start('b')];
    const [first, second] = servers.map((server) => server.client()) as [Client, Client];
    const lanes = 40;
    const rounds = 250;
    let stale = 0;
    let pairs = 0;
    const lane = async (number: number): Promise<void> => {
      const name = `lane-${number}`;
      await first.create(configMaps, configMap(name, 0));
      for (let round = 1; round <= rounds; round++) {
        const [writer, reader] = (round + number) % 2 === 0 ? [first, second] : [second, first];
        const written = await writer.patch(configMaps, { name, namespace: 'default' }, 'merge', { data: { value: `${round}` } });
        const read =
          round % 5 === 0
            ? (await reader.list(configMaps, { namespace: 'default' })).items.find(({ metadata }) => metadata.name === name)
            : await reader.get(configMaps, { name, namespace: 'default' });
        pairs++;
        if (read?.metadata.resourceVersion !== written.metadata.resourceVersion || read?.data?.value !== `${round}`) stale++;
      }
    };
    await Promise.all(Array.from({ length: lanes }, (_, number) => lane(number)));
    expect(pairs).toBe(10_000);
    expect(stale).toBe(0);
  });

  test('see each other delete, and both watch everything in the same order, while etcd is killed and comes back', async () => {
    etcd = await startTestEtcd();
    const servers = [await start('a'), await start('b')];
    const clients = servers.map((server) => server.client());
    const stop = new AbortController();
    const begun = await Promise.all(clients.map((client) => client.list(configMaps, { namespace: 'default' })));
    const seen: string[][] = [[], []];
    const watches = clients.map(async (client, index) => {
      const watch = client.watch(
        configMaps,
        { namespace: 'default', resourceVersion: begun[index]?.metadata.resourceVersion ?? '' },
        stop.signal,
      );
      for await (const event of watch) {
        if (event.type === 'BOOKMARK') continue;
        seen[index]?.push(`${event.type} ${event.object.metadata.name} ${event.object.metadata.resourceVersion}`);
        if (event.object.metadata.name === 'last') return;
      }
    });
    for (let round = 0; round < 60; round++) {
      if (round === 20) {
        await etcd.members[0]?.kill();
        await etcd.members[0]?.start();
      }
      const [one, other] = round % 2 === 0 ? clients : clients.toReversed();
      const name = `object-${round}`;
      await one?.create(configMaps, configMap(name, round));
      await other?.delete(configMaps, { name, namespace: 'default' });
      const gone = await one?.get(configMaps, { name, namespace: 'default' }).then(
        () => undefined,
        (error: unknown) => error,
      );
      expect(hasReason(gone, 'NotFound')).toBe(true);
    }
    await clients[0]?.create(configMaps, configMap('last', 0));
    await Promise.all(watches);
    stop.abort();
    expect(seen[0]).toHaveLength(121);
    expect(seen[1]).toEqual(seen[0]);
  });
});

describeOnEtcd('a server with all its parts', () => {
  test('goes on after 10 s in which etcd did nothing: no part ends, and a request that came meanwhile is answered', async () => {
    etcd = await startTestEtcd();
    const server = await start('a', { components: {} });
    let ended = false;
    server.done.then(
      () => {
        ended = true;
      },
      () => {
        ended = true;
      },
    );
    const client = server.client();
    await client.create(configMaps, configMap('before', 1));
    etcd.members[0]?.signal('SIGSTOP');
    const written = client.create(configMaps, configMap('meanwhile', 2));
    const read = systemClock.sleep(3_000).then(() => client.get(configMaps, { name: 'before', namespace: 'default' }));
    await systemClock.sleep(10_000);
    etcd.members[0]?.signal('SIGCONT');
    expect((await written).data).toEqual({ value: '2' });
    expect((await read).data).toEqual({ value: '1' });
    await client.create(configMaps, configMap('after', 3));
    const { items } = await client.list(configMaps, { namespace: 'default' });
    expect(items.map(({ metadata }) => metadata.name)).toEqual(expect.arrayContaining(['after', 'before', 'meanwhile']));
    expect(ended).toBe(false);
  });
});

describeOnEtcd('a cluster', () => {
  test('moves from sqlite to etcd and back, and keeps what it is', async () => {
    etcd = await startTestEtcd();
    const transfer = (store: StoreOptions['store'], home: string): StoreOptions => ({
      home: join(folder, home),
      store,
      ...(store === 'etcd' ? { etcd: { endpoints: etcd.endpoints } } : {}),
      clock: systemClock,
      signal: new AbortController().signal,
      log: createLogger({ format: 'text' }),
    });
    const before = await start('a', { store: 'sqlite' });
    const made = await before.client().create(configMaps, configMap('kept', 1));
    await before
      .client()
      .create(pods, { metadata: { name: 'pod', namespace: 'default' }, spec: { containers: [{ name: 'a', image: 'b' }] } });
    const identity = await before.client().list(configMaps, {});
    await running.splice(0)[0]?.stop();
    await exportCluster(transfer('sqlite', 'a'), join(folder, 'one'));
    await importCluster(transfer('etcd', 'a'), join(folder, 'one'));

    const moved = await start('a');
    const found = await moved.client().get(configMaps, { name: 'kept', namespace: 'default' });
    expect(found.metadata.uid).toBe(made.metadata.uid);
    expect(Number(found.metadata.resourceVersion)).toBeGreaterThan(Number(identity.metadata.resourceVersion) + 1_000_000);
    expect((await moved.client().list(pods, {})).items).toHaveLength(1);
    await moved.client().patch(configMaps, { name: 'kept', namespace: 'default' }, 'merge', { data: { value: '2' } });
    await running.splice(0)[0]?.stop();
    await expect(importCluster(transfer('etcd', 'a'), join(folder, 'one'))).rejects.toThrow('the store holds a cluster already');
    await exportCluster(transfer('etcd', 'a'), join(folder, 'two'));
    await importCluster(transfer('sqlite', 'b'), join(folder, 'two'));

    const back = await start('b', { store: 'sqlite' });
    const last = await back.client().get(configMaps, { name: 'kept', namespace: 'default' });
    expect(last.metadata.uid).toBe(made.metadata.uid);
    expect(last.data).toEqual({ value: '2' });
    expect(Number(last.metadata.resourceVersion)).toBeGreaterThan(Number(found.metadata.resourceVersion) + 1_000_000);
  });
});
