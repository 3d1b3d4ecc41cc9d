import { mkdtemp, rm } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import type { FakeMachine } from '#agent/runtime/fake/fake-runtime';
import type { FakeScript } from '#agent/runtime/fake/script';
import { configMaps, events, nodes, pods } from '#api/shapes/resources';
import type { Client } from '#client/client';
import { type RunningServer, startServer } from '#server/server';
import {
  createPod,
  isRunning,
  makeJoinToken,
  type SimulatedAgent,
  startSimulatedAgent,
  until,
  untilNodeReady,
  untilPod,
} from '../harness/simulated-agent.ts';

const script: FakeScript = {
  images: {
    'berth.local/hello:1': { present: true, containers: [{ output: ['hello', 'world'] }] },
    'berth.local/once:1': { present: true, containers: [{ exitAfterMilliseconds: 50, output: ['done'] }] },
    'berth.local/twice:1': { present: true, containers: [{ exitAfterMilliseconds: 300, exitCode: 1 }, {}] },
  },
};

let folder: string;
let server: RunningServer;
let client: Client;
const running: SimulatedAgent[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'agent-protocol-'));
  server = await startServer({
    home: join(folder, 'server'),
    store: 'memory',
    host: '127.0.0.1',
    port: 0,
    agentPort: 0,
    components: { scheduler: false, controllers: false },
  });
  client = server.client();
});
afterEach(async () => {
  for (const agent of running.splice(0)) await agent.stop();
});
afterAll(async () => {
  await server.stop();
  await rm(folder, { recursive: true, force: true });
});

function agentOf(nodeName: string, options: { token?: string; machine?: FakeMachine; home?: string } = {}): SimulatedAgent {
  const agent = startSimulatedAgent({ folder, nodeName, servers: [`127.0.0.1:${server.agentPort}`], script, ...options });
  running.push(agent);
  return agent;
}

async function joined(nodeName: string): Promise<SimulatedAgent> {
  const agent = agentOf(nodeName, { token: await makeJoinToken(server) });
  await untilNodeReady(client, nodeName);
  return agent;
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

describe('an agent and a server', () => {
  test('a node joins with a token, gets its range of addresses, and runs a pod from beginning to end', async () => {
    const agent = await joined('first');
    const node = await client.get(nodes, { name: 'first' });
    expect(node.spec?.podCIDR).toMatch(/^10\.42\.\d+\.0\/24$/);
    expect(node.metadata.labels).toMatchObject({ 'kubernetes.io/hostname': 'first', 'kubernetes.io/os': 'linux' });

    await createPod(client, 'web', 'first');
    const pod = await untilPod(client, 'web', isRunning);
    expect(pod.status?.containerStatuses?.[0]).toMatchObject({ ready: true, restartCount: 0 });
    expect(pod.status?.conditions?.find(({ type }) => type === 'Ready')?.status).toBe('True');
    const seen = await until('events', async () => {
      const list = await client.list(events, { namespace: 'default', fieldSelector: `involvedObject.uid=${pod.metadata.uid}` });
      return list.items.length === 3 && list.items;
    });
    expect(new Set(seen.map(({ reason }) => reason))).toEqual(new Set(['Created', 'Pulled', 'Started']));

    await client.delete(pods, { namespace: 'default', name: 'web' }, { gracePeriodSeconds: 1 });
    await until('the pod is gone', async () => (await client.find(pods, { namespace: 'default', name: 'web' })) === undefined);
    expect(agent.machine.containers.size + agent.machine.sandboxes.size).toBe(0);
  });

  test('logs come through the tunnel; following ends with the container', async () => {
    await joined('logs');
    await createPod(client, 'once', 'logs', 'berth.local/once:1', { restartPolicy: 'Never' });
    await untilPod(client, 'once', ({ status }) => status?.phase === 'Succeeded');
    expect(await fetchLog('once', 'follow=true')).toEqual({ code: 200, body: 'done\n' });
    expect(await fetchLog('once', 'container=nope')).toMatchObject({ code: 400 });
    expect(await fetchLog('once', 'previous=true')).toMatchObject({ code: 400 });
  });

  test('a pod starts as soon as the config map that it waits for appears', async () => {
    await joined('config');
    await createPod(client, 'configured', 'config', 'berth.local/hello:1', {
      containers: [{ name: 'main', image: 'berth.local/hello:1', envFrom: [{ configMapRef: { name: 'settings' } }] }],
    });
    await untilPod(
      client,
      'configured',
      ({ status }) => status?.containerStatuses?.[0]?.state?.waiting?.reason === 'CreateContainerConfigError',
    );
    await client.create(configMaps, { metadata: { name: 'settings', namespace: 'default' }, data: { a: 'b' } });
    await untilPod(client, 'configured', isRunning);
  });

  test('an agent that is started again keeps every container', async () => {
    const agent = await joined('again');
    await createPod(client, 'steady', 'again');
    const before = await untilPod(client, 'steady', isRunning);
    await agent.stop();
    agentOf('again', { machine: agent.machine });
    await client.patch(pods, { namespace: 'default', name: 'steady' }, 'merge', { metadata: { labels: { touched: 'yes' } } });
    // The node counts as ready all the while: that the new agent is at work is seen by what it starts.
    await createPod(client, 'next', 'again');
    await untilPod(client, 'next', isRunning);
    const after = await untilPod(client, 'steady', isRunning);
    expect(after.status?.containerStatuses?.[0]?.containerID).toBe(before.status?.containerStatuses?.[0]?.containerID);
    expect(agent.machine.containers.size).toBe(2);
  });

  test('a wrong token, an old one, another cluster, and a name that another machine has are refused with what to do', async () => {
    const good = await makeJoinToken(server);
    const wrong = good.replace(/^(berth1\.\w+\.)\w+/, `$1${'a'.repeat(16)}`);
    const refusal = (nodeName: string, options: { token: string; home?: string }): Promise<void> =>
      startSimulatedAgent({ folder, nodeName, servers: [`127.0.0.1:${server.agentPort}`], script, ...options }).done;
    await expect(refusal('stranger', { token: wrong })).rejects.toThrow('berth token create');
    await expect(refusal('stranger', { token: await makeJoinToken(server, -1000) })).rejects.toThrow('expired');
    const elsewhere = good.replace(/[0-9a-f]{64}$/, 'f'.repeat(64));
    await expect(refusal('stranger', { token: elsewhere })).rejects.toThrow('does not belong to the cluster of this token');
    await joined('taken');
    await expect(refusal('taken', { token: good, home: join(folder, 'elsewhere') })).rejects.toThrow('choose another name');
  });

  test('of two agents of one node the newer has the session, and both keep what runs', async () => {
    const agent = await joined('twin');
    await createPod(client, 'double', 'twin');
    await untilPod(client, 'double', isRunning);
    // The same home, as an agent that was thought dead and is not.
    agentOf('twin', { machine: agent.machine });
    await createPod(client, 'single', 'twin');
    await untilPod(client, 'single', isRunning);
    await untilNodeReady(client, 'twin');
    expect(agent.machine.containers.size).toBe(2);
  });
});
