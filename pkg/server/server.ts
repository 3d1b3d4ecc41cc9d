/**
 * Wires the server's parts in one process: store, cache, verbs, API port, and whatever speaks to the API from within, each as its own
 * user. If one part fails, all end and `done` says why. It stops from the outside in, so that requests in flight are still answered.
 */
import { mkdir } from 'node:fs/promises';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { Registry } from 'prom-client';
import { kindRegistry } from '#api/kinds/index';
import type { KindRegistry } from '#api/registry';
import { createAdmissionSteps } from '#apiserver/admission/index';
import { type CertificateAuthority, type KeyPair, openPki, type Pki, type PkiOptions, servingHosts } from '#apiserver/auth/pki';
import { TokenAuthenticator } from '#apiserver/auth/token-authenticator';
import { TokenSigner } from '#apiserver/auth/token-signer';
import { createAuthorizers } from '#apiserver/authorization/index';
import { bootstrap, publishServers } from '#apiserver/bootstrap';
import { boundPodsOf } from '#apiserver/bound-pods';
import { createApiServer } from '#apiserver/http/create-api-server';
import type { HealthCheck } from '#apiserver/http/health';
import type { ApiServer } from '#apiserver/http/server';
import { indexers } from '#apiserver/indexers';
import { createLocalTransport } from '#apiserver/local-transport';
import { NodeUsages } from '#apiserver/node-usage';
import { authenticatedGroup, mastersGroup, type UserInfo } from '#apiserver/request-context';
import { subresourceHandlers } from '#apiserver/verbs/subresources/index';
import { serviceAccountToken } from '#apiserver/verbs/subresources/service-account-token';
import { createVerbObserver } from '#apiserver/verbs/verb-metrics';
import { Verbs } from '#apiserver/verbs/verbs';
import { virtualResources } from '#apiserver/verbs/virtual/index';
import { resourceMetrics } from '#apiserver/verbs/virtual/resource-metrics';
import { tokenReview } from '#apiserver/verbs/virtual/token-review';
import { type Clock, systemClock } from '#base/clock';
import { StatusError } from '#base/errors';
import { aborted, type Runnable, runAll } from '#base/lifecycle';
import { type Logger, silentLogger } from '#base/logging';
import type { Client } from '#client/client';
import { type ConnectionOptions, saveConnection } from '#client/kubeconfig';
import type { NodeConnector } from '#client/node-connector';
import { createClient } from '#client/typed-client';
import type { Backend, Compare } from '#storage/backend';
import { Compactor } from '#storage/compactor';
import { type EtcdSettings, type StoreName, storageDriver } from '#storage/index';
import { Store } from '#storage/store';
import { openStore } from '#storage/transfer';
import { WatchCache } from '#storage/watch-cache';
import { openSharedPki } from './cluster-keys.ts';
import { type Components, createComponents, type ServerComponents } from './components.ts';
import { registerProcessMetrics } from './process-metrics.ts';
import { joinServers } from './servers.ts';
import { firstAddressOf } from './service-address.ts';
import { createWebListener } from './web-listener.ts';

export interface ServerOptions {
  /** `$BERTH_HOME`: certificates, the kubeconfig and the embedded store stand in it. */
  readonly home: string;
  readonly store: StoreName;
  /** For the store `etcd`. */
  readonly etcd?: EtcdSettings;
  /** For a store that servers share: what a further server gets the cluster's keys by; that of `$BERTH_HOME/server-token` unless given. */
  readonly serverToken?: string;
  /** All addresses unless given. */
  readonly host?: string;
  /** 6443 unless given; 0: any free one. */
  readonly port?: number;
  /** What agents dial; 6444 unless given; 0: any free one. */
  readonly agentPort?: number;
  /** Metrics and health without a certificate, on 127.0.0.1 alone; 2 above `port` unless given, none when `port` is 0. */
  readonly webPort?: number;
  /** `10.42.0.0/16` unless given. */
  readonly clusterCidr?: string;
  /** `10.43.0.0/16` unless given. */
  readonly serviceCidr?: string;
  /** `cluster.local` unless given. */
  readonly domain?: string;
  /** Where pods reach this server; `host`, or else this machine's first address, unless given. */
  readonly advertiseAddress?: string;
  /** Further names and addresses of the serving certificate. */
  readonly tlsSans?: readonly string[];
  /** Of the package. */
  readonly version?: string;
  readonly log?: Logger;
  readonly clock?: Clock;
  readonly registry?: KindRegistry;
  /** Which parts beside the API server run; all unless given. */
  readonly components?: Partial<Record<keyof ServerComponents, boolean>>;
}

export interface RunningServer {
  /** `https://127.0.0.1:PORT`. */
  readonly url: string;
  readonly port: number;
  /** Undefined when the dispatcher does not run. */
  readonly agentPort: number | undefined;
  readonly authority: CertificateAuthority;
  /** As the administrator. */
  readonly connection: ConnectionOptions;
  /** For any user, with a certificate made for it. */
  connectionFor(user: string, groups: readonly string[]): Promise<ConnectionOptions>;
  /** In this process, with no sockets between; as the administrator unless a user is given. */
  client(user?: string): Client;
  /** Resolves when the server has stopped; rejects with the part and the reason when one has failed. */
  readonly done: Promise<void>;
  /** Stops the server; resolves when all is closed, and rejects as `done` does. */
  stop(): Promise<void>;
}

const certificateCheck = 12 * 60 * 60 * 1000;

/** Resolves when the server is ready. Throws an error that says what is in the way. */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  const clock = options.clock ?? systemClock;
  const log = options.log ?? silentLogger;
  const serviceCidr = options.serviceCidr ?? '10.43.0.0/16';
  const clusterCidr = options.clusterCidr ?? '10.42.0.0/16';
  const domain = options.domain ?? 'cluster.local';
  const serviceAddress = firstAddressOf(serviceCidr);
  firstAddressOf(clusterCidr);
  await mkdir(options.home, { recursive: true, mode: 0o700 });
  const pkiOptions: PkiOptions = {
    directory: join(options.home, 'pki'),
    hosts: servingHosts([...(options.tlsSans ?? []), ...namedHost(options.host)], serviceAddress, domain),
    clock,
  };
  const registry = new Registry();
  const { pki, backend } = await openKeysAndStore(options, pkiOptions, registry);
  const outer = new AbortController();
  const inner = new AbortController();
  const processMetrics = registerProcessMetrics(registry, log);
  const cache = new WatchCache({ backend, clock, indexers, logger: log });
  const authorizers = createAuthorizers(boundPodsOf(cache));
  // The dispatcher speaks to the verbs, and the verbs through it to the nodes: it is there once it was made.
  let connector: NodeConnector | undefined;
  const nodes: NodeConnector = {
    connect: (...call) =>
      connector?.connect(...call) ??
      Promise.reject(new StatusError('ServiceUnavailable', 'the server is starting, nodes cannot be reached yet')),
  };
  const signer = new TokenSigner({ privateKey: pki.tokenKey, issuer: `https://kubernetes.default.svc.${domain}`, clock });
  const authenticator = new TokenAuthenticator({ signer, cache, clock });
  const verbs = new Verbs({
    store: new Store(backend, cache),
    registry: options.registry ?? kindRegistry,
    admission: createAdmissionSteps({ backend, cache, clusterIpRange: serviceCidr }),
    authorizers,
    clock,
    indexers,
    subresources: [...subresourceHandlers, serviceAccountToken(signer)],
    virtualResources: [...virtualResources, tokenReview(authenticator), ...resourceMetrics(new NodeUsages(nodes, clock))],
    observer: createVerbObserver(registry, cache),
  });
  const clientFor = (user: UserInfo, fence?: Compare): Client =>
    createClient(createLocalTransport(verbs, user, { clock, ...(fence === undefined ? {} : { fence }) }));
  const component = (name: string, fence?: Compare): Client => clientFor({ name, groups: [authenticatedGroup] }, fence);
  // One server alone needs no leases, and writes none.
  const together = storageDriver(options.store).isShared
    ? await joinServers({ home: options.home, client: component('system:berth:server'), backend, clock, log })
    : undefined;
  const caching = runAll([cache, new Compactor({ backend, clock, logger: log })], outer.signal);
  caching.catch(() => undefined);
  const closing = async (running: Promise<void>): Promise<void> => {
    try {
      await running;
    } finally {
      await close();
    }
  };
  const close = async (): Promise<void> => {
    inner.abort();
    outer.abort();
    processMetrics.stop();
    await caching.catch(() => undefined);
    await backend.close();
  };

  let api: ApiServer | undefined;
  let agents: Components | undefined;
  try {
    await Promise.race([cache.loaded(), caching]);
    const components = await createComponents({
      enabled: options.components ?? {},
      pki,
      clientFor: component,
      ...(together === undefined ? {} : { lead: together.lead }),
      peers: together?.membership,
      clock,
      log,
      registry,
      kinds: verbs.registry,
      host: options.host,
      agentPort: options.agentPort ?? 6444,
      clusterCidr,
      serviceCidr,
      domain,
      incarnation: backend.incarnation,
      openedAt: cache.revision,
    });
    agents = components;
    connector = components.connector;
    const ping: HealthCheck = { name: 'ping', check: () => undefined };
    const storage: HealthCheck = {
      name: options.store === 'etcd' ? 'etcd' : 'storage',
      check: async () => void (await backend.revision()),
    };
    const informed: HealthCheck = { name: 'watch-cache', check: () => cache.reachNewest() };
    let bootstrapped = false;
    const made: HealthCheck = {
      name: 'bootstrap',
      check: () => {
        if (!bootstrapped) throw new Error('the objects that every cluster has are still being made');
      },
    };
    const face = createApiServer({
      verbs,
      authorizers,
      tokens: { signer, authenticator },
      connector: components.connector,
      certificate: pki.serving,
      clientAuthority: pki.authority.certificatePem,
      ...(options.host === undefined ? {} : { host: options.host }),
      port: options.port ?? 6443,
      clock,
      log,
      registry,
      health: { livez: [ping], healthz: [ping, storage], readyz: [ping, storage, informed, made] },
      berthVersion: options.version ?? '0.0.0',
    });
    const { port } = await face.listen();
    api = face;
    const agentPort = await components.listen();
    const dialled = options.advertiseAddress ?? namedHost(options.host)[0] ?? firstOwnAddress();
    // Pods are never on this machine's loopback.
    const address = isLoopback(dialled) ? firstOwnAddress() : dialled;
    await bootstrap(component('system:berth:bootstrap'), { serviceAddress, server: { address, port } });
    if (together === undefined) await publishServers(component('system:berth:bootstrap'), [{ address, port }]);
    else await together.enter({ address, port, agents: agentPort === undefined ? undefined : `${authority(dialled)}:${agentPort}` });
    bootstrapped = true;
    const reached = namedHost(options.host)[0] ?? '127.0.0.1';
    const url = `https://${authority(reached)}:${port}`;
    const connection = connectionFor(url, pki.authority, pki.admin);
    await saveConnection(join(options.home, 'kubeconfig'), 'berth', connection, true);
    const webPort = options.webPort ?? (options.port === 0 ? undefined : port + 2);
    const parts = [
      face,
      ...(together?.parts ?? []),
      ...components.parts,
      ...(webPort === undefined
        ? []
        : [createWebListener({ port: webPort, registry, ready: () => cache.reachNewest(), url, version: options.version ?? '', log })]),
      renewal(pkiOptions, pki.serving, options, url, (pair) => {
        face.setCertificate(pair);
        components.setCertificate(pair);
      }),
    ];
    const serving = runAll(parts, inner.signal);
    // The first failure decides; the cache ends last, so that what is in flight can be answered.
    const done = closing(Promise.race([serving, caching.then(() => serving)]));
    done.catch(() => undefined);
    return {
      url,
      port,
      agentPort,
      authority: pki.authority,
      connection,
      connectionFor: async (user, groups) => connectionFor(url, pki.authority, await pki.issueClient(user, groups)),
      client: (user) =>
        user === undefined ? clientFor({ name: 'berth-admin', groups: [mastersGroup, authenticatedGroup] }) : component(user),
      done,
      stop: () => {
        inner.abort();
        return done;
      },
    };
  } catch (error) {
    agents?.abandon();
    await api?.close();
    await close();
    throw error;
  }
}

/** Where servers share a store, it has the keys that they share as well. */
async function openKeysAndStore(
  options: ServerOptions,
  pkiOptions: PkiOptions,
  registry: Registry,
): Promise<{ pki: Pki; backend: Backend }> {
  if (!storageDriver(options.store).isShared) {
    const [pki, backend] = await Promise.all([openPki(pkiOptions), openBackend(options, registry)]);
    return { pki, backend };
  }
  const backend = await openBackend(options, registry);
  try {
    const { home, serverToken: token, log = silentLogger } = options;
    const { directory } = pkiOptions;
    return { pki: await openSharedPki({ home, directory, backend, token, log }, () => openPki(pkiOptions)), backend };
  } catch (error) {
    await backend.close();
    throw error;
  }
}

async function openBackend(options: ServerOptions, registry: Registry): Promise<Backend> {
  const { store, home, etcd, clock = systemClock, log = silentLogger } = options;
  return await openStore(store, { home, clock, log, registry, ...(etcd === undefined ? {} : { etcd }) });
}

function connectionFor(server: string, authority: CertificateAuthority, admin: KeyPair): ConnectionOptions {
  return { server, certificateAuthority: authority.certificatePem, clientCertificate: admin.certificate, clientKey: admin.privateKey };
}

function isLoopback(address: string): boolean {
  return address === 'localhost' || address === '::1' || address.startsWith('127.');
}

/** An address as it stands before a port. */
function authority(address: string): string {
  return address.includes(':') ? `[${address}]` : address;
}

/** Of this machine, for others; 127.0.0.1 where it has none. */
function firstOwnAddress(): string {
  const entries = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  return entries.find((entry) => !entry.internal && entry.family === 'IPv4')?.address ?? '127.0.0.1';
}

/** An address on which the server is told to listen is one under which it is reached. */
function namedHost(host: string | undefined): string[] {
  return host === undefined || host === '0.0.0.0' || host === '::' ? [] : [host];
}

/** Looks at the certificates now and then, and shows the new one when it has been made anew. */
function renewal(pkiOptions: PkiOptions, shown: KeyPair, options: ServerOptions, url: string, show: (pair: KeyPair) => void): Runnable {
  return {
    name: 'certificate renewal',
    run: async (signal) => {
      let current = shown;
      while (!signal.aborted) {
        await Promise.race([pkiOptions.clock.sleep(certificateCheck, signal).catch(() => undefined), aborted(signal)]);
        if (signal.aborted) return;
        const pki = await openPki(pkiOptions);
        if (pki.serving.certificate !== current.certificate) show(pki.serving);
        current = pki.serving;
        await saveConnection(join(options.home, 'kubeconfig'), 'berth', connectionFor(url, pki.authority, pki.admin), false);
      }
    },
  };
}
