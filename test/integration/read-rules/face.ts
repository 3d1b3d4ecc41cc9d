/** The API over real TLS on a store of the test's choice, with a short memory and a clock that can be moved: for the rules of reading. */
import { mkdtemp, rm } from 'node:fs/promises';
import type { ClientHttp2Session, OutgoingHttpHeaders } from 'node:http2';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Registry } from 'prom-client';
import { kindRegistry } from '#api/kinds/index';
import { createAdmissionSteps } from '#apiserver/admission/index';
import { openPki, servingHosts } from '#apiserver/auth/pki';
import { createAuthorizers } from '#apiserver/authorization/index';
import { boundPodsOf } from '#apiserver/bound-pods';
import { createApiServer } from '#apiserver/http/create-api-server';
import { indexers } from '#apiserver/indexers';
import { Verbs } from '#apiserver/verbs/verbs';
import { systemClock } from '#base/clock';
import { silentLogger } from '#base/logging';
import type { ConnectionOptions } from '#client/kubeconfig';
import type { Backend } from '#storage/backend';
import { Store } from '#storage/store';
import { WatchCache } from '#storage/watch-cache';
import { SkippingClock } from '../../harness/skipping-clock.ts';
import { openSession, type RawReply, replyOf, until } from '../raw-client.ts';

/** An object, list, Status or Table, as it came. */
export interface Body {
  readonly kind: string;
  readonly apiVersion: string;
  readonly metadata: Record<string, unknown> & { readonly resourceVersion?: string; readonly name?: string };
  readonly items: readonly Body[];
  readonly rows: readonly { readonly cells: readonly unknown[]; readonly object?: Body }[];
  readonly columnDefinitions: readonly { readonly name: string }[];
  readonly [field: string]: unknown;
}

export interface WireEvent {
  readonly type: string;
  readonly object: Body;
}

export interface Face {
  readonly connection: ConnectionOptions;
  readonly session: ClientHttp2Session;
  readonly clock: SkippingClock;
  readonly store: Store;
  ask(path: string, headers?: OutgoingHttpHeaders): Promise<RawReply>;
  send(method: string, path: string, body?: unknown, headers?: OutgoingHttpHeaders): Promise<RawReply>;
  /** The parsed reply; throws unless it is a success. */
  get(path: string): Promise<Body>;
  /** Creates it, whatever it is; gives what was made. Throws unless it was. */
  create(collection: string, object: object): Promise<Body>;
  /** A merge patch. Throws unless it was made. */
  patch(path: string, patch: object): Promise<Body>;
  remove(path: string): Promise<Body>;
  /** Opens a watch; resolves when it is answered. */
  watch(path: string, headers?: OutgoingHttpHeaders): Promise<OpenWatch>;
  /** Lets go of all revisions up to now, in the cache's memory of this resource and in the store. Writes objects of it into the namespace. */
  forget(collection: string, object: (name: string) => object): Promise<void>;
  stop(): Promise<void>;
}

export interface OpenWatch {
  readonly status: number;
  readonly headers: Record<string, unknown>;
  /** The next event; throws at the end of the watch, or when none comes for very long. */
  next(): Promise<WireEvent>;
  /** What is left until the watch ends by itself. */
  rest(): Promise<readonly WireEvent[]>;
  close(): void;
}

const windowEvents = 8;
const json = { 'content-type': 'application/json' };
const mergePatch = { 'content-type': 'application/merge-patch+json' };

export async function startFace(backend: Backend): Promise<Face> {
  const directory = await mkdtemp(join(tmpdir(), 'berth-face-'));
  const clock = new SkippingClock();
  const cache = new WatchCache({ backend, clock, indexers, windowEvents });
  const store = new Store(backend, cache);
  const authorizers = createAuthorizers(boundPodsOf(cache));
  const verbs = new Verbs({
    store,
    registry: kindRegistry,
    admission: createAdmissionSteps({ backend, cache }),
    authorizers,
    clock,
    indexers,
  });
  const stop = new AbortController();
  const caching = cache.run(stop.signal);
  caching.catch(() => undefined);
  const pki = await openPki({ directory, hosts: servingHosts([], '10.43.0.1', 'cluster.local'), clock: systemClock });
  const server = createApiServer({
    verbs,
    authorizers,
    connector: { connect: () => Promise.reject(new Error('there are no nodes')) },
    certificate: pki.serving,
    clientAuthority: pki.authority.certificatePem,
    host: '127.0.0.1',
    port: 0,
    clock,
    log: silentLogger,
    registry: new Registry(),
    health: { livez: [], healthz: [], readyz: [] },
    berthVersion: '0.0.0',
  });
  const { port } = await server.listen();
  const connection: ConnectionOptions = {
    server: `https://127.0.0.1:${port}`,
    certificateAuthority: pki.authority.certificatePem,
    clientCertificate: pki.admin.certificate,
    clientKey: pki.admin.privateKey,
  };
  const session = openSession(connection);
  const send: Face['send'] = (method, path, body, headers = json) => {
    const stream = session.request({ ':method': method, ':path': path, ...headers }, { endStream: body === undefined });
    if (body !== undefined) stream.end(typeof body === 'string' || body instanceof Uint8Array ? body : JSON.stringify(body));
    return replyOf(stream);
  };
  const succeed = async (method: string, path: string, body?: unknown, headers?: OutgoingHttpHeaders): Promise<Body> => {
    const reply = await send(method, path, body, headers);
    if (reply.status >= 300 || reply.status === 0) throw new Error(`${method} ${path}: ${reply.status} ${reply.text}`);
    return JSON.parse(reply.text) as Body;
  };
  const face: Face = {
    connection,
    session,
    clock,
    store,
    ask: (path, headers = {}) => send('GET', path, undefined, headers),
    send,
    get: (path) => succeed('GET', path),
    create: (collection, object) => succeed('POST', collection, object),
    patch: (path, patch) => succeed('PATCH', path, patch, mergePatch),
    remove: (path) => succeed('DELETE', path),
    watch: (path, headers = {}) => openWatch(session, path, headers),
    forget: async (collection, object) => {
      // The window is cut when it has grown by some events beyond its size.
      const names = Array.from({ length: windowEvents + 80 }, (_, number) => `filler-${number}`);
      await Promise.all(names.map((name) => face.create(collection, object(name))));
      await backend.compact(await backend.revision());
      await cache.reachNewest();
    },
    stop: async () => {
      session.close();
      const ended = new AbortController();
      const running = server.run(ended.signal);
      ended.abort();
      await running;
      stop.abort();
      await caching;
      await backend.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
  return face;
}

async function openWatch(session: ClientHttp2Session, path: string, headers: OutgoingHttpHeaders): Promise<OpenWatch> {
  const stream = session.request({ ':path': path, ...headers });
  stream.on('error', () => undefined);
  const events: WireEvent[] = [];
  let buffered = '';
  let ended = false;
  let wake: () => void = () => undefined;
  stream.setEncoding('utf8');
  stream.on('data', (chunk: string) => {
    const lines = (buffered + chunk).split('\n');
    buffered = lines.pop() ?? '';
    for (const line of lines) events.push(JSON.parse(line) as WireEvent);
    wake();
  });
  stream.on('close', () => {
    ended = true;
    wake();
  });
  const answered = await new Promise<Record<string, unknown>>((resolve) => {
    stream.once('response', (given) => resolve(given as Record<string, unknown>));
    stream.once('close', () => resolve({}));
  });
  let taken = 0;
  const more = async (): Promise<void> => {
    if (taken < events.length || ended) return;
    await new Promise<void>((resolve, reject) => {
      const limit = setTimeout(() => reject(new Error(`no event came on ${path}`)), 120_000);
      wake = () => {
        clearTimeout(limit);
        resolve();
      };
    });
    await more();
  };
  return {
    status: Number(answered[':status'] ?? 0),
    headers: answered,
    next: async () => {
      await more();
      const event = events[taken++];
      if (event === undefined) throw new Error(`the watch ended: ${path} ${buffered}`);
      return event;
    },
    rest: async () => {
      await until(true, () => ended);
      return events.slice(taken);
    },
    close: () => stream.close(),
  };
}
