import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { CachedObject } from './cached-object.ts';
import { WatcherSet, type WatchScope } from './resource-watch.ts';
import { CacheEvent, selectEvent } from './watch-event.ts';

const object = (key: string, revision: number, label: string): CachedObject => {
  const [namespace = '', name = ''] = key.split('/');
  const content = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { resourceVersion: String(revision), name, namespace, labels: { color: label } },
  };
  return new CachedObject(key, revision, Buffer.from(JSON.stringify(content)));
};

const colors = ['red', 'green', 'blue'];
const names = ['a', 'b'];
interface Asked {
  readonly namespace: string | undefined;
  readonly by: string;
  readonly color: string;
  readonly name: string;
}
const arbitraryScope: fc.Arbitrary<Asked> = fc.record({
  namespace: fc.option(fc.constantFrom('one', 'two'), { nil: undefined }),
  by: fc.constantFrom('nothing', 'label', 'name', 'index', 'filter'),
  color: fc.constantFrom(...colors),
  name: fc.constantFrom(...names),
});
const arbitraryChange = fc.record({
  key: fc.constantFrom('one/a', 'one/b', 'two/a', 'two/b'),
  color: fc.option(fc.constantFrom(...colors), { nil: undefined }),
});

function scopeOf({ namespace, by, color, name }: Asked): { scope: WatchScope; wants: (event: CacheEvent) => boolean } {
  const hasColor = (one: CachedObject): boolean => one.object.metadata.labels?.color === color;
  const hasName = (one: CachedObject): boolean => one.object.metadata.name === name;
  const matches = by === 'name' ? hasName : by === 'nothing' ? () => true : hasColor;
  const concerns = (event: CacheEvent): boolean => selectEvent(event, matches) !== undefined;
  const wants = (event: CacheEvent): boolean => (namespace === undefined || event.key.startsWith(`${namespace}/`)) && concerns(event);
  const filter = { filter: concerns, filterKey: `${by} ${color} ${name}` };
  switch (by) {
    case 'label':
      return { wants, scope: { namespace, ...filter, only: { label: 'color', value: color } } };
    case 'name':
      return { wants, scope: { namespace, ...filter, ...(namespace === undefined ? {} : { only: { name } }) } };
    case 'index':
      return { wants, scope: { namespace, index: { name: 'color', value: color } } };
    case 'filter':
      return { wants, scope: { namespace, filter: concerns } };
    default:
      return { wants, scope: { namespace } };
  }
}

test('whatever watchers ask for, each gets the events that it would choose from all, in order', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(arbitraryScope, { maxLength: 12 }), fc.array(arbitraryChange, { maxLength: 30 }), async (scopes, changes) => {
      const set = new WatcherSet(1_000_000);
      const watchers = scopes.map((each) => ({ ...scopeOf(each), opened: set.open(scopeOf(each).scope, 0) }));
      const state = new Map<string, CachedObject>();
      const events: CacheEvent[] = [];
      for (const [index, { key, color }] of changes.entries()) {
        const previous = state.get(key);
        if (color === undefined && previous === undefined) continue;
        const current = color === undefined ? undefined : object(key, index + 1, color);
        if (current === undefined) state.delete(key);
        else state.set(key, current);
        const event = new CacheEvent(index + 1, current, previous);
        events.push(event);
        set.dispatch(event, [{ name: 'color', values: (one) => Object.values(one.metadata.labels ?? {}) }]);
        set.advance(index + 1);
      }
      for (const { wants, opened } of watchers) {
        opened.reader.end();
        expect((await opened.reader.take())?.events ?? []).toEqual(events.filter(wants));
        opened.release();
      }
      expect(set.size).toBe(0);
    }),
    { seed: 7, numRuns: 200 },
  );
});

test('a watch that begins after all others ended is not given what they were', async () => {
  const set = new WatcherSet(1_000_000);
  const before = set.open({}, 9);
  set.dispatch(new CacheEvent(10, object('one/a', 10, 'red'), undefined), []);
  set.advance(10);
  set.end();
  const after = set.open({}, 3);
  before.release();
  const event = new CacheEvent(4, object('one/a', 4, 'red'), undefined);
  set.dispatch(event, []);
  set.advance(4);
  expect(await after.reader.take()).toEqual({ events: [event], revision: 4 });
});
