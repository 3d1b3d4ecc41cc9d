/**
 * `berth/testing`: a whole cluster in the test's own process, with a real Kubernetes API on a port of its own. Kept in memory,
 * in a folder that is removed with it.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { nodes } from '#api/shapes/resources';
import { formatTime } from '#base/clock';
import type { Client } from '#client/client';
import type { ConnectionOptions } from '#client/kubeconfig';
import { type RunningServer, type ServerOptions, startServer } from './server.ts';

export interface TestClusterOptions extends Partial<Omit<ServerOptions, 'home' | 'port' | 'agentPort' | 'host'>> {
  /** Node objects that are ready but run nothing: pods are scheduled to them and stay Pending. None unless given. */
  readonly nodes?: number;
}

export interface TestCluster {
  /** `https://127.0.0.1:PORT`. */
  readonly url: string;
  /** Path of the administrator's kubeconfig. */
  readonly kubeconfig: string;
  readonly connection: ConnectionOptions;
  /** As the administrator, in this process. */
  readonly client: Client;
  readonly server: RunningServer;
  /** Ends the cluster and removes what it kept. Throws why a part of it failed, if one did. */
  stop(): Promise<void>;
}

export async function startCluster(options: TestClusterOptions = {}): Promise<TestCluster> {
  const home = await mkdtemp(join(tmpdir(), 'berth-cluster-'));
  let server: RunningServer | undefined;
  const stop = async (): Promise<void> => {
    try {
      await server?.stop();
    } finally {
      await rm(home, { recursive: true, force: true });
    }
  };
  try {
    server = await startServer({ store: 'memory', ...options, home, host: '127.0.0.1', port: 0, agentPort: 0 });
    const client = server.client();
    for (let number = 1; number <= (options.nodes ?? 0); number++) await addNode(client, `node-${number}`);
    return { url: server.url, kubeconfig: join(home, 'kubeconfig'), connection: server.connection, client, server, stop };
  } catch (error) {
    await stop().catch(() => undefined);
    throw error;
  }
}

async function addNode(client: Client, name: string): Promise<void> {
  const resources = { cpu: '4', memory: '8Gi', pods: '110', 'ephemeral-storage': '100Gi' };
  await client.create(nodes, { metadata: { name, labels: { 'kubernetes.io/hostname': name, 'kubernetes.io/os': 'linux' } }, spec: {} });
  const now = formatTime(Date.now());
  const ready = { type: 'Ready', status: 'True', reason: 'Simulated', message: 'a node of a test' };
  const conditions = [{ ...ready, lastHeartbeatTime: now, lastTransitionTime: now }];
  // A patch: controllers write to nodes, too.
  const status = { capacity: resources, allocatable: resources, conditions };
  await client.patch(nodes, { name }, 'merge', { status }, { subresource: 'status' });
}
