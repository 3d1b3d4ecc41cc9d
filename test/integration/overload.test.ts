/** More than the server can do at once, over real TLS: whoever asks for too much is told to wait, and others do not notice. */
import { type ClientHttp2Session, type ClientHttp2Stream, constants } from 'node:http2';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { configMaps } from '#api/shapes/resources';
import { startCluster, type TestCluster } from '#server/testing';
import { ask, metric, openBody, openSession, openSockets, type RawReply, replyOf, until } from './raw-client.ts';

const collection = '/api/v1/namespaces/default/configmaps';
let cluster: TestCluster;
/** Of ann, who asks for too much. */
let greedy: ClientHttp2Session[];
/** Of bob, who does not. */
let modest: ClientHttp2Session;
/** Of the administrator, who looks at the figures. */
let observer: ClientHttp2Session;

beforeAll(async () => {
  cluster = await startCluster({ components: { scheduler: false, controllers: false, dispatcher: false } });
  const ann = await cluster.server.connectionFor('ann', ['system:masters']);
  greedy = Array.from({ length: 10 }, () => openSession(ann));
  modest = openSession(await cluster.server.connectionFor('bob', ['system:masters']));
  observer = openSession(cluster.connection);
  await cluster.client.create(configMaps, { metadata: { namespace: 'default', name: 'one' }, data: { k: 'v' } });
});
afterAll(async () => {
  for (const session of [...greedy, modest, observer]) session.destroy();
  // Nothing is left of what came and went.
  expect(await until(0, openSockets)).toBe(0);
  await cluster.stop();
});

async function othersAreServed(): Promise<void> {
  expect((await ask(modest, '/healthz')).text).toBe('ok');
  for (let number = 0; number < 10; number++) expect((await ask(modest, `${collection}/one`)).status).toBe(200);
  expect((await ask(modest, collection)).status).toBe(200);
}

test('requests that find their queue full get 429 with Retry-After, and others are served', async () => {
  const open: ClientHttp2Stream[] = [];
  const replies: Promise<RawReply>[] = [];
  const openMore = (count: number): void => {
    for (let number = 0; number < count; number++) {
      const stream = openBody(greedy[number % greedy.length]!, collection);
      open.push(stream);
      replies.push(replyOf(stream));
    }
  };
  openMore(1500);
  const refused = await Promise.race(replies);
  expect(refused).toMatchObject({ status: 429, headers: { 'retry-after': '1', 'content-type': 'application/json' } });
  expect(JSON.parse(refused.text)).toMatchObject({
    kind: 'Status',
    reason: 'TooManyRequests',
    code: 429,
    details: { retryAfterSeconds: 1 },
  });
  expect(await metric(observer, 'apiserver_flowcontrol_current_inqueue_requests')).toBeLessThanOrEqual(1000);
  // A machine that takes longer for them than a request may wait has refused some for that instead.
  const full = (): Promise<number> => metric(observer, 'apiserver_flowcontrol_rejected_requests_total', 'reason="queue-full"');
  for (let round = 0; round < 20 && (await full()) === 0; round++) openMore(500);
  expect(await full()).toBeGreaterThan(0);
  await othersAreServed();
  for (const stream of open) stream.close();
  const statuses = (await Promise.all(replies)).map((reply) => reply.status);
  expect(statuses.filter((status) => status === 429).length).toBeGreaterThanOrEqual(250);
  expect(await until(0, () => metric(observer, 'apiserver_flowcontrol_current_inqueue_requests'))).toBe(0);
  // What asks is itself one that is served.
  expect(await until(1, () => metric(observer, 'apiserver_flowcontrol_current_executing_seats'))).toBe(1);
  expect((await ask(greedy[0]!, `${collection}/one`)).status).toBe(200);
});

test('2,000 idle watches and 10,000 requests at once leave the server answering', async () => {
  const watches: ClientHttp2Stream[] = [];
  for (let number = 0; number < 2000; number++) {
    const stream = greedy[number % greedy.length]!.request({ ':path': `${collection}?watch=1&resourceVersion=0&labelSelector=none` });
    stream.on('error', () => undefined);
    watches.push(stream);
    stream.resume();
  }
  await Promise.all(
    watches.map((stream) => new Promise<void>((resolve, reject) => void stream.once('response', () => resolve()).once('close', reject))),
  );
  const open = (): Promise<number> => metric(observer, 'apiserver_longrunning_requests', 'verb="WATCH"');
  const before = await open();
  expect(before).toBeGreaterThanOrEqual(2000);
  const replies: Promise<RawReply>[] = [];
  // A session takes 1,000 streams at once; the client keeps the rest until there is room.
  for (let number = 0; number < 10_000; number++) replies.push(ask(greedy[number % greedy.length]!, `${collection}/one`));
  await othersAreServed();
  const statuses = new Set((await Promise.all(replies)).map((reply) => reply.status));
  expect([...statuses].filter((status) => status !== 200 && status !== 429)).toEqual([]);
  expect(statuses).toContain(200);
  await othersAreServed();
  for (const stream of watches) stream.close();
  expect(await until(before - 2000, open)).toBe(before - 2000);
});

test('lists that nobody reads are given up, and their user may list again', async () => {
  const text = 'x'.repeat(200_000);
  for (let number = 0; number < 20; number++) {
    await cluster.client.create(configMaps, {
      metadata: { namespace: 'default', name: `long-${number}`, labels: { long: 'yes' } },
      data: { text },
    });
  }
  const session = greedy[0]!;
  let gone = 0;
  const streams = Array.from({ length: 200 }, () => {
    const stream = session.request({ ':path': `${collection}?labelSelector=long` });
    stream.on('error', () => undefined);
    stream.once('close', () => gone++);
    // Replies that were refused are read: they are no lists.
    stream.once('response', (headers) => {
      if (headers[':status'] !== 200) stream.resume();
    });
    return stream;
  });
  await until(true, () => gone >= 150);
  expect(gone).toBeGreaterThanOrEqual(150);
  await othersAreServed();
  const again = await ask(greedy[1]!, `${collection}?labelSelector=long`);
  expect(again.status).toBe(200);
  expect((JSON.parse(again.text) as { items: object[] }).items).toHaveLength(20);
  for (const stream of streams) stream.destroy();
  expect(await until(1, () => metric(observer, 'apiserver_flowcontrol_current_executing_requests'))).toBe(1);
});

test('a session on which many replies broke off is replaced before it refuses everything', async () => {
  const session = greedy[2]!;
  const left = new Promise<void>((resolve) => void session.once('close', () => resolve()));
  for (let number = 0; number < 1000 && !session.closed; number++) {
    const stream = session.request({ ':path': `${collection}?labelSelector=long` });
    stream.on('error', () => undefined);
    stream.once('response', (headers) => {
      expect(headers[':status']).toBe(200);
      stream.close(constants.NGHTTP2_CANCEL);
    });
    await new Promise((resolve) => void stream.once('close', resolve));
  }
  await left;
  greedy[2] = openSession(await cluster.server.connectionFor('ann', ['system:masters']));
  expect((await ask(greedy[2], `${collection}/one`)).status).toBe(200);
});

test('a user who lists everything in loops does not keep others from being served', async () => {
  let listed = 0;
  const done = new AbortController();
  const loops = Array.from({ length: 8 }, async (_, number) => {
    while (!done.signal.aborted) {
      expect((await ask(greedy[number + 2]!, collection)).status).toBe(200);
      listed++;
    }
  });
  await until(true, () => listed > 0);
  const start = listed;
  let served = 0;
  while (served < 100) {
    expect((await ask(modest, `${collection}/one`)).status).toBe(200);
    served++;
  }
  const between = listed - start;
  done.abort();
  await Promise.all(loops);
  // Not one of the requests waited for a whole round of the lists.
  expect(between).toBeLessThan(served * 8);
});
