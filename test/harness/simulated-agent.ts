/** Agents over a fake runtime, joined to a real server over the real protocol; for integration tests. */
import { join } from 'node:path';
import { createAgent } from '#agent/agent';
import type { Network } from '#agent/network-keeper';
import { FakeMachine, FakeRuntime } from '#agent/runtime/fake/fake-runtime';
import type { FakeScript } from '#agent/runtime/fake/script';
import { nodes, pods, secrets } from '#api/shapes/resources';
import type { Node, Pod } from '#api/shapes/types/core-v1';
import { formatTime, systemClock } from '#base/clock';
import type { Logger } from '#base/logging';
import type { Client } from '#client/client';
import { authorityHash, formatJoinToken, generateTokenParts } from '#rpc/join-token';
import type { RunningServer } from '#server/server';

export interface SimulatedAgent {
  readonly machine: FakeMachine;
  /** Rejects with what is in the way. */
  readonly done: Promise<void>;
  /** As a signal would: containers go on. */
  stop(): Promise<void>;
}

export interface SimulatedAgentOptions {
  /** Folder in which the node's home is made. */
  readonly folder: string;
  readonly nodeName: string;
  readonly servers: readonly string[];
  readonly script: FakeScript;
  readonly token?: string;
  /** What an earlier agent of the same node left running. */
  readonly machine?: FakeMachine;
  readonly home?: string;
  readonly forgetAssignments?: boolean;
  readonly log?: Logger;
}

export function startSimulatedAgent(options: SimulatedAgentOptions): SimulatedAgent {
  const machine = options.machine ?? new FakeMachine();
  const stop = new AbortController();
  const { nodeName, token, log, script, servers } = options;
  const agent = createAgent({
    home: options.home ?? join(options.folder, nodeName),
    servers,
    ...(token === undefined ? {} : { token }),
    nodeName,
    simulated: new FakeRuntime({ clock: systemClock, script, machine, instance: nodeName }),
    network: noNetwork,
    forgetAssignments: options.forgetAssignments ?? false,
    ...(log === undefined ? {} : { log }),
  });
  const done = agent.run(stop.signal);
  return {
    machine,
    done,
    stop: async () => {
      stop.abort();
      await done;
    },
  };
}

const noNetwork = (): Network => ({
  dnsAddress: '10.42.0.1',
  setup: async () => undefined,
  apply: async () => [],
  close: async () => undefined,
});

/** `lifetime` in milliseconds. */
export async function makeJoinToken(
  server: { client(): Client; readonly authority: Pick<RunningServer['authority'], 'certificatePem'> },
  lifetime = 600_000,
): Promise<string> {
  const { id, secret } = generateTokenParts();
  await server.client().create(secrets, {
    metadata: { name: `bootstrap-token-${id}`, namespace: 'kube-system' },
    type: 'bootstrap.kubernetes.io/token',
    stringData: {
      'token-id': id,
      'token-secret': secret,
      'usage-bootstrap-authentication': 'true',
      expiration: formatTime(Date.now() + lifetime),
    },
  });
  return formatJoinToken({ id, secret, authorityHash: authorityHash(server.authority.certificatePem) });
}

/** Looks again and again, for at most a minute. */
export async function until<T>(what: string, look: () => Promise<T | undefined | false>): Promise<T> {
  const deadline = performance.now() + 60_000;
  for (;;) {
    const found = await look();
    if (found !== undefined && found !== false) return found;
    if (performance.now() > deadline) throw new Error(`it did not come to this: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

export function untilNodeReady(client: Client, name: string): Promise<Node> {
  return until(`node ${name} is ready`, async () => {
    const node = await client.find(nodes, { name });
    return node?.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') === true && node;
  });
}

export function untilPod(client: Client, name: string, holds: (pod: Pod) => boolean): Promise<Pod> {
  return until(`pod ${name}`, async () => {
    const pod = await client.find(pods, { namespace: 'default', name });
    return pod !== undefined && holds(pod) && pod;
  });
}

export function createPod(
  client: Client,
  name: string,
  nodeName: string,
  image = 'berth.local/hello:1',
  more: Partial<Pod['spec']> = {},
): Promise<Pod> {
  return client.create(pods, {
    metadata: { name, namespace: 'default' },
    spec: { nodeName, containers: [{ name: 'main', image }], ...more },
  });
}

export const isRunning = (pod: Pod): boolean => pod.status?.phase === 'Running';
