/**
 * Requests on resources: path, method, query and body become an `ApiRequest`, the verbs' answer becomes a reply in the form that
 * the client takes. No rule of the API is here; those are the verbs'.
 */

import { parseFieldSelector, requiredFieldValue } from '#api/field-selector';
import { judgeFields } from '#api/schema/decode';
import { nameAndAge } from '#api/table-columns';
import type { Clock } from '#base/clock';
import { StatusError } from '#base/errors';
import { Turns } from '#base/turns';
import type { ApiRequest, NamedTarget, PatchType, Target, WatchRequest, WriteOptions } from '#client/transport';
import type { UserInfo } from '../request-context.ts';
import type { Answer, ServedList, ServedObject } from '../verbs/answer.ts';
import type { Verbs } from '../verbs/verbs.ts';
import { BodyDecoder, readBody } from './body.ts';
import type { Exchange } from './exchange.ts';
import type { FlowControl } from './flow-control.ts';
import { listBody, listPieces } from './list-form.ts';
import { type Encoding, encodingTypes, negotiate, parseMediaType, type ReplyForm, type Shape, unsupportedMediaType } from './media-type.ts';
import type { ApiMetrics, RequestLabels } from './metrics.ts';
import type { ResourcePath } from './path.ts';
import { decodeProtobufBody, encodeProtobufBody, encodeProtobufList, hasProtobuf } from './protobuf.ts';
import type { PublishedResource } from './published-resources.ts';
import { flag, parseDeleteOptions, parseListOptions, parseWatchOptions, parseWriteOptions } from './query.ts';
import { encode, sendBytes, sendPieces, warningHeaders } from './reply.ts';
import { makeRow, makeTable, parseIncludeObject, partialMetadata } from './table.ts';
import { offeredProtocols } from './upgrade.ts';
import { type WatchForm, WatchFrames } from './watch-frames.ts';
import { WatchRounds } from './watch-rounds.ts';
import { streamToSocket, type WatchUpgrade } from './watch-socket.ts';
import { streamWatch } from './watch-stream.ts';
import { acceptanceOf } from './web-socket.ts';
import { yamlWriter } from './yaml-writer.ts';

const patchTypes: Readonly<Record<string, PatchType>> = {
  'application/json-patch+json': 'json',
  'application/merge-patch+json': 'merge',
  'application/strategic-merge-patch+json': 'strategic',
};

/** Watches without a timeout of their own end after half an hour to an hour, so that load spreads again over servers. */
const watchTimeout = 1800;

export interface ResourceHandlerOptions {
  readonly verbs: Verbs;
  readonly metrics: ApiMetrics;
  readonly flowControl: FlowControl;
  readonly clock: Clock;
  /** Aborted when the server stops: watches end. */
  readonly stopping: AbortSignal;
}

export class ResourceHandler {
  readonly #options: ResourceHandlerOptions;
  readonly #bodies: BodyDecoder;
  readonly #rounds: WatchRounds;
  /** Of long lists. */
  readonly #turns = new Turns();
  readonly #frames = new Map<string, WatchFrames>();

  constructor(options: ResourceHandlerOptions) {
    this.#options = options;
    this.#rounds = new WatchRounds(options.clock);
    this.#bodies = new BodyDecoder(options.clock, decodeProtobufBody);
    options.stopping.addEventListener('abort', () => void this.#bodies.close(), { once: true });
  }

  async handle(exchange: Exchange, user: UserInfo, path: ResourcePath, served: PublishedResource): Promise<void> {
    const { clock, flowControl, metrics } = this.#options;
    checkScope(path, served, exchange.method);
    const resource = viewOf(path, served);
    const verb = verbOf(exchange, path);
    const labels = labelsOf(exchange, path, verb);
    const list = `${path.group}/${path.plural}/${path.namespace ?? ''}`;
    try {
      const turn = flowControl.enterFor(exchange, user, verb, list);
      if (turn !== undefined) await turn;
    } catch (error) {
      metrics.finished(labels, codeOf(error), undefined);
      throw error;
    }
    if (verb === 'WATCH') {
      await this.#watch(exchange, user, path, resource, labels);
      return;
    }
    const started = clock.monotonic();
    const end = metrics.begin(exchange.method !== 'GET');
    try {
      const form = negotiate(exchange.header('accept'), exchange.query, {
        encodings: encodingsOf(path, resource),
        shapes: shapesOf(verb),
        userAgent: exchange.header('user-agent'),
      });
      const request = await this.#request(exchange, path, resource, verb);
      const answer = await this.#options.verbs.send(exchange.contextFor(user, verb === 'LIST' || verb === 'DELETECOLLECTION'), request);
      if (answer.type === 'list') flowControl.listed(list, answer.list.items.length);
      await this.#reply(exchange, form, resource, answer);
      exchange.answered();
      metrics.finished(labels, answer.type === 'list' ? 200 : answer.code, (clock.monotonic() - started) / 1000);
    } catch (error) {
      metrics.finished(labels, codeOf(error), (clock.monotonic() - started) / 1000);
      throw error;
    } finally {
      end();
    }
  }

  async #request(exchange: Exchange, path: ResourcePath, resource: PublishedResource, verb: string): Promise<ApiRequest> {
    const { query } = exchange;
    const { namespace, name = '', subresource } = path;
    const target: Target = namespace === undefined ? { resource: resource.type } : { resource: resource.type, namespace };
    const named: NamedTarget = subresource === undefined ? { ...target, name } : { ...target, name, subresource };
    switch (verb) {
      case 'GET': {
        const resourceVersion = query.get('resourceVersion');
        return { verb: 'get', ...named, ...(resourceVersion === null ? {} : { resourceVersion }) };
      }
      case 'LIST':
        return { verb: 'list', ...target, options: parseListOptions(query) };
      case 'POST': {
        const options = parseWriteOptions(query, 'CreateOptions');
        const object = await this.#object(exchange, options);
        return {
          verb: 'create',
          ...target,
          object,
          options,
          ...(path.name === undefined ? {} : { name: path.name }),
          ...(path.subresource === undefined ? {} : { subresource: path.subresource }),
        };
      }
      case 'PUT': {
        const options = parseWriteOptions(query, 'UpdateOptions');
        return { verb: 'update', ...named, object: await this.#object(exchange, options), options };
      }
      case 'PATCH': {
        const type = parseMediaType(exchange.header('content-type') ?? '')?.type ?? '';
        const patchType = patchTypes[type];
        if (patchType === undefined) throw unsupportedMediaType(Object.keys(patchTypes));
        const options = parseWriteOptions(query, 'PatchOptions');
        const { value, duplicates } = await this.#bodies.decodeJson(await bodyOf(exchange));
        warnOfFields(exchange, options, duplicates);
        return { verb: 'patch', ...named, patchType, patch: value, options };
      }
      case 'DELETE':
        return { verb: 'delete', ...named, options: parseDeleteOptions(query, await this.#optionalObject(exchange)) };
      default:
        return {
          verb: 'deletecollection',
          ...target,
          options: { ...parseListOptions(query), ...parseDeleteOptions(query, await this.#optionalObject(exchange)) },
        };
    }
  }

  async #object(exchange: Exchange, options: WriteOptions): Promise<object> {
    const { value, duplicates } = await this.#bodies.decode(await bodyOf(exchange), exchange.header('content-type'));
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw new StatusError('BadRequest', 'the body must be one object');
    }
    warnOfFields(exchange, options, duplicates);
    return value;
  }

  /** DeleteOptions, where any are sent. */
  async #optionalObject(exchange: Exchange): Promise<object | undefined> {
    const bytes = await bodyOf(exchange);
    if (bytes.length === 0) return undefined;
    const { value } = await this.#bodies.decode(bytes, exchange.header('content-type'));
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw new StatusError('BadRequest', 'the body of a delete must be DeleteOptions');
    }
    return value;
  }

  async #reply(exchange: Exchange, form: ReplyForm, resource: PublishedResource, answer: Answer): Promise<void> {
    const { response } = exchange;
    const options = { gzip: exchange.acceptsGzip, headers: warningHeaders(exchange.warnings) };
    const type = encodingTypes[form.encoding];
    if (answer.type === 'list') {
      await this.#replyList(exchange, form, resource, answer.list);
      return;
    }
    const { code } = answer;
    if (answer.type === 'object' && form.shape === 'object' && form.encoding === 'json' && !form.pretty) {
      await sendBytes(response, code, type, answer.object.bytes, options);
      return;
    }
    const body = answer.type === 'status' ? answer.status : this.#shaped(exchange, form, resource, answer.object);
    await sendBytes(response, code, type, await encode(body, form, encodeProtobufBody), options);
  }

  #shaped(exchange: Exchange, form: ReplyForm, resource: PublishedResource, served: ServedObject): object {
    const { object } = served;
    if (form.shape === 'PartialObjectMetadata') return partialMetadata(object, form.version);
    if (form.shape !== 'Table') return object;
    const include = parseIncludeObject(exchange.query);
    const row = makeRow(resource, object, include, form.version, this.#options.clock.now());
    const { resourceVersion } = object.metadata;
    return makeTable(form.version, resourceVersion === undefined ? {} : { resourceVersion }, resource.columns.columns, [row]);
  }

  async #replyList(exchange: Exchange, form: ReplyForm, resource: PublishedResource, list: ServedList): Promise<void> {
    const { response, query } = exchange;
    const options = {
      gzip: exchange.acceptsGzip && list.items.length > 20,
      headers: warningHeaders(exchange.warnings),
      turns: this.#turns,
      untilClient: (drained: Promise<void>) => exchange.untilClient(drained),
    };
    const type = encodingTypes[form.encoding];
    const listForm = {
      form,
      resource,
      include: form.shape === 'Table' ? parseIncludeObject(query) : ('Metadata' as const),
      now: this.#options.clock.now(),
      yaml: form.encoding === 'yaml' ? await yamlWriter() : undefined,
    };
    if (form.encoding !== 'protobuf') await sendPieces(response, 200, type, listPieces(list, listForm), options);
    else if (form.shape === 'object') await sendPieces(response, 200, type, await encodeProtobufList(list, this.#turns), options);
    else await sendBytes(response, 200, type, encodeProtobufBody(listBody(list, listForm)), options);
  }

  async #watch(exchange: Exchange, user: UserInfo, path: ResourcePath, resource: PublishedResource, labels: RequestLabels): Promise<void> {
    const { clock, metrics, stopping, verbs } = this.#options;
    const { query, response } = exchange;
    // YAML has no form for events that come one by one.
    const encodings = encodingsOf(path, resource).filter((encoding) => encoding !== 'yaml');
    const form = negotiate(exchange.header('accept'), query, { encodings, shapes: shapesOf('GET') });
    const frames = this.#framesFor({ form, resource, include: form.shape === 'Table' ? parseIncludeObject(query) : 'Metadata' }, path);
    const request = watchRequest(path, resource, query);
    exchange.becomeLongRunning();
    const signal = AbortSignal.any([exchange.signal, stopping]);
    const end = metrics.beginLongRunning(labels);
    try {
      const events = await verbs.watch({ ...exchange.contextFor(user, true), signal }, request, signal);
      exchange.seat?.leave();
      await streamWatch({
        response,
        contentType: form.encoding === 'protobuf' ? `${encodingTypes.protobuf};stream=watch` : encodingTypes[form.encoding],
        events,
        frames,
        rounds: this.#rounds,
        clock,
        signal,
        written: metrics.watchEvents(resource),
      });
      metrics.finished(labels, 200, undefined);
    } catch (error) {
      metrics.finished(labels, codeOf(error), undefined);
      throw error;
    } finally {
      end();
    }
  }

  /** A watch over a WebSocket. Throws `StatusError` while it is not accepted yet. */
  async watchSocket(
    upgrade: WatchUpgrade,
    user: UserInfo,
    path: ResourcePath,
    query: URLSearchParams,
    resource: PublishedResource,
  ): Promise<void> {
    const { clock, flowControl, metrics, stopping, verbs } = this.#options;
    checkScope(path, resource, 'GET');
    const { group, version, plural } = path;
    const scope = path.namespace === undefined ? 'cluster' : 'namespace';
    const labels: RequestLabels = { verb: 'WATCH', group, version, resource: plural, subresource: '', scope, dryRun: false };
    const form = negotiate(upgrade.request.headers.accept, query, { encodings: ['json'], shapes: shapesOf('GET') });
    const frames = this.#framesFor({ form, resource, include: form.shape === 'Table' ? parseIncludeObject(query) : 'Metadata' }, path);
    const acceptance = acceptanceOf(upgrade.request, offeredProtocols(upgrade.request.headers['sec-websocket-protocol'] ?? '')[0]);
    const gone = new AbortController();
    const release = (): void => gone.abort(new DOMException('the client has gone', 'AbortError'));
    upgrade.socket.once('close', release);
    const signal = AbortSignal.any([gone.signal, stopping]);
    const end = metrics.beginLongRunning(labels);
    try {
      const seat = await flowControl.seatFor(user, signal);
      const watched = verbs.watch({ user, warn: () => undefined, signal }, watchRequest(path, resource, query), signal);
      const events = await watched.finally(() => seat.leave());
      const written = metrics.watchEvents(resource);
      await streamToSocket({ ...upgrade, acceptance, events, frames, rounds: this.#rounds, clock, signal, release, written });
      metrics.finished(labels, 101, undefined);
    } catch (error) {
      metrics.finished(labels, codeOf(error), undefined);
      throw error;
    } finally {
      upgrade.socket.removeListener('close', release);
      end();
    }
  }

  /** The same for the same form, so that what is encoded for one watch serves the others. */
  #framesFor(form: WatchForm, path: ResourcePath): WatchFrames {
    const { encoding, shape, version } = form.form;
    const key = [path.group, path.version, path.plural, path.subresource, encoding, shape, version, form.include].join('/');
    let frames = this.#frames.get(key);
    if (frames === undefined) {
      frames = new WatchFrames(form, this.#options.clock);
      this.#frames.set(key, frames);
    }
    return frames;
  }
}

function bodyOf(exchange: Exchange): Promise<Buffer> {
  return exchange.untilClient(readBody(exchange.request));
}

function codeOf(error: unknown): number {
  return error instanceof StatusError ? error.code : 500;
}

function warnOfFields(exchange: Exchange, options: WriteOptions, duplicates: readonly string[]): void {
  if (duplicates.length === 0) return;
  const mode = options.fieldValidation ?? 'Ignore';
  exchange.warnings.push(...judgeFields([], { fieldValidation: mode, duplicateFields: duplicates }));
}

/** A resource of the cluster is not found below a namespace, and one object of a namespaced one not outside of one. */
function checkScope(path: ResourcePath, resource: PublishedResource, method: string): void {
  if (path.namespace !== undefined && !resource.namespaced) throw notFound();
  if (path.namespace === undefined && resource.namespaced) {
    if (path.name !== undefined) throw notFound();
    if (method !== 'GET') throw methodNotAllowed();
  }
  if (path.rest !== undefined) throw notFound();
  if (path.subresource !== undefined) {
    const subresource = resource.subresources.find((candidate) => candidate.name === path.subresource);
    if (subresource === undefined) throw notFound();
  }
}

/** A subresource with a kind of its own has its own columns too: name and age. */
function viewOf(path: ResourcePath, resource: PublishedResource): PublishedResource {
  if (path.subresource === undefined) return resource;
  const subresource = resource.subresources.find((candidate) => candidate.name === path.subresource);
  if (subresource === undefined || subresource.kind.kind === resource.kind) return resource;
  return { ...resource, columns: nameAndAge, columnForm: (object) => object };
}

/** Whether the request, which would have a WebSocket, is one for a watch. */
export function isWatch(method: string | undefined, path: ResourcePath, query: URLSearchParams): boolean {
  return method === 'GET' && (path.watch || (path.name === undefined && flag(query, 'watch')));
}

function watchRequest(path: ResourcePath, resource: PublishedResource, query: URLSearchParams): WatchRequest {
  const options = parseWatchOptions(query);
  return {
    verb: 'watch',
    resource: resource.type,
    ...(path.namespace === undefined ? {} : { namespace: path.namespace }),
    options: {
      ...options,
      ...(path.name === undefined ? {} : { fieldSelector: selectorOfName(path.name, options.fieldSelector) }),
      timeoutSeconds: options.timeoutSeconds ?? watchTimeout + Math.floor(Math.random() * watchTimeout),
    },
  };
}

/** The old spelling of a watch of one object names it in the path. Throws `BadRequest` where the selector asks for another. */
function selectorOfName(name: string, selector = ''): string {
  const own = `metadata.name=${name}`;
  if (selector === '') return own;
  const selected = requiredFieldValue(parseFieldSelector(selector), 'metadata.name');
  if (selected !== name) throw new StatusError('BadRequest', "fieldSelector metadata.name doesn't match requested name");
  return selector;
}

/** Kubernetes' word for what a method means on a path, in capitals as its metrics have it. Throws `MethodNotAllowed`. */
function verbOf(exchange: Exchange, path: ResourcePath): string {
  const named = path.name !== undefined;
  switch (exchange.method) {
    case 'GET':
      if (named && !path.watch) return 'GET';
      return path.watch || flag(exchange.query, 'watch') ? 'WATCH' : 'LIST';
    case 'POST':
      if (named && path.subresource === undefined) throw methodNotAllowed();
      return 'POST';
    case 'PUT':
    case 'PATCH':
      if (!named) throw methodNotAllowed();
      return exchange.method;
    case 'DELETE':
      return named ? 'DELETE' : 'DELETECOLLECTION';
    default:
      throw methodNotAllowed();
  }
}

function labelsOf(exchange: Exchange, path: ResourcePath, verb: string): RequestLabels {
  return {
    verb,
    group: path.group,
    version: path.version,
    resource: path.plural,
    subresource: path.subresource ?? '',
    scope: path.name !== undefined ? 'resource' : path.namespace !== undefined ? 'namespace' : 'cluster',
    dryRun: exchange.query.has('dryRun'),
  };
}

const withProtobuf: readonly Encoding[] = ['json', 'yaml', 'protobuf'];
const withoutProtobuf: readonly Encoding[] = ['json', 'yaml'];

function encodingsOf({ subresource }: ResourcePath, resource: PublishedResource): readonly Encoding[] {
  const own = subresource === undefined ? undefined : resource.subresources.find((candidate) => candidate.name === subresource);
  const kind = own?.kind ?? resource;
  return hasProtobuf(kind.group, kind.version, kind.kind) ? withProtobuf : withoutProtobuf;
}

const listShapes: readonly Shape[] = ['Table', 'PartialObjectMetadataList'];
const objectShapes: readonly Shape[] = ['Table', 'PartialObjectMetadata'];

function shapesOf(verb: string): readonly Shape[] {
  return verb === 'LIST' ? listShapes : objectShapes;
}

export function notFound(): StatusError {
  return new StatusError('NotFound', 'the server could not find the requested resource', { details: {} });
}

export function methodNotAllowed(): StatusError {
  return new StatusError('MethodNotAllowed', 'the server does not allow this method on the requested resource', { details: {} });
}
