/** Puts the HTTP face together over the verbs. */
import type { Registry } from 'prom-client';
import { typeTable } from '#api/schema/type-table';
import { pods } from '#api/shapes/resources';
import type { Clock } from '#base/clock';
import type { Logger } from '#base/logging';
import type { NodeConnector } from '#client/node-connector';
import { Authenticator } from '../auth/authenticate.ts';
import type { KeyPair } from '../auth/pki.ts';
import type { TokenAuthenticator } from '../auth/token-authenticator.ts';
import type { TokenSigner } from '../auth/token-signer.ts';
import type { Authorizer } from '../authorization/authorizer.ts';
import { type DiscoveredResource, Discovery } from '../discovery/discovery.ts';
import { OpenApi } from '../openapi/openapi.ts';
import { mastersGroup, type UserInfo } from '../request-context.ts';
import type { Verbs } from '../verbs/verbs.ts';
import { type VirtualResource, verbsOf } from '../verbs/virtual/virtual-resource.ts';
import { ApiHandler } from './api-handler.ts';
import { defaultLimits, FairQueue } from './fair-queue.ts';
import { FlowControl, registerFlowMetrics } from './flow-control.ts';
import type { HealthCheck } from './health.ts';
import { IssuerPages } from './issuer-pages.ts';
import { ApiMetrics } from './metrics.ts';
import { NodePages } from './node-pages.ts';
import { PodStreams } from './pod-streams.ts';
import { PublishedResources } from './published-resources.ts';
import { ResourceHandler } from './resource-handler.ts';
import { ApiServer } from './server.ts';
import { versionInfo } from './version.ts';

export interface CreateApiServerOptions {
  readonly verbs: Verbs;
  readonly authorizers: readonly Authorizer[];
  /** Of service accounts; without them no token is accepted. */
  readonly tokens?: { readonly signer: TokenSigner; readonly authenticator: TokenAuthenticator };
  readonly connector: NodeConnector;
  readonly certificate: KeyPair;
  /** PEM of the authority that signed the clients' certificates. */
  readonly clientAuthority: string;
  readonly host?: string;
  readonly port: number;
  readonly clock: Clock;
  readonly log: Logger;
  /** Where the API server's own metrics go; all of it is what `/metrics` shows. */
  readonly registry: Registry;
  readonly health: Readonly<Record<'healthz' | 'livez' | 'readyz', readonly HealthCheck[]>>;
  /** Of the package: `0.1.0`. */
  readonly berthVersion: string;
}

/** As which the server looks up the pod of a stream; whether the client may is decided before. */
const self: UserInfo = { name: 'system:apiserver', groups: [mastersGroup] };

/** The API port, not yet listening. */
export function createApiServer(options: CreateApiServerOptions): ApiServer {
  const { verbs, authorizers, clock, log } = options;
  const stopping = new AbortController();
  const version = versionInfo(options.berthVersion);
  const virtual = verbs.virtualResources.map(publishedVirtual);
  const resources = new PublishedResources(verbs.registry.served, virtual);
  const metrics = new ApiMetrics(options.registry);
  const queue = new FairQueue({ clock, ...defaultLimits });
  registerFlowMetrics(options.registry, queue.figures);
  const flowControl = new FlowControl(queue);
  const podStreams = new PodStreams({
    connector: options.connector,
    authorizers,
    clock,
    getPod: async (namespace, name) => {
      const answer = await verbs.send({ user: self, warn: () => undefined }, { verb: 'get', resource: pods, namespace, name });
      if (answer.type !== 'object') throw new Error('get gave no object');
      return answer.object.object;
    },
  });
  const handler = new ApiHandler({
    nodePages: new NodePages(options.connector, authorizers),
    authenticator: new Authenticator(clock, options.tokens?.authenticator),
    issuerPages: options.tokens && new IssuerPages(options.tokens.signer),
    authorizers,
    resources,
    handler: new ResourceHandler({ verbs, metrics, flowControl, clock, stopping: stopping.signal }),
    podStreams,
    discovery: new Discovery(resources.all),
    openApi: new OpenApi(resources.all, typeTable, version.gitVersion),
    version,
    metrics,
    flowControl,
    scrape: async () => ({ text: await options.registry.metrics(), contentType: options.registry.contentType }),
    health: options.health,
    log,
  });
  return new ApiServer({
    handler,
    certificate: options.certificate,
    clientAuthority: options.clientAuthority,
    ...(options.host === undefined ? {} : { host: options.host }),
    port: options.port,
    stopping,
    clock,
    log,
  });
}

function publishedVirtual(virtual: VirtualResource): DiscoveredResource {
  const { type } = virtual;
  return {
    group: type.group,
    version: type.version,
    plural: type.plural,
    singular: type.kind.toLowerCase(),
    kind: type.kind,
    namespaced: type.namespaced,
    verbs: verbsOf(virtual),
    shortNames: [],
    categories: [],
    subresources: [],
  };
}
