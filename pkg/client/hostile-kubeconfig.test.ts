/** Whatever stands in a kubeconfig, there comes a connection or an error that says what is wrong. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { messageOf } from '#base/errors';
import { connectionOf, loadKubeconfig } from './kubeconfig.ts';

const seeded = { seed: 20_260_106, numRuns: 100 };
let path: string;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'berth-kubeconfig-'));
  path = join(folder, 'config');
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function survives(content: string): Promise<void> {
  await writeFile(path, content);
  try {
    await connectionOf(await loadKubeconfig([path]));
  } catch (error) {
    const message = messageOf(error);
    expect(message).not.toBe('');
    // The engine's own words for a mistake of ours.
    expect(message).not.toMatch(/is not a function|Cannot read propert|is not iterable|must be of type/);
  }
}

test('any text', async () => {
  const pieces = fc.constantFrom(
    'clusters:\n',
    '- ',
    'name: a\n',
    'cluster:\n',
    '  server: b\n',
    'current-context: a\n',
    'null',
    '[',
    ']',
    '{',
    '}',
    '&x ',
    '*x',
    '<<: ',
    '\n',
    '  ',
    ': ',
    '\t',
    '!!binary ',
    '---\n',
  );
  const text = fc.oneof(
    fc.string({ maxLength: 100, unit: 'binary' }),
    fc.array(pieces, { maxLength: 30 }).map((parts) => parts.join('')),
  );
  await fc.assert(fc.asyncProperty(text, survives), seeded);
  await survives('['.repeat(3000));
  await survives(
    ['a0: &a0 [x,x,x,x,x,x,x,x,x]', ...Array.from({ length: 9 }, (_, n) => `a${n + 1}: &a${n + 1} [${`*a${n},`.repeat(9)}]`)].join('\n'),
  );
});

test('any structure', async () => {
  const leaf = fc.constantFrom<unknown>(null, true, 0, 'a', '', [], {}, [null], ['a'], [[]]);
  const fields = fc.dictionary(
    fc.constantFrom(
      'server',
      'certificate-authority-data',
      'certificate-authority',
      'client-key-data',
      'token',
      'tokenFile',
      'cluster',
      'user',
      'namespace',
      'exec',
    ),
    leaf,
    { maxKeys: 4 },
  );
  const entry = fc.oneof(
    leaf,
    fc.record(
      {
        name: fc.constantFrom<unknown>('a', 'a', 'b', 1),
        cluster: fc.oneof(fields, leaf),
        user: fc.oneof(fields, leaf),
        context: fc.oneof(fields, fc.constant({ cluster: 'a', user: 'a' }), leaf),
      },
      { requiredKeys: ['name'] },
    ),
  );
  const list = fc.oneof(leaf, fc.array(entry, { maxLength: 3 }));
  const config = fc.record(
    { clusters: list, users: list, contexts: list, 'current-context': fc.constantFrom<unknown>('a', 'a', 'b', 1, null) },
    { requiredKeys: [] },
  );
  await fc.assert(
    fc.asyncProperty(config, async (one) => survives(JSON.stringify(one))),
    { ...seeded, numRuns: 200 },
  );
});
