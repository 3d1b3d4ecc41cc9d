/** `berth --help` starts nothing but commander: what it imports is counted, since what it takes depends on the machine. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, expect, test } from '@jest/globals';
import { repository } from '../harness/cluster.ts';
import { runCommand } from '../harness/commands.ts';

const folder = mkdtempSync(join(tmpdir(), 'berth-help-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Every module that a command loads, packages by their names and Berth's own by their paths. */
async function modulesOf(...args: string[]): Promise<string[]> {
  const [list, hooks, register] = ['list', 'hooks.mjs', 'register.mjs'].map((name) => join(folder, name)) as [string, string, string];
  writeFileSync(list, '');
  writeFileSync(
    hooks,
    `import { appendFileSync } from 'node:fs';
export async function load(url, context, next) {
  appendFileSync(${JSON.stringify(list)}, url + '\\n');
  return await next(url, context);
}\n`,
  );
  writeFileSync(register, `import { register } from 'node:module';\nregister(${JSON.stringify(pathToFileURL(hooks).href)});\n`);
  const result = await runCommand(process.execPath, ['--import', register, join(repository, 'dist/cmd/berth/main.js'), ...args]);
  expect(result).toMatchObject({ code: 0, stdout: expect.stringContaining('Usage: berth') });
  const urls = readFileSync(list, 'utf8').split('\n');
  return [
    ...new Set(
      urls
        .filter((url) => url.startsWith('file:'))
        .map((url) => /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(url)?.[1] ?? url.split('/dist/')[1] ?? url),
    ),
  ];
}

test.each([[['--help']], [['apply', '--help']], [['server', '--help']]])(
  '%j loads commander, the verbs and next to nothing else',
  async (args) => {
    const modules = (await modulesOf(...args)).filter((name) => !name.startsWith('file:'));
    const others = modules.filter(
      (name) => name !== 'commander' && !/^cmd\/berth\/[a-z-]+\.js$|^pkg\/cli\/(verbs\/[a-z-]+|program|verb|flags)\.js$/.test(name),
    );
    expect(others.toSorted()).toEqual([
      'pkg/base/clock.js',
      'pkg/base/errors.js',
      'pkg/base/lifecycle.js',
      // A few lines: where a home is.
      'pkg/cli/home.js',
      // The names of the stores.
      'pkg/server/stores.js',
      'pkg/storage/index.js',
    ]);
    expect(modules.length).toBeLessThan(40);
  },
);
