/**
 * The contract of `Backend`, as tests: call `describeBackend` from the test file of every implementation. It uses prefixes
 * of its own and counts from the revision that it finds, so it also runs over a store that others have used before.
 */
import { randomUUID } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { checkHistory, type Issued, type Model } from './backend.model.ts';
import {
  type Backend,
  ClosedError,
  CompactedError,
  FutureRevisionError,
  type Op,
  type Revision,
  SlowConsumerError,
  type StoreEvent,
  type WatchBatch,
} from './backend.ts';
import { maximumValueLength } from './values.ts';

export interface OpenOptions {
  /** How much may wait for one watcher, about bytes. */
  readonly maximumPendingBytes?: number;
}

/** Opens a store for one test; `dispose` removes what it made (the test closes the backend itself where that matters). */
export type OpenBackend = (options?: OpenOptions) => Promise<{ readonly backend: Backend; dispose(): Promise<void> }>;

const bytes = (text: string): Uint8Array => Buffer.from(text);
const text = (value: Uint8Array | undefined): string | undefined => (value === undefined ? undefined : Buffer.from(value).toString());
const put = (key: string, value = 'v'): Op => ({ type: 'put', key, value: bytes(value) });
const remove = (key: string): Op => ({ type: 'delete', key });

/** Commits without compares and gives the revision. */
async function write(backend: Backend, ...ops: Op[]): Promise<Revision> {
  const result = await backend.commit({ compare: [], ops });
  if (!result.committed) throw new Error('a commit without compares did not take place');
  return result.revision;
}

/** The events of a watch up to and including the revision. */
async function eventsUpTo(backend: Backend, prefix: string, after: Revision, until: Revision): Promise<StoreEvent[]> {
  const stop = new AbortController();
  const events: StoreEvent[] = [];
  for await (const batch of backend.watch(prefix, after, stop.signal)) {
    events.push(...batch.events);
    if (batch.revision >= until) stop.abort();
  }
  return events;
}

const plain = (event: StoreEvent): object => ({
  type: event.type,
  key: event.key,
  revision: event.revision,
  ...(event.type === 'put' ? { value: text(event.value), createRevision: event.createRevision } : {}),
  previous:
    event.previous === undefined
      ? undefined
      : { value: text(event.previous.value), revision: event.previous.revision, createRevision: event.previous.createRevision },
});

export function describeBackend(name: string, open: OpenBackend): void {
  /** Runs with an open backend and a prefix of its own. */
  const withBackend =
    (run: (backend: Backend, prefix: string) => Promise<void>, options?: OpenOptions): (() => Promise<void>) =>
    async () => {
      const opened = await open(options);
      try {
        await run(opened.backend, `/suite/${randomUUID()}/`);
      } finally {
        await opened.backend.close();
        await opened.dispose();
      }
    };

  describe(`${name} keeps the contract of a backend`, () => {
    describe('commits', () => {
      test(
        'a key is created, overwritten, deleted and created again, each under a revision of its own',
        withBackend(async (backend, prefix) => {
          const key = `${prefix}a`;
          expect(backend.incarnation).not.toBe('');
          const before = await backend.revision();
          // Whoever knows it without asking knows the same.
          if ('newest' in backend) expect(backend.newest).toBe(before);
          expect(before).toBeGreaterThanOrEqual(1);
          const first = await write(backend, put(key, 'one'));
          expect(first).toBeGreaterThan(before);
          const second = await write(backend, put(key, 'two'));
          expect(second).toBeGreaterThan(first);
          const { item, revision } = await backend.get(key);
          expect(item).toMatchObject({ key, revision: second, createRevision: first });
          expect(text(item?.value)).toBe('two');
          expect(revision).toBeGreaterThanOrEqual(second);
          const third = await write(backend, remove(key));
          expect(third).toBeGreaterThan(second);
          expect((await backend.get(key)).item).toBeUndefined();
          const fourth = await write(backend, put(key, 'three'));
          expect((await backend.get(key)).item).toMatchObject({ revision: fourth, createRevision: fourth });
        }),
      );

      test(
        'a compare that does not hold writes nothing, takes no revision and says what is there',
        withBackend(async (backend, prefix) => {
          const [a, b, c] = [`${prefix}a`, `${prefix}b`, `${prefix}c`];
          const first = await write(backend, put(a, 'one'));
          const result = await backend.commit({
            compare: [
              { key: a, revision: first - 1 },
              { key: b, revision: 0 },
            ],
            ops: [put(a, 'lost'), put(c, 'lost')],
          });
          expect(result).toMatchObject({ committed: false, current: [{ key: a, revision: first, createRevision: first }, undefined] });
          if (!result.committed) expect(text(result.current[0]?.value)).toBe('one');
          expect(await backend.revision()).toBe(first);
          expect((await backend.list(prefix)).items).toHaveLength(1);
        }),
      );

      test(
        'a compare on a key that no op touches decides the commit',
        withBackend(async (backend, prefix) => {
          const [lease, key] = [`${prefix}lease`, `${prefix}object`];
          const held = await write(backend, put(lease, 'me'));
          const guarded = (value: string) => backend.commit({ compare: [{ key: lease, revision: held }], ops: [put(key, value)] });
          expect((await guarded('one')).committed).toBe(true);
          await write(backend, put(lease, 'another'));
          const refused = await guarded('two');
          expect(refused.committed).toBe(false);
          expect(text((await backend.get(key)).item?.value)).toBe('one');
        }),
      );

      test(
        'of many that create the same key at once, one does, and the others are told its value',
        withBackend(async (backend, prefix) => {
          const key = `${prefix}race`;
          const results = await Promise.all(
            Array.from({ length: 20 }, (_, index) =>
              backend.commit({ compare: [{ key, revision: 0 }], ops: [put(key, `writer ${index}`)] }),
            ),
          );
          const winners = results.filter((result) => result.committed);
          expect(winners).toHaveLength(1);
          const stored = (await backend.get(key)).item;
          for (const result of results) {
            if (!result.committed) expect(result.current[0]).toMatchObject({ revision: stored?.revision });
            else expect(result.revision).toBe(stored?.revision);
          }
        }),
      );

      test(
        'writers that read, compare and write lose no increment',
        withBackend(async (backend, prefix) => {
          const key = `${prefix}counter`;
          await write(backend, put(key, '0'));
          const revisions: Revision[] = [];
          const increment = async (): Promise<void> => {
            for (;;) {
              const { item } = await backend.get(key);
              if (item === undefined) throw new Error('the counter is gone');
              const result = await backend.commit({
                compare: [{ key, revision: item.revision }],
                ops: [put(key, String(Number(text(item.value)) + 1))],
              });
              if (!result.committed) continue;
              revisions.push(result.revision);
              return;
            }
          };
          await Promise.all(
            Array.from({ length: 6 }, async () => {
              for (let round = 0; round < 5; round++) await increment();
            }),
          );
          expect(text((await backend.get(key)).item?.value)).toBe('30');
          expect(new Set(revisions).size).toBe(30);
        }),
      );

      test(
        'commits at the same time have revisions of their own, and a later one is built on an earlier one',
        withBackend(async (backend, prefix) => {
          const revisions = await Promise.all(Array.from({ length: 50 }, (_, index) => write(backend, put(`${prefix}${index}`))));
          expect(new Set(revisions).size).toBe(50);
          const { items } = await backend.list(prefix);
          expect(new Set(items.map((item) => item.revision))).toEqual(new Set(revisions));
        }),
      );

      test(
        'the ops of one commit share one revision and are seen together or not at all',
        withBackend(async (backend, prefix) => {
          const [a, b, c] = [`${prefix}a`, `${prefix}b`, `${prefix}c`];
          const before = await write(backend, put(c, 'old'));
          const revision = await write(backend, put(a), put(b), remove(c), remove(`${prefix}missing`));
          expect(revision).toBe(before + 1);
          expect((await backend.list(prefix)).items.map((item) => [item.key, item.revision])).toEqual([
            [a, revision],
            [b, revision],
          ]);
          const events = await eventsUpTo(backend, prefix, before, revision);
          const expected = [`delete ${c} ${revision}`, `put ${a} ${revision}`, `put ${b} ${revision}`];
          expect(new Set(events.map((event) => `${event.type} ${event.key} ${event.revision}`))).toEqual(new Set(expected));
          expect(events).toHaveLength(expected.length);
          expect((await backend.list(prefix, { revision: before })).items.map((item) => item.key)).toEqual([c]);
        }),
      );

      test(
        'deleting only what does not exist changes nothing and takes no revision',
        withBackend(async (backend, prefix) => {
          const before = await write(backend, put(`${prefix}a`));
          expect(await write(backend, remove(`${prefix}b`))).toBe(before);
          expect(await backend.revision()).toBe(before);
        }),
      );

      test(
        'values are any bytes: none, all of them, slices of larger buffers, and 1.5 MB',
        withBackend(async (backend, prefix) => {
          const all = Uint8Array.from({ length: 256 }, (_, index) => index);
          const slice = new Uint8Array(all.buffer, 100, 3);
          const large = new Uint8Array(maximumValueLength).fill(7);
          const values = { empty: new Uint8Array(0), all, slice, large };
          for (const [key, value] of Object.entries(values))
            await backend.commit({ compare: [], ops: [{ type: 'put', key: prefix + key, value }] });
          for (const [key, value] of Object.entries(values)) {
            const { item } = await backend.get(prefix + key);
            expect(Buffer.compare(item?.value ?? bytes('missing'), value)).toBe(0);
          }
        }),
      );

      test(
        'a malformed commit is a RangeError and writes nothing',
        withBackend(async (backend, prefix) => {
          const malformed: Op[][] = [
            [],
            [put(`${prefix}a`), remove(`${prefix}a`)],
            [put('')],
            [put(`${prefix}ü`)],
            [put(`${prefix}\n`)],
            Array.from({ length: 101 }, (_, index) => put(prefix + index)),
          ];
          for (const ops of malformed) await expect(backend.commit({ compare: [], ops })).rejects.toBeInstanceOf(RangeError);
          expect((await backend.list(prefix)).items).toEqual([]);
        }),
      );
    });

    describe('lists', () => {
      test(
        'are in bytewise order of keys, under the prefix alone, with limit, start, count and more',
        withBackend(async (backend, prefix) => {
          const keys = ['a', 'a-b', 'a.b', 'a/b', 'a/c', 'aa', 'b', 'Z'].map((key) => prefix + key);
          for (const key of keys) await write(backend, put(key, key));
          await write(backend, put(`${prefix.slice(0, -1)}0`), put(`${prefix.slice(0, -1)}.`));
          const sorted = keys.toSorted();
          const all = await backend.list(prefix);
          expect(all.items.map((item) => item.key)).toEqual(sorted);
          expect(all).toMatchObject({ more: false, count: 8 });
          const page = await backend.list(prefix, { limit: 3 });
          expect(page.items.map((item) => item.key)).toEqual(sorted.slice(0, 3));
          expect(page).toMatchObject({ more: true, count: 8 });
          const rest = await backend.list(prefix, { start: sorted[3] ?? '', revision: page.revision });
          expect(rest.items.map((item) => item.key)).toEqual(sorted.slice(3));
          expect(rest).toMatchObject({ more: false, count: 5, revision: page.revision });
          expect((await backend.list(`${prefix}a/`)).items.map((item) => item.key)).toEqual([`${prefix}a/b`, `${prefix}a/c`]);
          expect(await backend.list(`${prefix}nothing`)).toMatchObject({ items: [], more: false, count: 0 });
        }),
      );

      test(
        'at an older revision show that state, page by page, whatever was written since',
        withBackend(async (backend, prefix) => {
          for (let index = 0; index < 9; index++) await write(backend, put(`${prefix}${index}`, 'old'));
          const first = await backend.list(prefix, { limit: 4 });
          await write(backend, remove(`${prefix}5`));
          await write(backend, put(`${prefix}6`, 'new'));
          await write(backend, put(`${prefix}55`, 'new'));
          const second = await backend.list(prefix, { limit: 4, start: `${prefix}4`, revision: first.revision });
          const third = await backend.list(prefix, { limit: 4, start: `${prefix}8`, revision: first.revision });
          const items = [...first.items, ...second.items, ...third.items];
          expect(items.map((item) => item.key)).toEqual(Array.from({ length: 9 }, (_, index) => `${prefix}${index}`));
          expect(new Set(items.map((item) => text(item.value)))).toEqual(new Set(['old']));
          expect([second.more, third.more]).toEqual([true, false]);
        }),
      );

      test(
        'of a revision that does not exist yet are refused with the newest',
        withBackend(async (backend, prefix) => {
          const newest = await write(backend, put(`${prefix}a`));
          await expect(backend.list(prefix, { revision: newest + 1000 })).rejects.toMatchObject({
            name: 'FutureRevisionError',
            current: newest,
          });
        }),
      );
    });

    describe('watches', () => {
      test(
        'give every event once, in order, with what was there before, to whoever resumes at any revision',
        withBackend(async (backend, prefix) => {
          const before = await backend.revision();
          const [a, b] = [`${prefix}a`, `${prefix}b`];
          const first = await write(backend, put(a, '1'));
          const second = await write(backend, put(b, '1'));
          const third = await write(backend, put(a, '2'));
          const fourth = await write(backend, remove(a));
          const last = await write(backend, put(a, '3'));
          const expected = [
            { type: 'put', key: a, revision: first, value: '1', createRevision: first, previous: undefined },
            { type: 'put', key: b, revision: second, value: '1', createRevision: second, previous: undefined },
            {
              type: 'put',
              key: a,
              revision: third,
              value: '2',
              createRevision: first,
              previous: { value: '1', revision: first, createRevision: first },
            },
            { type: 'delete', key: a, revision: fourth, previous: { value: '2', revision: third, createRevision: first } },
            { type: 'put', key: a, revision: last, value: '3', createRevision: last, previous: undefined },
          ];
          for (let skip = 0; skip < expected.length; skip++) {
            const after = skip === 0 ? before : (expected[skip - 1]?.revision ?? 0);
            expect((await eventsUpTo(backend, prefix, after, last)).map(plain)).toEqual(expected.slice(skip));
          }
          expect((await eventsUpTo(backend, a, before, last)).map((event) => event.revision)).toEqual([first, third, fourth, last]);
        }),
      );

      test(
        'follow what is written later',
        withBackend(async (backend, prefix) => {
          const before = await backend.revision();
          const stop = new AbortController();
          const seen: StoreEvent[] = [];
          const reader = (async () => {
            for await (const batch of backend.watch(prefix, before, stop.signal)) {
              seen.push(...batch.events);
              if (seen.length >= 100) stop.abort();
            }
          })();
          for (let index = 0; index < 10; index++) {
            await Promise.all(Array.from({ length: 10 }, (_, inner) => write(backend, put(`${prefix}${index}/${inner}`))));
          }
          await reader;
          const { items } = await backend.list(prefix);
          expect(seen.map((event) => event.revision)).toEqual(items.map((item) => item.revision).toSorted((x, y) => x - y));
        }),
      );

      test(
        'end when their signal aborts, while they wait and before they begin',
        withBackend(async (backend, prefix) => {
          const revision = await backend.revision();
          expect(await firstBatchOf(backend.watch(prefix, revision, AbortSignal.abort()))).toBeUndefined();
          const stop = new AbortController();
          const ended = (async () => {
            for await (const _ of backend.watch(prefix, revision, stop.signal)) void _;
          })();
          await new Promise((resolve) => setImmediate(resolve));
          stop.abort();
          await ended;
        }),
      );

      test(
        'from a revision that does not exist yet are refused with the newest',
        withBackend(async (backend, prefix) => {
          const newest = await write(backend, put(`${prefix}a`));
          const watch = backend.watch(prefix, newest + 1000, new AbortController().signal);
          await expect(firstBatchOf(watch)).rejects.toMatchObject({ name: 'FutureRevisionError', current: newest });
        }),
      );

      test(
        'drop a consumer that stops reading, and only that one',
        withBackend(
          async (backend, prefix) => {
            const before = await backend.revision();
            const stop = new AbortController();
            const slow = backend.watch(prefix, before, stop.signal)[Symbol.asyncIterator]();
            await write(backend, put(`${prefix}first`));
            await slow.next();
            const total = 40;
            let last = 0;
            for (let index = 0; index < total; index++) {
              last =
                (
                  await Promise.all(
                    Array.from({ length: 10 }, (_, inner) => write(backend, put(`${prefix}${index}/${inner}`, 'x'.repeat(4000)))),
                  )
                ).at(-1) ?? 0;
            }
            const read = async (): Promise<void> => {
              for (let batch = await slow.next(); batch.done !== true; batch = await slow.next()) {
                if (batch.value.revision >= last) throw new Error('everything was kept for a consumer that did not read');
              }
            };
            await expect(read()).rejects.toBeInstanceOf(SlowConsumerError);
            expect(await eventsUpTo(backend, prefix, before, last)).toHaveLength(total * 10 + 1);
          },
          { maximumPendingBytes: 100_000 },
        ),
      );
    });

    describe('compaction', () => {
      test(
        'forgets what was superseded: older lists and watches are refused with the oldest revision that works',
        withBackend(async (backend, prefix) => {
          const [a, b] = [`${prefix}a`, `${prefix}b`];
          const first = await write(backend, put(a, '1'), put(b, '1'));
          await write(backend, put(a, '2'));
          const third = await write(backend, remove(b));
          const last = await write(backend, put(a, '3'));
          await backend.compact(third);
          for (const attempt of [
            backend.list(prefix, { revision: first }),
            firstBatchOf(backend.watch(prefix, first, new AbortController().signal)),
          ]) {
            const error: unknown = await attempt.then(
              () => undefined,
              (reason: unknown) => reason,
            );
            expect(error).toBeInstanceOf(CompactedError);
            const oldest = (error as CompactedError).compactRevision;
            expect(oldest).toBe(third);
          }
          const list = await backend.list(prefix, { revision: third });
          expect(list.items.map((item) => [item.key, text(item.value)])).toEqual([[a, '2']]);
          const events = await eventsUpTo(backend, prefix, third, last);
          expect(events.map((event) => [text(event.previous?.value), event.revision])).toEqual([['2', last]]);
          expect(text((await backend.get(a)).item?.value)).toBe('3');
        }),
      );

      test(
        'twice or from before is no error, of the future it is, and open watches go on',
        withBackend(async (backend, prefix) => {
          const stop = new AbortController();
          const watch = backend.watch(prefix, await backend.revision(), stop.signal)[Symbol.asyncIterator]();
          const first = await write(backend, put(`${prefix}a`));
          const seen: StoreEvent[] = [];
          const read = async (until: Revision): Promise<void> => {
            while (until > (seen.at(-1)?.revision ?? 0)) seen.push(...((await watch.next()).value as WatchBatch).events);
          };
          await read(first);
          const second = await write(backend, put(`${prefix}a`));
          await backend.compact(second);
          await backend.compact(second);
          await backend.compact(first);
          await expect(backend.compact(second + 1000)).rejects.toBeInstanceOf(FutureRevisionError);
          const third = await write(backend, put(`${prefix}a`));
          await read(third);
          expect(seen.map((event) => event.revision)).toEqual([first, second, third]);
          stop.abort();
        }),
      );
    });

    test(
      'closing ends watches, settles what was accepted, and refuses what comes after',
      withBackend(async (backend, prefix) => {
        const revision = await backend.revision();
        const watched = (async () => {
          for await (const _ of backend.watch(prefix, revision, new AbortController().signal)) void _;
        })();
        const accepted = write(backend, put(`${prefix}a`));
        await backend.close();
        expect(await accepted).toBeGreaterThan(revision);
        await watched;
        await expect(write(backend, put(`${prefix}b`))).rejects.toBeInstanceOf(ClosedError);
        await expect(backend.get(`${prefix}a`)).rejects.toBeInstanceOf(ClosedError);
        await expect(backend.list(prefix)).rejects.toBeInstanceOf(ClosedError);
        await backend.close();
      }),
    );

    test('random concurrent commits, old lists and resumed watches agree with a simple model', async () => {
      const opened = await open();
      const { backend } = opened;
      try {
        await fc.assert(
          fc.asyncProperty(history, async (groups) => {
            const prefix = `/suite/${randomUUID()}/`;
            const base = await backend.revision();
            const stop = new AbortController();
            const live: StoreEvent[] = [];
            const reader = (async () => {
              for await (const batch of backend.watch(prefix, base, stop.signal)) live.push(...batch.events);
            })();
            const issued: Issued[] = [];
            const known = new Map<string, Revision>();
            for (const group of groups) {
              const results = group.map(async ({ compare, ops }) => {
                const commit = {
                  compare: compare.map(({ key, stale }) => ({
                    key: prefix + key,
                    revision: stale ? base : (known.get(prefix + key) ?? 0),
                  })),
                  ops: ops.map(({ key, value }) => (value === undefined ? remove(prefix + key) : put(prefix + key, value))),
                };
                issued.push({ commit, result: await backend.commit(commit) });
              });
              await Promise.all(results);
              for (const key of names) known.set(prefix + key, (await backend.get(prefix + key)).item?.revision ?? 0);
            }
            const model: Model = checkHistory(base, issued);
            for (const [revision, state] of model.states) {
              const list = await backend.list(prefix, { revision });
              expect(list.items.map((item) => [item.key, text(item.value), item.revision, item.createRevision])).toEqual(state);
              const under = `${prefix}x/`;
              const expected = model.events.filter((event) => event.revision > revision && event.key.startsWith(under));
              const until = expected.at(-1)?.revision;
              if (until !== undefined) expect(normalized(await eventsUpTo(backend, under, revision, until))).toEqual(normalized(expected));
            }
            const until = model.events.at(-1)?.revision;
            if (until !== undefined) {
              expect(normalized(await eventsUpTo(backend, prefix, base, until))).toEqual(normalized(model.events));
              while ((live.at(-1)?.revision ?? 0) < until) await new Promise((resolve) => setImmediate(resolve));
            }
            expect(normalized(live)).toEqual(normalized(model.events));
            stop.abort();
            await reader;
          }),
          { numRuns: 40 },
        );
      } finally {
        await backend.close();
        await opened.dispose();
      }
    });
  });
}

/** Within one revision the order of keys is the backend's own. */
function normalized(events: readonly StoreEvent[]): object[] {
  return events.toSorted((a, b) => a.revision - b.revision || (a.key < b.key ? -1 : 1)).map(plain);
}

async function firstBatchOf(watch: AsyncIterable<WatchBatch>): Promise<WatchBatch | undefined> {
  for await (const batch of watch) return batch;
  return undefined;
}

const names = ['a', 'b', 'x/a', 'x/b', 'x/c'];

/** Groups of commits that are called at once; a compare is on what was last read, or on a revision that cannot be right. */
const history = fc.array(
  fc.array(
    fc.record({
      compare: fc.array(fc.record({ key: fc.constantFrom(...names), stale: fc.integer({ min: 0, max: 9 }).map((n) => n === 0) }), {
        maxLength: 2,
      }),
      ops: fc.uniqueArray(
        fc.record({ key: fc.constantFrom(...names), value: fc.option(fc.string({ maxLength: 5 }), { nil: undefined }) }),
        {
          minLength: 1,
          maxLength: 3,
          selector: (op) => op.key,
        },
      ),
    }),
    { minLength: 1, maxLength: 6 },
  ),
  { maxLength: 6 },
);
