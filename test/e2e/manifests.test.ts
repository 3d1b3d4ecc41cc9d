import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { missingForCluster, repository, startTestCluster, type TestCluster } from '../harness/cluster.ts';
import { type CommandResult, eventually } from '../harness/commands.ts';

const missing = missingForCluster();
const folder = join(repository, 'manifests');
/** The quick start is a test of its own. */
const examples = readdirSync(folder, { withFileTypes: true })
  .filter((entry) => entry.isDirectory() && entry.name !== 'hello')
  .map(({ name }) => name);

async function get(url: string, init: RequestInit = {}): Promise<string> {
  const response = await fetch(url, { ...init, signal: AbortSignal.timeout(20_000), headers: { connection: 'close' } });
  return await response.text();
}

(missing === undefined ? describe : describe.skip)('the examples in manifests', () => {
  let cluster: TestCluster;
  const results = new Map<string, CommandResult>();

  beforeAll(async () => {
    cluster = await startTestCluster({ demoImage: true });
    await Promise.all(
      examples.map(async (name) => {
        results.set(name, await cluster.berth(['apply', '-f', join(folder, name)], { timeout: 120_000 }));
      }),
    );
  });

  afterAll(async () => {
    await cluster?.stop();
  });

  test.each(examples)('%s is applied and works', (name) => {
    expect(results.get(name)).toMatchObject({ code: 0 });
  });

  test('pages: a page on a port of every node, from two pods', async () => {
    expect(await eventually('it answers', () => get('http://127.0.0.1:30080/'))).toContain('Hello from a config map');
    expect(results.get('pages')?.stdout).toMatch(/deployment\/pages +pages-\S+ +Running[\s\S]*service\/pages +30080->/);
  });

  test('guestbook: entries outlive the stack, and need the word', async () => {
    const book = 'http://127.0.0.1:8090/cgi-bin/book';
    expect(await eventually('it answers', () => get(book))).toBe('No entries yet.\n');
    expect(await get(`${book}?port`, { method: 'POST', body: 'nobody' })).toBe('what is the word?\n');
    expect(await get(`${book}?starboard`, { method: 'POST', body: 'Ahoy' })).toBe('Ahoy\n');
    await cluster.succeed('delete', '-f', join(folder, 'guestbook'));
    await cluster.succeed('apply', '-f', join(folder, 'guestbook'));
    expect(await eventually('it answers', () => get(book))).toBe('Ahoy\n');
  });

  test('report: three steps, each once', async () => {
    await eventually('the sum', async () => {
      const text = await cluster.succeed('logs', 'stack/report', '--service', 'print');
      return text === 'the sum is 5050\n' ? true : undefined;
    });
    expect(await cluster.succeed('apply', '-f', join(folder, 'report'))).toContain('Stack report has run to its end.');
    expect(await cluster.succeed('get', 'stack', 'report')).toMatch(/report +3\/3 +Completed/);
  });

  test('two-networks: the store is reached through the proxy alone', async () => {
    const client = (...command: string[]): Promise<CommandResult> =>
      cluster.berth(['exec', 'stack/two-networks', '--service', 'client', '--', ...command]);
    await eventually('all listen', async () => ((await client('fetch', 'http://proxy/cgi-bin/fetch')).code === 0 ? true : undefined));
    expect(await client('fetch', 'http://proxy/cgi-bin/fetch')).toMatchObject({ code: 0, stdout: 'kept inside\n' });
    expect(await client('fetch', 'http://entrance/cgi-bin/fetch')).toMatchObject({ code: 0, stdout: 'kept inside\n' });
    expect(await client('fetch', 'http://store/')).toMatchObject({ code: 1, stderr: expect.stringContaining('bad address') });
  });
});
