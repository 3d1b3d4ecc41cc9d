import { expect, test } from '@jest/globals';
import { Turns } from '#base/turns';
import { CachedObject } from './cached-object.ts';
import { ObjectIndex } from './object-index.ts';

const object = (key: string, revision: number, color: string): CachedObject =>
  new CachedObject(
    key,
    revision,
    Buffer.from(JSON.stringify({ apiVersion: 'v1', kind: 'Pod', metadata: { name: key, labels: { color } } })),
  );

test('an index that is built while objects change shows them as they are', async () => {
  const objects = new Map(
    Array.from({ length: 3000 }, (_, index) => [`o${index}`, object(`o${index}`, 1, index % 2 === 0 ? 'red' : 'blue')]),
  );
  const index = new ObjectIndex({ name: 'color', values: ({ metadata }) => Object.values(metadata.labels ?? {}) });
  const set = (key: string, current: CachedObject | undefined): void => {
    if (current === undefined) objects.delete(key);
    else objects.set(key, current);
    index.update(key, current);
  };
  set('before', object('before', 2, 'red'));
  expect(() => index.find('red')).toThrow('not built');
  const building = index.build(() => [...objects.values()], new Turns());
  // Before it has looked at anything, and while it does.
  set('o0', object('o0', 3, 'green'));
  set('o2', undefined);
  let changes = 0;
  const changing = (async () => {
    for (let number = 2999; number > 2900; number--) {
      await new Promise((resolve) => setImmediate(resolve));
      set(`o${number}`, number % 3 === 0 ? undefined : object(`o${number}`, number, 'green'));
      changes++;
    }
  })();
  await Promise.all([building, changing]);
  expect(changes).toBe(99);
  set('after', object('after', 9000, 'blue'));
  for (const color of ['red', 'blue', 'green']) {
    const expected = [...objects.values()].filter((each) => each.object.metadata.labels?.color === color);
    expect([...index.find(color).values()].map(({ key, revision }) => `${key} ${revision}`).toSorted()).toEqual(
      expected.map(({ key, revision }) => `${key} ${revision}`).toSorted(),
    );
  }
});
