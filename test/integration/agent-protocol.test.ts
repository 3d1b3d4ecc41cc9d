import { mkdtemp, rm } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { createAgent } from '#agent/agent';
import type { Network } from '#agent/network-keeper';
import { FakeMachine, FakeRuntime } from '#agent/runtime/fake/fake-runtime';
import type { FakeScript } from '#agent/runtime/fake/script';
import { configMaps, events, nodes, pods, secrets } from '#api/shapes/resources';
import type { Pod } from '#api/shapes/types/core-v1';
import { formatTime, systemClock } from '#base/clock';
import type { Client } from '#client/client';
import { authorityHash, formatJoinToken, generateTokenParts } from '#rpc/join-token';
import { type RunningServer, startServer } from '#server/server';

const script: FakeScript = {
  images: {
    'berth.local/hello:1': { present: true, containers: [{ output: ['hello', 'world'] }] },
    'berth.local/once:1': { present: true, containers: [{ exitAfterMilliseconds: 50, output: ['done'] }] },
  },
};

const noNetwork = (): Network => ({
  dnsAddress: '10.42.0.1',
  setup: async () => undefined,
  apply: async () => [],
  close: async () => undefined,
});

let home: string;
let server: RunningServer;
let client: Client;
const running: { stop: AbortController; done: Promise<void> }[] = [];

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'agent-protocol-'));
  server = await startServer({
    home: join(home, 'server'),
    store: 'memory',
    host: '127.0.0.1',
    port: 0,
    agentPort: 0,
    components: { scheduler: false, controllers: false },
  });
  client = server.client();
}, 30_000);
afterEach(async () => {
  for (const agent of running.splice(0)) {
    agent.stop.abort();
    await agent.done;
  }
});
afterAll(async () => {
  await server.stop();
  await rm(home, { recursive: true, force: true });
});

async function token(expires = 600_000): Promise<string> {
  const { id, secret } = generateTokenParts();
  await client.create(secrets, {
    metadata: { name: `bootstrap-token-${id}`, namespace: 'kube-system' },
    type: 'bootstrap.kubernetes.io/token',
    stringData: {
      'token-id': id,
      'token-secret': secret,
      'usage-bootstrap-authentication': 'true',
      expiration: formatTime(Date.now() + expires),
    },
  });
  return formatJoinToken({ id, secret, authorityHash: authorityHash(server.authority.certificatePem) });
}

function startAgent(
  nodeName: string,
  options: { token?: string; machine?: FakeMachine; home?: string } = {},
): {
  stop: AbortController;
  done: Promise<void>;
  machine: FakeMachine;
} {
  const machine = options.machine ?? new FakeMachine();
  const stop = new AbortController();
  const agent = createAgent({
    home: options.home ?? join(home, nodeName),
    servers: [`127.0.0.1:${server.agentPort}`],
    ...(options.token === undefined ? {} : { token: options.token }),
    nodeName,
    simulated: new FakeRuntime({ clock: systemClock, script, machine, instance: nodeName }),
    network: noNetwork,
  });
  const done = agent.run(stop.signal);
  const started = { stop, done, machine };
  running.push(started);
  return started;
}

async function until<T>(what: string, look: () => Promise<T | undefined | false>): Promise<T> {
  const deadline = performance.now() + 10_000;
  for (;;) {
    const found = await look();
    if (found !== undefined && found !== false) return found;
    if (performance.now() > deadline) throw new Error(`it did not come to this: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

const nodeReady = (name: string) =>
  until(`node ${name} is ready`, async () => {
    const node = await client.find(nodes, { name });
    return node?.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') === true && node;
  });

const podThat = (name: string, holds: (pod: Pod) => boolean) =>
  until(`pod ${name}`, async () => {
    const pod = await client.find(pods, { namespace: 'default', name });
    return pod !== undefined && holds(pod) && pod;
  });

async function createPod(name: string, nodeName: string, image = 'berth.local/hello:1', more: Partial<Pod['spec']> = {}): Promise<Pod> {
  return client.create(pods, {
    metadata: { name, namespace: 'default' },
    spec: { nodeName, containers: [{ name: 'main', image }], ...more },
  });
}

/** Over the real face, as kubectl asks. */
async function fetchLog(pod: string, query: string): Promise<{ code: number | undefined; body: string }> {
  const { certificateAuthority, clientCertificate, clientKey } = server.connection;
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    request(`${server.url}/api/v1/namespaces/default/pods/${pod}/log?${query}`, {
      ca: certificateAuthority,
      cert: clientCertificate,
      key: clientKey,
      agent: false,
    })
      .on('response', resolve)
      .on('error', reject)
      .end();
  });
  return { code: response.statusCode, body: await text(response) };
}

const isRunning = (pod: Pod): boolean => pod.status?.phase === 'Running';

describe('an agent and a server', () => {
  test('a node joins with a token, gets its range of addresses, and runs a pod from beginning to end', async () => {
    const agent = startAgent('first', { token: await token() });
    const node = await nodeReady('first');
    expect(node.spec?.podCIDR).toMatch(/^10\.42\.\d+\.0\/24$/);
    expect(node.metadata.labels).toMatchObject({ 'kubernetes.io/hostname': 'first', 'kubernetes.io/os': 'linux' });

    await createPod('web', 'first');
    const pod = await podThat('web', isRunning);
    expect(pod.status?.containerStatuses?.[0]).toMatchObject({ ready: true, restartCount: 0 });
    expect(pod.status?.conditions?.find(({ type }) => type === 'Ready')?.status).toBe('True');
    const seen = await until('events', async () => {
      const list = await client.list(events, { namespace: 'default', fieldSelector: `involvedObject.uid=${pod.metadata.uid}` });
      return list.items.length === 3 && list.items;
    });
    expect(seen.map(({ reason }) => reason).sort()).toEqual(['Created', 'Pulled', 'Started']);

    await client.delete(pods, { namespace: 'default', name: 'web' }, { gracePeriodSeconds: 1 });
    await until('the pod is gone', async () => (await client.find(pods, { namespace: 'default', name: 'web' })) === undefined);
    expect(agent.machine.containers.size + agent.machine.sandboxes.size).toBe(0);
  }, 20_000);

  test('logs come through the tunnel; following ends with the container', async () => {
    startAgent('logs', { token: await token() });
    await nodeReady('logs');
    const pod = await createPod('once', 'logs', 'berth.local/once:1', { restartPolicy: 'Never' });
    await podThat('once', ({ status }) => status?.phase === 'Succeeded');
    expect(pod.metadata.uid).toBeDefined();
    expect(await fetchLog('once', 'follow=true')).toEqual({ code: 200, body: 'done\n' });
    expect(await fetchLog('once', 'container=nope')).toMatchObject({ code: 400 });
    expect(await fetchLog('once', 'previous=true')).toMatchObject({ code: 400 });
  }, 20_000);

  test('a pod gets its config map when it appears, and secrets reach only the node that needs them', async () => {
    startAgent('config', { token: await token() });
    await nodeReady('config');
    await createPod('configured', 'config', 'berth.local/hello:1', {
      containers: [{ name: 'main', image: 'berth.local/hello:1', envFrom: [{ configMapRef: { name: 'settings' } }] }],
    });
    await podThat('configured', ({ status }) => status?.containerStatuses?.[0]?.state?.waiting?.reason === 'CreateContainerConfigError');
    await client.create(configMaps, { metadata: { name: 'settings', namespace: 'default' }, data: { a: 'b' } });
    await podThat('configured', isRunning);
  }, 20_000);

  test('an agent that is killed and started again stops nothing, with or without a server', async () => {
    const agent = startAgent('again', { token: await token() });
    await nodeReady('again');
    await createPod('steady', 'again');
    const before = await podThat('steady', isRunning);
    agent.stop.abort();
    await agent.done;
    startAgent('again', { machine: agent.machine });
    await nodeReady('again');
    await client.patch(pods, { namespace: 'default', name: 'steady' }, 'merge', { metadata: { labels: { touched: 'yes' } } });
    const after = await podThat('steady', isRunning);
    expect(after.status?.containerStatuses?.[0]?.containerID).toBe(before.status?.containerStatuses?.[0]?.containerID);
    expect(agent.machine.containers.size).toBe(1);
  }, 20_000);

  test('a wrong token, an old one, and a name that another machine has are refused with what to do', async () => {
    const good = await token();
    const wrong = good.replace(/^(berth1\.\w+\.)\w+/, `$1${'a'.repeat(16)}`);
    await expect(startAgent('stranger', { token: wrong }).done).rejects.toThrow('berth token create');
    await expect(startAgent('stranger', { token: await token(-1000) }).done).rejects.toThrow('expired');
    const elsewhere = good.replace(/[0-9a-f]{64}$/, 'f'.repeat(64));
    await expect(startAgent('stranger', { token: elsewhere }).done).rejects.toThrow('does not belong to the cluster of this token');
    running.length = 0;
    startAgent('taken', { token: good });
    await nodeReady('taken');
    const other = startAgent('taken', { token: await token(), home: join(home, 'taken-elsewhere') });
    await expect(other.done).rejects.toThrow('choose another name');
    running.pop();
  }, 20_000);
});
