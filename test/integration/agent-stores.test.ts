/** What an agent does when its server is away, or comes back with a store that it should not believe. */
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { FakeScript } from '#agent/runtime/fake/script';
import { configMaps, events, pods } from '#api/shapes/resources';
import { type RunningServer, startServer } from '#server/server';
import { freePorts } from '../harness/ports.ts';
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
    'berth.local/hello:1': { present: true },
    'berth.local/once-more:1': { present: true, containers: [{ exitAfterMilliseconds: 500, exitCode: 1 }, {}] },
  },
};

let folder: string;
let server: RunningServer;
let agent: SimulatedAgent;
let agentPort = 0;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'agent-stores-'));
  // The server comes back there.
  [agentPort = 0] = await freePorts(1);
  await startStore('server');
  agent = startSimulatedAgent({ folder, nodeName: 'one', servers: [`127.0.0.1:${agentPort}`], script, token: await makeJoinToken(server) });
  await untilNodeReady(server.client(), 'one');
});
afterEach(async () => {
  await agent.stop();
  await server.stop();
  await rm(folder, { recursive: true, force: true });
});

async function startStore(home: string): Promise<void> {
  server = await startServer({
    home: join(folder, home),
    store: 'sqlite',
    host: '127.0.0.1',
    port: 0,
    agentPort,
    components: { scheduler: false, controllers: false },
  });
}

const runningContainers = (): number => [...agent.machine.containers.values()].filter(({ status }) => status.state === 'Running').length;

const untilRefused = (reason: string) =>
  until(`the node refuses: ${reason}`, async () => {
    const list = await server.client().list(events, { namespace: 'default', fieldSelector: 'reason=AssignmentsRefused' });
    return list.items.some(({ message = '' }) => message.includes(reason));
  });

describe('an agent', () => {
  test('restarts what ends while its server is away, also after a restart of its own', async () => {
    await createPod(server.client(), 'fragile', 'one', 'berth.local/once-more:1');
    await untilPod(server.client(), 'fragile', isRunning);
    await server.stop();
    await agent.stop();
    agent = startSimulatedAgent({ folder, nodeName: 'one', servers: [`127.0.0.1:${agentPort}`], script, machine: agent.machine });
    await until('the container runs again', async () =>
      [...agent.machine.containers.values()].some(({ status }) => status.state === 'Running' && status.attempt === 1),
    );
    await startStore('server');
    const pod = await untilPod(server.client(), 'fragile', ({ status }) => status?.containerStatuses?.[0]?.restartCount === 1);
    expect(pod.status?.containerStatuses?.[0]?.lastState?.terminated?.exitCode).toBe(1);
  });

  test('stops nothing when an older copy of the store is put under it, however much is written to that afterwards', async () => {
    await createPod(server.client(), 'early', 'one');
    await untilPod(server.client(), 'early', isRunning);
    await server.stop();
    await cp(join(folder, 'server'), join(folder, 'backup'), { recursive: true });
    await startStore('server');
    await createPod(server.client(), 'late', 'one');
    await untilPod(server.client(), 'late', isRunning);
    await server.stop();
    expect(runningContainers()).toBe(2);

    await rm(join(folder, 'server'), { recursive: true });
    await cp(join(folder, 'backup'), join(folder, 'server'), { recursive: true });
    await startStore('server');
    for (let n = 0; n < 100; n++) await server.client().create(configMaps, { metadata: { name: `write-${n}`, namespace: 'default' } });
    // The pods' own revision must come past what the agent has seen, for that is when a server would send again.
    await createPod(server.client(), 'newest', 'one');
    await untilRefused('an older copy');
    expect(runningContainers()).toBe(2);

    await agent.stop();
    agent = startSimulatedAgent({
      folder,
      nodeName: 'one',
      servers: [`127.0.0.1:${agentPort}`],
      script,
      machine: agent.machine,
      forgetAssignments: true,
    });
    await untilPod(server.client(), 'newest', isRunning);
    await until('what the store does not know is stopped', async () => runningContainers() === 2);
  });

  test('stops nothing when another store takes the place of its own', async () => {
    await createPod(server.client(), 'kept', 'one');
    await untilPod(server.client(), 'kept', isRunning);
    await server.stop();
    await cp(join(folder, 'server', 'pki'), join(folder, 'other', 'pki'), { recursive: true });
    await startStore('other');
    await untilRefused('is not the one that this node');
    expect(runningContainers()).toBe(1);
    expect((await server.client().list(pods)).items).toEqual([]);
  });
});
