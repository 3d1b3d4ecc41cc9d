/**
 * The agent of one node: it holds a session with a server, keeps the node's pods as they are assigned, and reports what it observes. Invariant: it runs
 * pods from what is on its own disk; the session only changes that, so nothing stops when no server can be reached.
 */
import { createHash, randomUUID } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import { mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { PersistentVolume, PersistentVolumeClaim, Service } from '#api/shapes/types/core-v1';
import { type Clock, systemClock } from '#base/clock';
import { type Runnable, runAll } from '#base/lifecycle';
import { type Logger, silentLogger } from '#base/logging';
import type { AgentClient, OpenStream } from '#rpc/generated/agent';
import { type JoinToken, parseJoinToken } from '#rpc/join-token';
import { type Cgroups, noCgroups, openCgroups } from './cgroups.ts';
import { readCluster, writeCluster } from './cluster-file.ts';
import { createCollector } from './collector.ts';
import { createEvents } from './events.ts';
import { createImages } from './images.ts';
import { logFolderOf } from './logs/log-folder.ts';
import { createLogRotation } from './logs/log-rotation.ts';
import { createAgentMetrics } from './metrics.ts';
import { networkLayout } from './network/network-layout.ts';
import { NodeNetwork } from './network/node-network.ts';
import { createNetworkKeeper, type Network } from './network-keeper.ts';
import type { NodeContext } from './node-context.ts';
import { readMachineFacts } from './node-facts.ts';
import { createNodeKeeper } from './node-keeper.ts';
import { pagesOf } from './pages.ts';
import { identityOf } from './pod.ts';
import { createPodWorkers } from './pod-workers.ts';
import { probeActions } from './probes/index.ts';
import { Containerd } from './runtime/containerd/containerd.ts';
import { containerdLayout } from './runtime/containerd/layout.ts';
import { runtimeDrivers } from './runtime/index.ts';
import type { Runtime } from './runtime/runtime.ts';
import { createRuntimeView } from './runtime-view.ts';
import { forgetAssignments, openAssignments } from './session/assignments.ts';
import { joinCluster, type NodeCredentials, readCredentials } from './session/credentials.ts';
import { Outbox } from './session/outbox.ts';
import { KnownServers, readServers, writeServers } from './session/servers.ts';
import { createSession } from './session/session.ts';
import { createStreamsOnly } from './session/streams-only.ts';
import { serveTunnel } from './session/tunnels.ts';
import { createSlots } from './slots.ts';
import { createStorageLimits } from './storage-limits.ts';
import { createStreamOpener } from './streams.ts';
import { volumePlugins } from './volumes/index.ts';
import { hostMounter, plainMounter } from './volumes/mounter.ts';
import { createVolumeReclaim } from './volumes/reclaim.ts';

export interface AgentOptions {
  /** `$BERTH_HOME`. */
  readonly home: string;
  /** `host:port` of agents' ports; needed to join, and kept in mind from then on when not given. */
  readonly servers: readonly string[];
  /** A join token; needed once. */
  readonly token?: string;
  /** The machine's hostname unless given. */
  readonly nodeName?: string;
  /** A driver by name; `cri` unless given. */
  readonly runtime?: string;
  /** Of the runtime; a containerd of the agent's own unless given. */
  readonly endpoint?: string;
  readonly labels?: Readonly<Record<string, string>>;
  /** 110 unless given, as in Kubernetes. */
  readonly maximumPods?: number;
  /** Of the package. */
  readonly version?: string;
  /** Take what the next server gives, whatever ran here before. */
  readonly forgetAssignments?: boolean;
  /** The node's network; the machine's own (bridge, nftables, DNS) unless given. */
  readonly network?: (podCidr: string) => Network;
  /** For simulated nodes and tests: a runtime that is there already, with no mounts and no cgroups. */
  readonly simulated?: Runtime;
  readonly clock?: Clock;
  readonly log?: Logger;
}

/** How long the first look at runtime and network may keep the agent from its servers, in milliseconds. */
const firstLookWithin = 10_000;
/** So many sandboxes and containers start at once: more only makes each slower. */
const startsAtOnce = 6;

/** Ends when its signal aborts, leaving every container running. Its `run` rejects with what is in the way when it cannot begin. */
export function createAgent(options: AgentOptions): Runnable {
  return { name: 'agent', run: (signal) => runAgent(options, signal) };
}

async function runAgent(options: AgentOptions, signal: AbortSignal): Promise<void> {
  const clock = options.clock ?? systemClock;
  const log = options.log ?? silentLogger;
  const home = resolve(options.home);
  const own = join(home, 'agent');
  await mkdir(own, { recursive: true, mode: 0o700 });
  const facts = await readMachineFacts(own);
  const nodeName = options.nodeName ?? facts.hostname;
  const { credentials, servers } = await identify(own, nodeName, options);
  const knownServers = new KnownServers(own, servers, log);
  const assignmentsPath = join(own, 'assignments.jsonl');
  if (options.forgetAssignments === true) await forgetAssignments(assignmentsPath);
  const assignments = await openAssignments(assignmentsPath, log);

  const simulated = options.simulated !== undefined;
  const stop = new AbortController();
  const ending = AbortSignal.any([signal, stop.signal]);
  // Every stream and pull listens on it: that is no leak.
  setMaxListeners(0, ending);
  const ownContainerd =
    simulated || options.endpoint !== undefined || (options.runtime ?? 'cri') !== 'cri' ? undefined : new Containerd({ home, clock, log });
  if (ownContainerd !== undefined) await ownContainerd.start(ending);
  const runtime = options.simulated ?? createRuntime(options, nodeName, ownContainerd?.endpoint, clock, log);
  const cgroups = simulated ? noCgroups : await openAgentCgroups(home);
  const metrics = createAgentMetrics();
  const outbox = new Outbox();
  const events = createEvents({ clock, publish: (event) => outbox.event(event) });
  const view = createRuntimeView({ runtime, clock, log });
  const isPodInterface = podInterfaces(home);

  const network = createNetworkKeeper({
    create: (cluster, onProblems) =>
      options.network?.(cluster.podCidr) ??
      new NodeNetwork({
        home,
        nodeName,
        podCidr: cluster.podCidr,
        clusterCidr: cluster.clusterCidr,
        serviceCidr: cluster.serviceCidr,
        domain: cluster.dnsDomain,
        cniConfiguration: containerdLayout(home).cniConfiguration,
        clock,
        log,
        onProblems,
      }),
    assignments,
    view,
    events,
    clock,
    log,
    onChange: () => nodeKeeper.refresh(),
  });
  const nodeKeeper = createNodeKeeper({
    name: nodeName,
    home: own,
    facts,
    labels: options.labels ?? {},
    maximumPods: options.maximumPods ?? 110,
    volumeDirectory: join(home, 'volumes'),
    version: options.version ?? 'v0.0.0',
    runtime,
    isPodInterface,
    networkProblem: () => network.problem(),
    report: (node) => outbox.node(node),
    clock,
    log,
  });

  const podsDirectory = join(own, 'pods');
  const logsDirectory = join(own, 'logs');
  const context: NodeContext = {
    runtime,
    view,
    events,
    images: createImages({ runtime, events, clock, signal: ending, onPulled: (seconds) => metrics.imagePullSeconds.observe(seconds) }),
    cgroups,
    mounter: simulated ? plainMounter : hostMounter,
    volumePlugins,
    probeActions,
    metrics,
    clock,
    log,
    starts: createSlots(startsAtOnce),
    directories: {
      pod: (uid) => join(podsDirectory, uid),
      logs: (pod) => join(logsDirectory, logFolderOf(identityOf(pod))),
      persistentVolumes: join(home, 'volumes'),
    },
    node: {
      addresses: () => nodeKeeper.addresses(),
      allocatable: () => nodeKeeper.node.status?.allocatable ?? {},
      memoryCapacity: () => facts.memoryBytes,
      dns: () => ({ server: network.dnsServer, domain: network.domain, host: facts.hostDns }),
      networkProblem: () => network.problem(),
      runtimeName: () => nodeKeeper.runtimeName(),
    },
    objects: (namespace) => ({
      configMap: (name) => assignments.get('configmaps', namespace, name),
      secret: (name) => assignments.get('secrets', namespace, name),
      claim: (name) => assignments.get('persistentvolumeclaims', namespace, name) as PersistentVolumeClaim | undefined,
      persistentVolume: (name) => assignments.get('persistentvolumes', '', name) as PersistentVolume | undefined,
    }),
    services: () => assignments.list('services') as readonly Service[],
    report: (report) => outbox.report(report),
  };
  const workers = createPodWorkers(assignments, context);
  const open = createStreamOpener({ node: context, workers, page: pagesOf(context) });
  const clusterPath = join(own, 'cluster.json');
  const known = await readCluster(clusterPath);
  if (known !== undefined) network.configure(known);

  // An agent that is started again must not say of a node that is well that it does not know.
  const seen = async (): Promise<void> => {
    if (known !== undefined) await network.settled;
    await nodeKeeper.observation();
  };
  const firstLook = (during: AbortSignal): Promise<void> => Promise.race([seen(), clock.sleep(firstLookWithin, during)]);
  const instance = randomUUID();
  const onStream = (request: OpenStream, client: AgentClient): void => void serveTunnel(request, client, { open, log }, ending);
  const parts: Runnable[] = [
    ...(ownContainerd === undefined ? [] : [ownContainerd]),
    view,
    network,
    nodeKeeper,
    workers,
    createCollector({ node: context, workers, podsDirectory, logsDirectory, ready: () => assignments.held.incarnation !== '' }),
    createStorageLimits({ node: context, workers }),
    createVolumeReclaim({
      nodeName,
      assignments,
      directory: context.directories.persistentVolumes,
      mounter: context.mounter,
      removed: (volume) => outbox.volumeRemoved(volume),
      clock,
      log,
    }),
    createLogRotation({
      running: () => runningLogs(context, workers.owned, (uid) => workers.pod(uid)),
      reopen: (id) => runtime.reopenLog(id),
      clock,
      log,
    }),
    createStreamsOnly({
      servers: knownServers,
      nodeName,
      version: options.version ?? 'v0.0.0',
      instance,
      credentials: () => readCredentials(own),
      onStream,
      clock,
      log,
    }),
    afterwards(
      firstLook,
      createSession({
        servers: () => knownServers.addresses,
        onServers: (told) => knownServers.take(told),
        nodeName,
        version: options.version ?? 'v0.0.0',
        instance,
        credentials,
        credentialsDirectory: own,
        assignments,
        outbox,
        node: () => nodeKeeper.node,
        onCluster: (cluster) => {
          network.configure(cluster);
          if (cluster.podCidr !== '')
            writeCluster(clusterPath, cluster).catch((error: unknown) =>
              log.error('cannot keep what is known of the cluster', { error: String(error) }),
            );
        },
        onStream,
        metrics,
        clock,
        log,
      }),
    ),
  ];
  try {
    await runAll(parts, signal);
  } finally {
    stop.abort();
    await assignments.close();
    if ('close' in runtime && typeof runtime.close === 'function') runtime.close();
  }
}

/** The part, begun once `before` has resolved. */
function afterwards(before: (signal: AbortSignal) => Promise<void>, part: Runnable): Runnable {
  return {
    name: part.name,
    run: async (signal) => {
      await before(signal).catch(() => undefined);
      if (!signal.aborted) await part.run(signal);
    },
  };
}

function createRuntime(options: AgentOptions, instance: string, ownEndpoint: string | undefined, clock: Clock, log: Logger): Runtime {
  const name = options.runtime ?? 'cri';
  const driver = runtimeDrivers.find((candidate) => candidate.name === name);
  if (driver === undefined)
    throw new Error(`there is no runtime "${name}": choose one of ${runtimeDrivers.map((known) => known.name).join(', ')}`);
  return driver.create({ endpoint: options.endpoint ?? ownEndpoint ?? '', instance, clock, log });
}

/** The node's identity and where its servers are: from disk, or by joining now. */
async function identify(
  directory: string,
  nodeName: string,
  options: AgentOptions,
): Promise<{ credentials: NodeCredentials; servers: readonly string[] }> {
  const servers = options.servers.length > 0 ? options.servers : await readServers(directory);
  if (servers.length === 0) throw new Error('no server is known: give one with --server host:port');
  const present = await readCredentials(directory);
  if (present !== undefined) {
    await writeServers(directory, servers);
    return { credentials: present, servers };
  }
  if (options.token === undefined) {
    throw new Error(
      'this node has not joined a cluster: make a token with "berth token create" on the server, and give it with --token-file',
    );
  }
  const credentials = await joinAny(directory, servers, parseJoinToken(options.token), nodeName);
  await writeServers(directory, servers);
  return { credentials, servers };
}

/** By the first of the servers that can be reached. Throws what the last one said. */
async function joinAny(directory: string, servers: readonly string[], token: JoinToken, nodeName: string): Promise<NodeCredentials> {
  let failure: unknown;
  for (const server of servers) {
    try {
      return await joinCluster(directory, server, token, nodeName);
    } catch (error) {
      failure = error;
    }
  }
  throw failure;
}

function openAgentCgroups(home: string): Promise<Cgroups> {
  return openCgroups({ parent: cgroupParentOf(home) });
}

/** The cgroup above all pods of the agent that lives in this `$BERTH_HOME`. */
export function cgroupParentOf(home: string): string {
  return `/kubepods/berth-${createHash('sha256').update(resolve(home)).digest('hex').slice(0, 8)}`;
}

function podInterfaces(home: string): (name: string) => boolean {
  const { bridge } = networkLayout(home);
  return (name) => name === bridge || /^(veth|cni|docker|br-|lxc|flannel|cali)/.test(name);
}

function runningLogs(
  node: NodeContext,
  owned: ReadonlySet<string>,
  podOf: (uid: string) => Parameters<NodeContext['directories']['logs']>[0] | undefined,
): { id: string; logPath: string }[] {
  return [...owned].flatMap((uid) => {
    const pod = podOf(uid);
    if (pod === undefined) return [];
    const directory = node.directories.logs(pod);
    return node.view
      .pod(uid)
      .containers.filter(({ state }) => state === 'Running')
      .map(({ id, name, attempt }) => ({ id, logPath: join(directory, name, `${attempt}.log`) }));
  });
}
