/** The HTTP face over real TLS, asked by hand: forms of replies and bodies, bounds, bad input, watches, health. */
import { type ClientHttp2Session, connect, type OutgoingHttpHeaders } from 'node:http2';
import { request as httpsRequest } from 'node:https';
import { connect as tlsConnect } from 'node:tls';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { decodeProtobuf, encodeProtobuf } from '#api/protobuf/envelope';
import { configMaps } from '#api/shapes/resources';
import { startCluster, type TestCluster } from '#server/testing';

interface Reply {
  readonly status: number;
  readonly headers: Record<string, string | string[] | undefined>;
  readonly bytes: Buffer;
  readonly text: string;
  json(): Record<string, unknown>;
}

let cluster: TestCluster;
let session: ClientHttp2Session;
const collection = '/api/v1/namespaces/default/configmaps';

beforeAll(async () => {
  cluster = await startCluster({ components: { scheduler: false, controllers: false, dispatcher: false } });
  const { certificateAuthority: ca, clientCertificate: cert, clientKey: key } = cluster.connection;
  session = connect(cluster.url, { ca: ca!, cert: cert!, key: key! });
});
afterAll(async () => {
  session.close();
  await cluster.stop();
});

function ask(method: string, path: string, headers: OutgoingHttpHeaders = {}, body?: string | Uint8Array, on = session): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const stream = on.request({ ':method': method, ':path': path, ...headers }, { endStream: body === undefined });
    const chunks: Buffer[] = [];
    let answered: Reply['headers'] & { ':status'?: number } = {};
    stream.on('response', (given) => {
      answered = given as typeof answered;
    });
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.on('error', reject);
    stream.on('end', () => {
      const bytes = Buffer.concat(chunks);
      const text = bytes.toString();
      resolve({
        status: answered[':status'] ?? 0,
        headers: answered,
        bytes,
        text,
        json: () => JSON.parse(text) as Record<string, unknown>,
      });
    });
    if (body !== undefined) stream.end(body);
  });
}

const create = (object: object, query = '', headers: OutgoingHttpHeaders = {}): Promise<Reply> =>
  ask('POST', `${collection}${query}`, { 'content-type': 'application/json', ...headers }, JSON.stringify(object));
const configMap = (name: string, data: object = { k: 'v' }): object => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data });

describe('forms', () => {
  beforeAll(async () => {
    expect((await create(configMap('forms'))).status).toBe(201);
  });

  test('JSON, YAML and protobuf go both ways', async () => {
    expect((await ask('GET', `${collection}/forms`)).headers['content-type']).toBe('application/json');
    const yaml = await ask('GET', `${collection}/forms`, { accept: 'application/yaml' });
    expect(yaml.headers['content-type']).toBe('application/yaml');
    expect(yaml.text).toContain('kind: ConfigMap');
    const binary = await ask('GET', `${collection}/forms`, { accept: 'application/vnd.kubernetes.protobuf' });
    expect(binary.headers['content-type']).toBe('application/vnd.kubernetes.protobuf');
    expect(decodeProtobuf('core.v1.ConfigMap', binary.bytes)).toMatchObject({
      kind: 'ConfigMap',
      metadata: { name: 'forms' },
      data: { k: 'v' },
    });
    const body = encodeProtobuf('core.v1.ConfigMap', configMap('from-protobuf') as { apiVersion: string; kind: string });
    expect((await ask('POST', collection, { 'content-type': 'application/vnd.kubernetes.protobuf' }, body)).status).toBe(201);
    const text = 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: from-yaml}\ndata: {date: 2001-01-01}\n';
    const made = await ask('POST', collection, { 'content-type': 'application/yaml' }, text);
    expect(made).toMatchObject({ status: 201 });
    expect(made.json()).toMatchObject({ data: { date: '2001-01-01' } });
  });

  test('lists, tables and bare metadata', async () => {
    const list = await ask('GET', collection);
    expect(list.json()).toMatchObject({ kind: 'ConfigMapList', apiVersion: 'v1', metadata: { resourceVersion: expect.any(String) } });
    const binary = await ask('GET', collection, { accept: 'application/vnd.kubernetes.protobuf' });
    const decoded = decodeProtobuf('core.v1.ConfigMapList', binary.bytes) as { items: object[] };
    expect(decoded.items.length).toBe((list.json().items as object[]).length);
    const accept = 'application/json;as=Table;v=v1;g=meta.k8s.io';
    const table = (await ask('GET', `${collection}?includeObject=None`, { accept })).json();
    expect(table).toMatchObject({
      kind: 'Table',
      apiVersion: 'meta.k8s.io/v1',
      columnDefinitions: expect.arrayContaining([expect.objectContaining({ name: 'Name', format: 'name' })]),
    });
    expect(table.rows).toContainEqual({ cells: expect.arrayContaining(['forms']) });
    const one = (await ask('GET', `${collection}/forms`, { accept })).json() as { rows: { object: object }[] };
    expect(one.rows[0]?.object).toMatchObject({ kind: 'PartialObjectMetadata', metadata: { name: 'forms' } });
    const bare = await ask('GET', collection, { accept: 'application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io' });
    expect(bare.json()).toMatchObject({ kind: 'PartialObjectMetadataList', apiVersion: 'meta.k8s.io/v1' });
    expect(bare.text).not.toContain('"data"');
  });

  test('long replies are compressed for those who ask', async () => {
    for (let number = 0; number < 30; number++) await create(configMap(`long-${number}`, { text: 'x'.repeat(10_000) }));
    const reply = await ask('GET', collection, { 'accept-encoding': 'gzip' });
    expect(reply.headers['content-encoding']).toBe('gzip');
    expect((JSON.parse(gunzipSync(reply.bytes).toString()) as { items: object[] }).items.length).toBeGreaterThanOrEqual(30);
    expect((await ask('GET', collection, { 'accept-encoding': 'gzip;q=0' })).headers['content-encoding']).toBeUndefined();
    expect((await ask('GET', `${collection}/forms`, { 'accept-encoding': 'gzip' })).headers['content-encoding']).toBeUndefined();
  });

  test('what is not to be had is refused with what there is', async () => {
    const reply = await ask('GET', `${collection}/forms`, { accept: 'text/html' });
    expect(reply).toMatchObject({ status: 406 });
    expect(reply.json()).toMatchObject({ kind: 'Status', reason: 'NotAcceptable', code: 406 });
    expect(await ask('POST', collection, { 'content-type': 'text/plain' }, 'x')).toMatchObject({ status: 415 });
    expect((await ask('PATCH', `${collection}/forms`, { 'content-type': 'application/apply-patch+yaml' }, '{}')).json()).toMatchObject({
      reason: 'UnsupportedMediaType',
      message: expect.stringContaining('application/strategic-merge-patch+json'),
    });
  });
});

describe('bodies that are wrong', () => {
  const post = (body: string | Uint8Array, type = 'application/json'): Promise<Reply> =>
    ask('POST', collection, { 'content-type': type }, body);

  test.each([
    ['no JSON', '{"a":'],
    ['no object', '[]'],
    ['null', 'null'],
    ['nothing', ''],
    ['deep JSON', '['.repeat(100_000)],
    ['deep closed JSON', `${'{"a":'.repeat(5000)}1${'}'.repeat(5000)}`],
    ['another kind', '{"apiVersion":"v1","kind":"Pod","metadata":{"name":"x"}}'],
    ['a wrong type', '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":5}}'],
  ])('%s is a bad request', async (_, body) => {
    const reply = await post(body);
    expect(reply).toMatchObject({ status: 400 });
    expect(reply.json()).toMatchObject({ kind: 'Status', reason: 'BadRequest' });
  });

  test.each([
    ['no YAML', 'a: [b'],
    ['deep YAML', '['.repeat(50_000)],
    [
      'a bomb',
      `a0: &a0 [x, x]\n${Array.from({ length: 30 }, (_, at) => `a${at + 1}: &a${at + 1} [*a${at}, *a${at}, *a${at}, *a${at}, *a${at}]`).join('\n')}`,
    ],
    ['two documents', 'a: 1\n---\nb: 2\n'],
  ])('%s is a bad request', async (_, body) => {
    expect((await post(body, 'application/yaml')).json()).toMatchObject({ reason: 'BadRequest' });
  });

  test('protobuf that is none is a bad request', async () => {
    for (const body of ['', 'k8s\0', 'k8s\0\n\u0001', 'hello', 'k8s\0\u00ff\u00ff\u00ff\u00ff']) {
      expect((await post(Buffer.from(body, 'latin1'), 'application/vnd.kubernetes.protobuf')).json()).toMatchObject({
        reason: 'BadRequest',
      });
    }
  });

  test('keys that occur twice are refused, warned of or let pass, as asked', async () => {
    const body = '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"twice"},"data":{"a":"1","a":"2"}}';
    const send = (mode: string): Promise<Reply> =>
      ask('POST', `${collection}?dryRun=All${mode}`, { 'content-type': 'application/json' }, body);
    expect((await send('&fieldValidation=Strict')).json()).toMatchObject({
      reason: 'BadRequest',
      message: expect.stringContaining('duplicate field "data.a"'),
    });
    expect((await send('')).headers.warning).toContain('duplicate field');
    expect((await send('&fieldValidation=Ignore')).headers.warning).toBeUndefined();
  });

  test('one over 3 MiB is refused, announced or not', async () => {
    const body = JSON.stringify(configMap('big', { k: 'x'.repeat(3 * 1024 * 1024) }));
    expect(await post(body)).toMatchObject({ status: 413 });
    const announced = await ask(
      'POST',
      collection,
      { 'content-type': 'application/json', 'content-length': String(4 * 1024 * 1024) },
      body,
    ).catch(() => undefined);
    if (announced !== undefined) expect(announced.status).toBe(413);
    expect((await ask('GET', '/healthz')).text).toBe('ok');
  });

  test('an object over 1.5 MB is refused, one below is stored', async () => {
    expect((await create(configMap('large', { k: 'x'.repeat(900_000) }))).status).toBe(201);
    expect((await create(configMap('larger', { k: 'x'.repeat(1_600_000) }))).json()).toMatchObject({
      kind: 'Status',
      code: expect.any(Number),
    });
    expect((await ask('GET', `${collection}/larger`)).status).toBe(404);
  });
});

describe('requests that are wrong', () => {
  test.each([
    ['GET', '/api/v1/nothing', 404],
    ['GET', '/apis/none/v1/x', 404],
    ['GET', '/apis/none', 404],
    ['GET', '/nothing', 404],
    ['GET', '/api/v1/namespaces/default/nodes', 404],
    ['GET', '/api/v1/pods/x', 404],
    ['GET', `${collection}/forms/status`, 404],
    ['GET', `${collection}/forms/a/b`, 404],
    ['POST', `${collection}/forms`, 405],
    ['PUT', collection, 405],
    ['TRACE', collection, 405],
    ['POST', '/api/v1/configmaps', 405],
    ['POST', '/version', 405],
    ['GET', '/api/v1/namespaces/%zz', 400],
    ['GET', `${collection}?limit=many`, 400],
    ['GET', `${collection}?labelSelector=a%20b%20c`, 400],
    ['GET', `${collection}?fieldSelector=data.x%3D1`, 400],
    ['GET', `${collection}?resourceVersion=abc`, 400],
    ['GET', `${collection}?continue=abc`, 400],
  ])('%s %s is %i, as a Status', async (method, path, code) => {
    const reply = await ask(method, path);
    expect({ status: reply.status, kind: reply.json().kind, code: reply.json().code }).toEqual({ status: code, kind: 'Status', code });
  });

  test('options name what they take', async () => {
    expect((await create(configMap('x'), '?dryRun=Some')).json()).toMatchObject({
      code: 422,
      reason: 'Invalid',
      message: expect.stringContaining('dryRun: Unsupported value: "Some"'),
    });
    expect(
      (await ask('DELETE', `${collection}/forms`, { 'content-type': 'application/json' }, '{"propagationPolicy":"Maybe"}')).json(),
    ).toMatchObject({ code: 422 });
    expect((await ask('DELETE', `${collection}/forms`, { 'content-type': 'application/json' }, '{"kind":"Pod"}')).json()).toMatchObject({
      code: 400,
    });
  });
});

describe('who asks', () => {
  test('nobody is told nothing but health', async () => {
    const anonymous = connect(cluster.url, { ca: cluster.connection.certificateAuthority! });
    try {
      expect((await ask('GET', '/healthz', {}, undefined, anonymous)).text).toBe('ok');
      expect((await ask('GET', '/readyz?verbose', {}, undefined, anonymous)).text).toMatch(/\[\+\]storage ok[\s\S]*readyz check passed/);
      expect((await ask('GET', '/livez/ping', {}, undefined, anonymous)).text).toBe('ok');
      expect((await ask('GET', '/livez/nothing', {}, undefined, anonymous)).status).toBe(404);
      for (const path of ['/api', '/metrics', '/version', '/openapi/v3', collection, '/nothing']) {
        const reply = await ask('GET', path, {}, undefined, anonymous);
        expect(reply).toMatchObject({ status: 401 });
        expect(reply.json()).toMatchObject({ reason: 'Unauthorized', message: 'Unauthorized' });
      }
    } finally {
      anonymous.close();
    }
  });

  test('a token that means nothing is refused, also beside a good certificate', async () => {
    expect((await ask('GET', collection, { authorization: 'Bearer nonsense' })).status).toBe(401);
  });

  test('a user without rights may discover and ask about itself', async () => {
    const { clientCertificate: cert, clientKey: key, certificateAuthority: ca } = await cluster.server.connectionFor('ann', ['team']);
    const ann = connect(cluster.url, { ca: ca!, cert: cert!, key: key! });
    try {
      expect((await ask('GET', '/api', {}, undefined, ann)).status).toBe(200);
      expect((await ask('GET', collection, {}, undefined, ann)).json()).toMatchObject({ reason: 'Forbidden' });
      expect((await ask('GET', '/metrics', {}, undefined, ann)).json()).toMatchObject({ reason: 'Forbidden' });
      expect(
        (await ask('GET', collection, { 'impersonate-user': 'berth-admin', 'impersonate-group': 'system:masters' }, undefined, ann)).json(),
      ).toMatchObject({
        reason: 'Forbidden',
        message: expect.stringContaining('cannot impersonate resource "users"'),
      });
    } finally {
      ann.close();
    }
  });

  test('a certificate of another authority is nobody', async () => {
    const other = await startCluster({ components: { scheduler: false, controllers: false, dispatcher: false } });
    try {
      const { clientCertificate: cert, clientKey: key } = other.connection;
      const stranger = connect(cluster.url, { ca: cluster.connection.certificateAuthority!, cert: cert!, key: key! });
      expect((await ask('GET', collection, {}, undefined, stranger)).status).toBe(401);
      stranger.close();
    } finally {
      await other.stop();
    }
  });
});

describe('discovery and documents', () => {
  const aggregated = (version: string): string => `application/json;g=apidiscovery.k8s.io;v=${version};as=APIGroupDiscoveryList`;

  test('come aggregated under the label that was asked for, or as they used to be', async () => {
    for (const version of ['v2', 'v2beta1']) {
      const reply = await ask('GET', '/apis', { accept: `${aggregated(version)},application/json` });
      expect(reply.headers['content-type']).toBe(aggregated(version));
      expect(reply.json()).toMatchObject({ kind: 'APIGroupDiscoveryList', apiVersion: `apidiscovery.k8s.io/${version}` });
    }
    expect((await ask('GET', '/apis')).json()).toMatchObject({ kind: 'APIGroupList' });
    expect((await ask('GET', '/api', { accept: 'application/json' })).json()).toMatchObject({ kind: 'APIVersions', versions: ['v1'] });
    expect((await ask('GET', '/apis/apps/v1')).json()).toMatchObject({ kind: 'APIResourceList', groupVersion: 'apps/v1' });
  });

  test('are not sent again to those who have them', async () => {
    for (const path of ['/apis', '/openapi/v2', '/openapi/v3/api/v1']) {
      const { etag } = (await ask('GET', path)).headers;
      expect(await ask('GET', path, { 'if-none-match': String(etag) })).toMatchObject({ status: 304, text: '' });
    }
  });

  test('OpenAPI v2 in protobuf has the type that clients can read', async () => {
    const reply = await ask('GET', '/openapi/v2', { accept: 'application/com.github.proto-openapi.spec.v2@v1.0+protobuf' });
    expect(reply.headers['content-type']).toBe('application/com.github.proto-openapi.spec.v2.v1.0+protobuf');
  });

  test('metrics count what was asked', async () => {
    await ask('GET', '/api/v1/nothing');
    await ask('GET', `${collection}/missing`);
    const { text } = await ask('GET', '/metrics');
    expect(text).toMatch(/^apiserver_request_total\{verb="GET",[^}]*resource="configmaps",[^}]*code="404"\} [1-9]/m);
    expect(text).toMatch(/^apiserver_request_duration_seconds_count\{verb="POST",[^}]*resource="configmaps"/m);
  });
});

describe('watches', () => {
  test('stream events as they come, in JSON, as tables and in protobuf, and end when their time is up', async () => {
    const { resourceVersion } = (await ask('GET', collection)).json().metadata as { resourceVersion: string };
    const path = `${collection}?watch=True&timeoutSeconds=4&resourceVersion=${resourceVersion}&fieldSelector=metadata.name%3Dwatched`;
    const plain = ask('GET', path);
    const table = ask('GET', path, { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' });
    const binary = ask('GET', path, { accept: 'application/vnd.kubernetes.protobuf' });
    await create(configMap('watched'));
    await ask('PATCH', `${collection}/watched`, { 'content-type': 'application/merge-patch+json' }, '{"data":{"k":"w"}}');
    await ask('DELETE', `${collection}/watched`);
    const lines = (text: string): { type: string; object: Record<string, unknown> }[] =>
      text
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as { type: string; object: Record<string, unknown> });
    expect(lines((await plain).text).map((event) => event.type)).toEqual(['ADDED', 'MODIFIED', 'DELETED']);
    const tables = lines((await table).text);
    expect(tables.map((event) => [event.type, event.object.kind, (event.object.columnDefinitions as object[]).length > 0])).toEqual([
      ['ADDED', 'Table', true],
      ['MODIFIED', 'Table', false],
      ['DELETED', 'Table', false],
    ]);
    const { headers, bytes } = await binary;
    expect(headers['content-type']).toBe('application/vnd.kubernetes.protobuf;stream=watch');
    let frames = 0;
    for (let at = 0; at < bytes.length; at += 4 + bytes.readUInt32BE(at)) frames++;
    expect(frames).toBe(3);
  });

  test('of a revision that is gone end with an event that says so; ones that make no sense are refused', async () => {
    const future = await ask('GET', `${collection}?watch=1&resourceVersion=999999999&timeoutSeconds=1`);
    expect(future.status === 200 ? JSON.parse(future.text) : { type: 'ERROR', object: future.json() }).toMatchObject({
      type: 'ERROR',
      object: { kind: 'Status' },
    });
    expect((await ask('GET', `${collection}?watch=1&sendInitialEvents=true`)).json()).toMatchObject({ reason: 'Invalid', code: 422 });
    expect((await ask('GET', `${collection}?watch=1&labelSelector=a%20b%20c`)).json()).toMatchObject({ reason: 'BadRequest' });
  });

  test('over HTTP/1.1 say that they have begun before anything happens', async () => {
    const { certificateAuthority: ca, clientCertificate: cert, clientKey: key } = cluster.connection;
    const first = await new Promise<string>((resolve, reject) => {
      const request = httpsRequest(
        `${cluster.url}${collection}?watch=1&fieldSelector=metadata.name%3Dlate`,
        { ca, cert, key },
        (response) => {
          expect(response.statusCode).toBe(200);
          response.once('data', (chunk: Buffer) => {
            resolve(chunk.toString());
            request.destroy();
          });
          create(configMap('late')).catch(reject);
        },
      );
      request.on('error', (error: NodeJS.ErrnoException) => (error.code === 'ECONNRESET' ? undefined : reject(error)));
      request.end();
    });
    expect(JSON.parse(first)).toMatchObject({ type: 'ADDED', object: { metadata: { name: 'late' } } });
  });

  test('of a client that does not read are dropped, and cost nobody else anything', async () => {
    const stream = session.request({ ':path': `${collection}?watch=1&labelSelector=slow` });
    await new Promise((resolve) => stream.once('response', resolve));
    const text = 'x'.repeat(1_000_000);
    for (let number = 0; number < 24; number++) {
      const made = await create({
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name: `slow-${number}`, labels: { slow: 'yes' } },
        data: { text },
      });
      expect(made.status).toBe(201);
    }
    let size = 0;
    stream.on('data', (chunk: Buffer) => {
      size += chunk.length;
    });
    await new Promise((resolve) => stream.once('end', resolve));
    expect(size).toBeLessThan(20_000_000);
    await ask('DELETE', `${collection}?labelSelector=slow`);
  });

  test('whose client goes away are over for the server too', async () => {
    const open = async (): Promise<number> => {
      const found = /^apiserver_longrunning_requests\{verb="WATCH",[^}]*resource="secrets"[^}]*\} (\d+)/m.exec(
        (await ask('GET', '/metrics')).text,
      );
      return Number(found?.[1] ?? 0);
    };
    const stream = session.request({ ':path': '/api/v1/namespaces/default/secrets?watch=1' });
    await new Promise((resolve) => stream.once('response', resolve));
    expect(await open()).toBe(1);
    stream.close();
    for (let tries = 0; tries < 2000 && (await open()) > 0; tries++) await new Promise((resolve) => setTimeout(resolve, 20));
    expect(await open()).toBe(0);
  });
});

describe('connections', () => {
  test('that do not speak HTTP, or not TLS, end without harm', async () => {
    const { port } = cluster.server;
    const { certificateAuthority: ca } = cluster.connection;
    const answer = await new Promise<string>((resolve) => {
      const socket = tlsConnect({ port, host: '127.0.0.1', ca, ALPNProtocols: ['http/1.1'] }, () =>
        socket.write('this is not HTTP\r\n\r\n'),
      );
      let text = '';
      socket.on('data', (chunk: Buffer) => {
        text += chunk.toString();
      });
      socket.on('close', () => resolve(text));
    });
    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
    const { connect: tcpConnect } = await import('node:net');
    await new Promise<void>((resolve) => {
      const socket = tcpConnect(port, '127.0.0.1', () => socket.write('GET / HTTP/1.1\r\n\r\n'));
      socket.on('error', () => undefined);
      socket.on('close', () => resolve());
      socket.resume();
    });
    expect((await ask('GET', '/healthz')).text).toBe('ok');
  });

  test('in the middle of a body that never ends do not hold up others', async () => {
    const stream = session.request({ ':method': 'POST', ':path': collection, 'content-type': 'application/json' });
    stream.on('error', () => undefined);
    stream.write('{"apiVersion":');
    expect((await create(configMap('meanwhile'))).status).toBe(201);
    stream.close();
    expect(await cluster.client.find(configMaps, { namespace: 'default', name: 'meanwhile' })).toBeDefined();
  });

  test('over HTTP/2 get heads without bodies, are told to go on, and are refused what is no request', async () => {
    const head = await ask('HEAD', '/healthz');
    expect([head.status, head.text, head.headers['content-length']]).toEqual([200, '', '2']);
    const waiting = session.request({
      ':method': 'POST',
      ':path': collection,
      'content-type': 'application/json',
      expect: '100-continue',
    });
    const created = new Promise((resolve) => void waiting.once('response', (headers) => resolve(headers[':status'])));
    waiting.once('continue', () => waiting.end(JSON.stringify(configMap('continued'))));
    expect(await created).toBe(201);
    waiting.resume();
    expect((await ask('POST', collection, { expect: 'a-lot' }, '{}')).status).toBe(417);
    const tunnel = session.request({ ':method': 'CONNECT', ':authority': 'elsewhere:80' });
    expect(await new Promise((resolve) => void tunnel.once('response', (headers) => resolve(headers[':status'])))).toBe(405);
    tunnel.close();
    expect((await ask('GET', `${collection}/continued`)).status).toBe(200);
  });
});
