/**
 * The route table of the API port: health, discovery, OpenAPI, version, metrics, resources, streams. Every request is authenticated
 * (health may be anonymous) and every answer, errors included, has Kubernetes' form.
 */
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { messageOf, StatusError } from '#base/errors';
import type { Logger } from '#base/logging';
import type { Authenticator } from '../auth/authenticate.ts';
import { asksToImpersonate, impersonate } from '../auth/impersonate.ts';
import { type Authorizer, mustBeAllowed } from '../authorization/authorizer.ts';
import type { Discovery, DiscoveryDocument } from '../discovery/discovery.ts';
import type { OpenApi, OpenApiDocument } from '../openapi/openapi.ts';
import type { UserInfo } from '../request-context.ts';
import type { Exchange, Request } from './exchange.ts';
import type { FlowControl } from './flow-control.ts';
import { checkHealth, type HealthCheck } from './health.ts';
import { discoveryPath, type IssuerPages, keySetPath } from './issuer-pages.ts';
import { negotiate, notAcceptable, parseAccept } from './media-type.ts';
import type { ApiMetrics } from './metrics.ts';
import { isNodePage, type NodePages } from './node-pages.ts';
import { parseResourcePath, type ResourcePath } from './path.ts';
import { type PodStreams, podStreamOf } from './pod-streams.ts';
import { encodeProtobufBody } from './protobuf.ts';
import type { PublishedResources } from './published-resources.ts';
import { flag } from './query.ts';
import { encode, type ReplyHeaders, sendBytes, sendError, warningHeaders } from './reply.ts';
import { isWatch, methodNotAllowed, notFound, type ResourceHandler } from './resource-handler.ts';
import { refuseUpgrade } from './upgrade.ts';
import type { VersionInfo } from './version.ts';

export interface ApiHandlerOptions {
  readonly authenticator: Authenticator;
  readonly authorizers: readonly Authorizer[];
  readonly resources: PublishedResources;
  readonly handler: ResourceHandler;
  readonly nodePages: NodePages;
  readonly podStreams: PodStreams;
  readonly discovery: Discovery;
  readonly openApi: OpenApi;
  readonly issuerPages: IssuerPages | undefined;
  readonly version: VersionInfo;
  readonly metrics: ApiMetrics;
  readonly flowControl: FlowControl;
  /** The text of `/metrics`, and its content type. */
  readonly scrape: () => Promise<{ readonly text: string; readonly contentType: string }>;
  readonly health: Readonly<Record<'healthz' | 'livez' | 'readyz', readonly HealthCheck[]>>;
  readonly log: Logger;
}

const openApiV2Protobuf = 'application/com.github.proto-openapi.spec.v2.v1.0+protobuf';

export class ApiHandler {
  readonly #options: ApiHandlerOptions;

  constructor(options: ApiHandlerOptions) {
    this.#options = options;
  }

  /** Answers a request; never rejects. */
  async handle(exchange: Exchange): Promise<void> {
    const { request, response } = exchange;
    try {
      await this.#route(exchange);
    } catch (error) {
      if (exchange.reason !== undefined && response.headersSent) return;
      sendError(response, this.#statusOf(error, exchange), warningHeaders(exchange.warnings));
      // What the client still sends of its body is not read: it is told to stop.
      if (!request.complete) {
        if ('stream' in request) request.destroy();
        else response.once('finish', () => request.destroy());
      }
    }
  }

  /** Answers a request to take over the connection; never rejects. */
  async upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    const gone = new AbortController();
    const onClose = (): void => gone.abort(new DOMException('the client has gone', 'AbortError'));
    socket.once('close', onClose);
    socket.on('error', () => undefined);
    try {
      const url = request.url ?? '/';
      const mark = url.indexOf('?');
      const path = parseResourcePath(mark < 0 ? url : url.slice(0, mark));
      const stream = path === undefined ? undefined : podStreamOf(path);
      const query = new URLSearchParams(mark < 0 ? '' : url.slice(mark + 1));
      const user = await this.#user(request);
      if (path !== undefined && stream === undefined && isWatch(request.method, path, query)) {
        const resource = this.#options.resources.find(path.group, path.version, path.plural);
        if (resource === undefined) throw notFound();
        await this.#options.handler.watchSocket({ request, socket, head }, user, path, query, resource);
        return;
      }
      if (path === undefined || stream === undefined || stream === 'log') throw notFound();
      const { flowControl, podStreams, metrics } = this.#options;
      const labels = { verb: 'CONNECT', group: '', version: 'v1', resource: 'pods', subresource: stream, scope: 'resource', dryRun: false };
      const seat = await flowControl.seatFor(user, gone.signal);
      const opened = await podStreams.open(request, user, path, query, gone.signal).finally(() => seat.leave());
      const end = metrics.beginLongRunning(labels);
      try {
        await opened.join(socket, head);
      } finally {
        end();
        metrics.finished(labels, 101, undefined);
      }
    } catch (error) {
      refuseUpgrade(socket, this.#statusOf(error, undefined));
    } finally {
      socket.removeListener('close', onClose);
    }
  }

  #statusOf(error: unknown, exchange: Exchange | undefined): StatusError {
    if (error instanceof StatusError) return error;
    const gone = exchange?.reason;
    if (gone instanceof StatusError) return gone;
    if (gone === undefined) {
      this.#options.log.error('a request failed unexpectedly', {
        method: exchange?.method,
        path: exchange?.path,
        error: error instanceof Error ? error.stack : messageOf(error),
      });
    }
    return new StatusError('InternalError', `Internal error occurred: ${messageOf(error)}`, {
      details: { causes: [{ message: messageOf(error) }] },
    });
  }

  #user(request: Request): UserInfo | Promise<UserInfo> {
    const user = this.#options.authenticator.authenticate(request);
    return asksToImpersonate(request.headers) ? this.#impersonated(user, request) : user;
  }

  async #impersonated(user: UserInfo | Promise<UserInfo>, { headers }: Request): Promise<UserInfo> {
    return await impersonate(await user, headers, this.#options.authorizers);
  }

  async #route(exchange: Exchange): Promise<void> {
    const { path } = exchange;
    if (!path.startsWith('/')) throw new StatusError('BadRequest', `the target of the request, ${path}, must be a path`);
    if (path.startsWith('/api/') || path.startsWith('/apis/')) {
      const known = this.#user(exchange.request);
      const user = known instanceof Promise ? await known : known;
      const resourcePath = parseResourcePath(path);
      await (resourcePath === undefined ? this.#page(exchange, user) : this.#resource(exchange, user, resourcePath));
      return;
    }
    const [, root = '', ...rest] = path.split('/');
    if (root === 'healthz' || root === 'livez' || root === 'readyz') await this.#health(exchange, root, rest.join('/'));
    else await this.#page(exchange, await this.#user(exchange.request));
  }

  /** What is no resource: discovery, documents, figures. */
  async #page(exchange: Exchange, user: UserInfo): Promise<void> {
    const { path } = exchange;
    const [, root = '', ...rest] = path.split('/');
    await this.#options.flowControl.enter(exchange, user);
    await mustBeAllowed(this.#options.authorizers, { user, verb: exchange.method.toLowerCase(), path });
    const done = this.#options.metrics.begin(exchange.method !== 'GET');
    try {
      await this.#plain(exchange, root, rest.join('/').replace(/\/$/, ''));
      exchange.answered();
    } finally {
      done();
    }
  }

  async #resource(exchange: Exchange, user: UserInfo, path: ResourcePath): Promise<void> {
    const { resources, handler, nodePages, podStreams } = this.#options;
    const resource = resources.find(path.group, path.version, path.plural);
    if (resource === undefined) throw notFound();
    if (isNodePage(path)) {
      if (exchange.method !== 'GET') throw methodNotAllowed();
      await this.#options.flowControl.enter(exchange, user);
      await nodePages.send(exchange, user, path);
      exchange.answered();
      return;
    }
    const stream = podStreamOf(path);
    if (stream === undefined) {
      await handler.handle(exchange, user, path, resource);
      return;
    }
    if (stream !== 'log') throw new StatusError('BadRequest', 'Upgrade request required');
    if (exchange.method !== 'GET') throw methodNotAllowed();
    const { metrics, flowControl } = this.#options;
    await flowControl.enter(exchange, user);
    const labels = { verb: 'CONNECT', group: '', version: 'v1', resource: 'pods', subresource: 'log', scope: 'resource', dryRun: false };
    const end = metrics.beginLongRunning(labels);
    try {
      await podStreams.log(exchange, user, path);
    } finally {
      end();
      metrics.finished(labels, exchange.response.statusCode, undefined);
    }
  }

  async #plain(exchange: Exchange, root: string, rest: string): Promise<void> {
    if (exchange.method !== 'GET') throw methodNotAllowed();
    const { discovery, version, scrape, issuerPages } = this.#options;
    switch (root) {
      case 'version':
        if (rest !== '') break;
        await this.#object(exchange, version);
        return;
      case 'metrics': {
        if (rest !== '') break;
        const { text, contentType } = await scrape();
        await sendBytes(exchange.response, 200, contentType, Buffer.from(text), { gzip: exchange.acceptsGzip });
        return;
      }
      case 'openapi':
        await this.#openApi(exchange, rest);
        return;
      case '.well-known':
      case 'openid': {
        const page = issuerPages?.find(exchange.path, exchange.header('host') ?? exchange.header(':authority') ?? '');
        if (page === undefined) break;
        await sendBytes(exchange.response, 200, page.contentType, page.bytes, { gzip: false, headers: page.headers });
        return;
      }
      case 'api':
        if (rest === '') await this.#discover(exchange, 'api');
        else await this.#document(exchange, discovery.resources('', rest));
        return;
      case 'apis': {
        const [group = '', groupVersion] = rest.split('/');
        if (rest === '') await this.#discover(exchange, 'apis');
        else await this.#document(exchange, groupVersion === undefined ? discovery.group(group) : discovery.resources(group, groupVersion));
        return;
      }
      case '':
        if (rest !== '') break;
        await this.#object(exchange, { paths: this.#paths() });
        return;
      default:
    }
    throw notFound();
  }

  /** The aggregated document where the client takes it, under the label that it asked for; else the legacy one. */
  async #discover(exchange: Exchange, root: 'api' | 'apis'): Promise<void> {
    const { discovery } = this.#options;
    for (const media of parseAccept(exchange.header('accept'))) {
      if (media.type !== 'application/json' && media.type !== '*/*' && media.type !== 'application/*') continue;
      const as = media.parameters.get('as');
      if (as === undefined) break;
      const wanted = media.parameters.get('v');
      if (as !== 'APIGroupDiscoveryList' || media.parameters.get('g') !== 'apidiscovery.k8s.io') continue;
      if (wanted !== 'v2' && wanted !== 'v2beta1') continue;
      const type = `application/json;g=apidiscovery.k8s.io;v=${wanted};as=APIGroupDiscoveryList`;
      await this.#document(exchange, discovery.aggregated(root, wanted), type);
      return;
    }
    await this.#document(
      exchange,
      root === 'apis' ? discovery.groups() : discovery.versions(exchange.header('host') ?? exchange.header(':authority') ?? ''),
    );
  }

  async #document(exchange: Exchange, document: DiscoveryDocument | undefined, type?: string): Promise<void> {
    if (document === undefined) throw notFound();
    const headers = { etag: document.etag, vary: 'Accept' };
    if (exchange.header('if-none-match') === document.etag) {
      sendNotModified(exchange, headers);
      return;
    }
    if (type === undefined) {
      await this.#object(exchange, document.body, headers);
      return;
    }
    await sendBytes(exchange.response, 200, type, Buffer.from(JSON.stringify(document.body)), { gzip: exchange.acceptsGzip, headers });
  }

  async #object(exchange: Exchange, body: object, headers: ReplyHeaders = {}): Promise<void> {
    const form = negotiate(exchange.header('accept'), exchange.query, {
      encodings: ['json', 'yaml'],
      userAgent: exchange.header('user-agent'),
    });
    const type = form.encoding === 'json' ? 'application/json' : 'application/yaml';
    await sendBytes(exchange.response, 200, type, await encode(body, form, encodeProtobufBody), { gzip: exchange.acceptsGzip, headers });
  }

  async #openApi(exchange: Exchange, rest: string): Promise<void> {
    const { openApi } = this.#options;
    if (rest === 'v2') {
      for (const { type } of parseAccept(exchange.header('accept'))) {
        if (type.startsWith('application/com.github.proto-openapi.spec.v2')) {
          await this.#openApiDocument(exchange, openApi.v2Protobuf(), openApiV2Protobuf);
          return;
        }
        if (type === 'application/json' || type === 'application/*' || type === '*/*') {
          await this.#openApiDocument(exchange, openApi.v2Json(), 'application/json');
          return;
        }
      }
      throw notAcceptable(['application/json', openApiV2Protobuf]);
    }
    if (rest === 'v3') {
      await this.#object(exchange, openApi.index());
      return;
    }
    const document = rest.startsWith('v3/') ? openApi.v3(rest.slice(3)) : undefined;
    if (document === undefined) throw notFound();
    await this.#openApiDocument(exchange, document, 'application/json');
  }

  async #openApiDocument(exchange: Exchange, document: OpenApiDocument, type: string): Promise<void> {
    const headers = {
      etag: document.etag,
      vary: 'Accept',
      // Under the hash of its content a document never changes.
      ...(exchange.query.has('hash') ? { 'cache-control': 'public, immutable', expires: 'Fri, 31 Dec 2100 00:00:00 GMT' } : {}),
    };
    if (exchange.header('if-none-match') === document.etag) sendNotModified(exchange, headers);
    else await sendBytes(exchange.response, 200, type, document.bytes, { gzip: exchange.acceptsGzip, headers });
  }

  async #health(exchange: Exchange, endpoint: 'healthz' | 'livez' | 'readyz', only: string): Promise<void> {
    if (exchange.method !== 'GET' && exchange.method !== 'HEAD') throw methodNotAllowed();
    const { health, log } = this.#options;
    const report = await checkHealth(
      endpoint,
      health[endpoint],
      {
        ...(only === '' ? {} : { only }),
        verbose: flag(exchange.query, 'verbose'),
        exclude: exchange.query.getAll('exclude'),
      },
      (check, message) => log.warn('a health check failed', { check, message }),
    );
    await sendBytes(exchange.response, report.code, 'text/plain; charset=utf-8', Buffer.from(report.text), {
      gzip: false,
      headers: { 'x-content-type-options': 'nosniff' },
    });
  }

  #paths(): string[] {
    const { discovery, health } = this.#options;
    const versions = discovery.groupVersions().map(([group, version]) => (group === '' ? `/api/${version}` : `/apis/${group}/${version}`));
    const checks = (['healthz', 'livez', 'readyz'] as const).flatMap((endpoint) => [
      `/${endpoint}`,
      ...health[endpoint].map((check) => `/${endpoint}/${check.name}`),
    ]);
    const pages = [discoveryPath, keySetPath, '/metrics', '/openapi/v2', '/openapi/v3', '/version'];
    return ['/api', '/apis', ...versions, ...checks, ...pages].toSorted();
  }
}

function sendNotModified(exchange: Exchange, headers: ReplyHeaders): void {
  exchange.response.writeHead(304, headers);
  exchange.response.end();
}
