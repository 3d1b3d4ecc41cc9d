/** Two whole servers, each a process of its own, over one etcd, and a node's agent: one leads, either may be killed, and nothing is done twice or lost. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { FakeScript } from '#agent/runtime/fake/script';
import { deployments, endpointSlices, leases, nodes, pods, replicaSets } from '#api/shapes/resources';
import type { Deployment } from '#api/shapes/types/apps-v1';
import type { Client } from '#client/client';
import { createHttpTransport, type HttpTransport } from '#client/http-transport';
import { connectionOf, loadKubeconfig } from '#client/kubeconfig';
import { createClient } from '#client/typed-client';
import { runBerth } from '../harness/command-line.ts';
import { eventually, runCommand } from '../harness/commands.ts';
import { missingForEtcd, startTestEtcd, type TestEtcd } from '../harness/etcd.ts';
import { freePorts } from '../harness/ports.ts';
import { makeJoinToken, type SimulatedAgent, startSimulatedAgent } from '../harness/simulated-agent.ts';

const missing = missingForEtcd();
const describeOnEtcd = missing === undefined ? describe : describe.skip;
const main = fileURLToPath(new URL('../../dist/cmd/berth/main.js', import.meta.url));
const script: FakeScript = { images: { 'berth.local/hello:1': { present: true, containers: [{ output: ['hello'] }] } } };

class ServerProcess {
  readonly home: string;
  readonly agentPort: number;
  readonly #port: number;
  readonly #transports: HttpTransport[] = [];
  #child: ChildProcess | undefined;
  #output = '';

  constructor(home: string, port: number, agentPort: number) {
    this.home = home;
    this.#port = port;
    this.agentPort = agentPort;
  }

  get kubeconfig(): string {
    return join(this.home, 'kubeconfig');
  }

  get apiPort(): number {
    return this.#port;
  }

  /** Resolves when it is ready. */
  async start(...flags: string[]): Promise<Client> {
    const args = ['server', '--host', '127.0.0.1', '--port', `${this.#port}`, '--agent-port', `${this.agentPort}`, ...flags];
    const child = spawn(process.execPath, [main, ...args], {
      env: { ...process.env, BERTH_HOME: this.home },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#child = child;
    this.#output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (this.#output += chunk.toString()));
    let ended = false;
    child.once('close', () => {
      ended = true;
    });
    await eventually(`a server in ${this.home}`, async () => (ended || this.#output.includes('is ready') ? true : undefined));
    if (ended) throw new Error(this.#output);
    const transport = createHttpTransport(await connectionOf(await loadKubeconfig([this.kubeconfig])));
    this.#transports.push(transport);
    return createClient(transport);
  }

  async end(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    for (const transport of this.#transports.splice(0)) await transport.close();
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill(signal);
    await ended;
  }
}

describeOnEtcd(`two server processes over one etcd${missing === undefined ? '' : ` (${missing})`}`, () => {
  let folder: string;
  let etcd: TestEtcd;
  let first: ServerProcess;
  let second: ServerProcess;
  let agent: SimulatedAgent;
  let client: Client;
  const watching = new AbortController();
  /** Every pod that there ever was, by uid. */
  const everMade = new Set<string>();
  /** Every status of the node's condition Ready that was ever shown. */
  const readiness = new Set<string>();
  let watches: Promise<void>[] = [];

  const leaderOf = async (lease: string): Promise<string> =>
    (await client.find(leases, { namespace: 'kube-system', name: lease }))?.spec?.holderIdentity ?? '';
  const servers = async () =>
    (await client.list(leases, { namespace: 'kube-system', labelSelector: 'berth.dev/server' })).items.map(
      ({ spec }) => spec?.holderIdentity ?? '',
    );
  const published = async (): Promise<number[]> =>
    (await client.list(endpointSlices, { namespace: 'default', labelSelector: 'kubernetes.io/service-name=kubernetes' })).items
      .map(({ ports }) => ports?.[0]?.port ?? 0)
      .toSorted((a, b) => a - b);
  const running = async (): Promise<string[]> =>
    (await client.list(pods, { namespace: 'default' })).items
      .filter(({ status }) => status?.phase === 'Running')
      .map(({ metadata }) => metadata.name ?? '');
  const scale = async (replicas: number): Promise<void> => {
    await client.patch(deployments, { namespace: 'default', name: 'web' }, 'merge', { spec: { replicas } });
  };
  const exactly = async (count: number): Promise<void> => {
    await eventually(`${count} pods run`, async () => ((await running()).length === count ? true : undefined));
    expect((await client.list(pods, { namespace: 'default' })).items).toHaveLength(count);
    expect((await client.list(replicaSets, { namespace: 'default' })).items).toHaveLength(1);
  };
  const follow = (of: Client): void => {
    watches = [
      (async () => {
        for await (const { type, object } of of.watch(pods, { namespace: 'default' }, watching.signal)) {
          if (type === 'ADDED') everMade.add(object.metadata.uid ?? '');
        }
      })(),
      (async () => {
        for await (const { type, object } of of.watch(nodes, {}, watching.signal)) {
          if (type !== 'BOOKMARK')
            readiness.add(object.status?.conditions?.find((condition) => condition.type === 'Ready')?.status ?? 'none');
        }
      })(),
    ];
    for (const watch of watches) watch.catch(() => undefined);
  };

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'berth-leaders-'));
    etcd = await startTestEtcd();
    const [a, b, c, d] = (await freePorts(4)) as [number, number, number, number];
    first = new ServerProcess(join(folder, 'first'), a, b);
    second = new ServerProcess(join(folder, 'second'), c, d);
    const store = ['--store', 'etcd', '--etcd-endpoints', etcd.endpoints.join(',')];
    await first.start(...store);
    client = await second.start(...store, '--server-token-file', join(first.home, 'server-token'));
    const certificatePem = await readFile(join(first.home, 'pki', 'ca.crt'), 'utf8');
    agent = startSimulatedAgent({
      folder,
      nodeName: 'one',
      servers: [`127.0.0.1:${first.agentPort}`],
      script,
      token: await makeJoinToken({ client: () => client, authority: { certificatePem } }),
    });
    await eventually('the node is ready', async () => {
      const node = await client.find(nodes, { name: 'one' });
      return node?.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') === true ? true : undefined;
    });
    follow(client);
  });

  afterAll(async () => {
    watching.abort();
    await Promise.allSettled(watches);
    await Promise.allSettled([agent?.stop()]);
    await Promise.all([first?.end('SIGKILL'), second?.end('SIGKILL')]);
    await etcd?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  test('one leads, both are among the endpoints of the API, and streams reach the node through either', async () => {
    expect(new Set(await servers()).size).toBe(2);
    expect(await leaderOf('kube-scheduler')).toBe(await leaderOf('kube-controller-manager'));
    expect(await servers()).toContain(await leaderOf('kube-scheduler'));
    expect(await published()).toEqual([first.apiPort, second.apiPort].toSorted((a, b) => a - b));
    const template = { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'main', image: 'berth.local/hello:1' }] } };
    const made = {
      metadata: { name: 'web', namespace: 'default' },
      spec: { replicas: 3, selector: { matchLabels: { app: 'web' } }, template },
    };
    await client.create(deployments, made as unknown as Deployment);
    await exactly(3);
    const [name = ''] = await running();
    for (const { kubeconfig } of [first, second]) {
      await eventually('the log', async () => {
        const { stdout } = await runBerth(['logs', name], { kubeconfig, workingDirectory: folder });
        return stdout === 'hello\n' ? true : undefined;
      });
    }
  });

  test('the leader is killed in the middle of a rollout: the other takes over, and there are exactly as many pods as were asked for', async () => {
    const before = await leaderOf('kube-controller-manager');
    await scale(20);
    await eventually('the rollout is under way', async () => (everMade.size > 5 ? true : undefined), undefined, 1);
    await first.end('SIGKILL');
    await exactly(20);
    await eventually('the other leads', async () => ((await leaderOf('kube-controller-manager')) === before ? undefined : true));
    await scale(24);
    await exactly(24);
    await eventually('the watch has shown them all', async () => (everMade.size >= 24 ? true : undefined));
    expect(everMade.size).toBe(24);
    // What the dead one is known by goes as well, and the node was never taken for lost.
    await eventually('the killed server is gone', async () => ((await servers()).length === 1 ? true : undefined));
    await eventually('its endpoint is gone', async () => ((await published()).join() === `${second.apiPort}` ? true : undefined));
    expect([...readiness]).toEqual(['True']);
    expect([...agent.machine.containers.values()].filter(({ status }) => status.state === 'Running')).toHaveLength(24);
  });

  test('it comes back with no word of where its store is, and takes over at once when the other ends in order', async () => {
    const back = await first.start();
    expect((await back.list(pods, { namespace: 'default' })).items).toHaveLength(24);
    await eventually('both are there', async () => ((await published()).length === 2 ? true : undefined));
    await second.end('SIGTERM');
    client = back;
    follow(client);
    expect(await servers()).toHaveLength(1);
    await scale(26);
    await exactly(26);
    await eventually('the watch has shown them all', async () => (everMade.size >= 26 ? true : undefined));
    expect(everMade.size).toBe(26);
    expect([...readiness]).toEqual(['True']);
  });

  test('a further server is refused without the token, and with another store named by mistake', async () => {
    const [port, agentPort] = (await freePorts(2)) as [number, number];
    const third = new ServerProcess(join(folder, 'third'), port, agentPort);
    const store = ['--store', 'etcd', '--etcd-endpoints', etcd.endpoints.join(',')];
    await expect(third.start(...store)).rejects.toThrow('start this one with --server-token-file');
    await expect(third.start('--server-token-file', join(first.home, 'server-token'))).rejects.toThrow('the store is sqlite');
    const key = await readFile(join(first.home, 'pki', 'ca.key'), 'utf8');
    const held = await runCommand('grep', ['-rac', key.split('\n')[1] ?? 'nothing', etcd.members[0]?.dataDirectory ?? '']);
    expect(held.stdout).not.toMatch(/:[1-9]/);
  });
});
