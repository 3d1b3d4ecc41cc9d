/** The server's process: starting, starting again, what is in its way, and its end. */
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { configMaps, namespaces, nodes, services } from '#api/shapes/resources';
import { createHttpTransport } from '#client/http-transport';
import { connectionOf, loadKubeconfig } from '#client/kubeconfig';
import { createClient } from '#client/typed-client';
import { type RunningServer, type ServerOptions, startServer } from '#server/server';
import { eventually } from '../harness/commands.ts';
import { SkippingClock } from '../harness/skipping-clock.ts';

let home: string;
const running: RunningServer[] = [];
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'berth-server-'));
});
afterEach(async () => {
  await Promise.allSettled(running.splice(0).map((server) => server.stop()));
  await rm(home, { recursive: true, force: true });
});

async function start(options: Partial<ServerOptions> = {}): Promise<RunningServer> {
  const server = await startServer({ home, store: 'sqlite', host: '127.0.0.1', port: 0, agentPort: 0, ...options });
  running.push(server);
  return server;
}

describe('a server', () => {
  test('is reached with the kubeconfig that it leaves, which is for its owner alone', async () => {
    const server = await start();
    const path = join(home, 'kubeconfig');
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    const connection = await connectionOf(await loadKubeconfig([path]));
    expect(connection).toEqual(server.connection);
    const transport = createHttpTransport(connection);
    const client = createClient(transport);
    const names = (await client.list(namespaces)).items.map((item) => item.metadata.name);
    expect(names).toEqual(expect.arrayContaining(['default', 'kube-node-lease', 'kube-public', 'kube-system']));
    expect((await client.get(services, { namespace: 'default', name: 'kubernetes' })).spec.clusterIP).toBe('10.43.0.1');
    await transport.close();
  });

  test('has everything again when it is started anew', async () => {
    const first = await start();
    const made = await first.client().create(configMaps, { metadata: { name: 'kept', namespace: 'default' }, data: { k: 'v' } });
    const kubeconfig = await readFile(join(home, 'pki', 'ca.crt'), 'utf8');
    await first.stop();
    const second = await start();
    expect(await second.client().get(configMaps, { namespace: 'default', name: 'kept' })).toEqual(made);
    expect(await readFile(join(home, 'pki', 'ca.crt'), 'utf8')).toBe(kubeconfig);
    expect(second.connection.clientCertificate).toBe(first.connection.clientCertificate);
  });

  test('ends watches when it stops, and answers what is in flight', async () => {
    const server = await start();
    const transport = createHttpTransport(server.connection);
    const client = createClient(transport);
    let stopping: Promise<void> | undefined;
    const watching = (async () => {
      const seen: string[] = [];
      for await (const event of client.watch(configMaps, { namespace: 'default' }, new AbortController().signal)) {
        seen.push(event.object.metadata.name ?? '');
        if (event.object.metadata.name === 'seen') stopping ??= server.stop();
      }
      return seen;
    })();
    await client.create(configMaps, { metadata: { name: 'seen', namespace: 'default' } });
    expect(await watching).toContain('seen');
    await stopping;
    await expect(client.list(namespaces)).rejects.toMatchObject({
      reason: 'ServiceUnavailable',
      message: expect.stringContaining('is the server running?'),
    });
    await transport.close();
  });

  test('says of a node whose agent does not come back that nothing is known of it, and nothing of one that never had an agent', async () => {
    const first = await start();
    const conditions = [{ type: 'Ready', status: 'True', reason: 'Test' }];
    for (const [name, annotations] of [
      ['joined', { 'berth.dev/key-fingerprint': 'x' }],
      ['made', {}],
    ] as const) {
      const node = await first.client().create(nodes, { metadata: { name, annotations }, spec: {} });
      await first.client().patch(nodes, { name: node.metadata.name! }, 'merge', { status: { conditions } }, { subresource: 'status' });
    }
    await first.stop();
    const clock = new SkippingClock();
    const client = (await start({ clock })).client();
    const readiness = async (name: string): Promise<string | undefined> =>
      (await client.get(nodes, { name })).status?.conditions?.find(({ type }) => type === 'Ready')?.status;
    await eventually('nothing is known of it', async () => {
      clock.skip(10_000);
      return (await readiness('joined')) === 'Unknown' ? true : undefined;
    });
    clock.skip(60_000);
    expect(await readiness('made')).toBe('True');
  });

  test('refuses ranges that are none', async () => {
    await expect(start({ serviceCidr: '10.43.0.0' })).rejects.toThrow('"10.43.0.0" is no range of IPv4 addresses');
    await expect(start({ clusterCidr: '10.999.0.0/16' })).rejects.toThrow('is no range of IPv4 addresses');
  });
});

describe('what is in the way', () => {
  test('a taken port is named, and nothing stays locked', async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    const { port } = other.address() as { port: number };
    await expect(start({ port })).rejects.toThrow(`something else listens on 127.0.0.1, port ${port}`);
    await expect(start({ agentPort: port })).rejects.toThrow(/--agent-port/);
    await new Promise((resolve) => other.close(resolve));
    await start({ port });
  });

  test('another server of the same home is named', async () => {
    await start();
    await expect(start()).rejects.toThrow(new RegExp(String(process.pid)));
  });
});
