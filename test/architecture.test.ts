import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { cruise, type ICruiseResult } from 'dependency-cruiser';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');

/** Who may import whom, beyond `base`, which all may; a folder may always import from itself. */
const allowed: Readonly<Record<string, readonly string[]>> = {
  base: [],
  api: [],
  storage: ['api'],
  rpc: ['api'],
  client: ['api'],
  compose: ['api'],
  apiserver: ['api', 'client', 'storage'],
  scheduler: ['api', 'client'],
  controllers: ['api', 'client', 'compose'],
  dispatcher: ['api', 'client', 'rpc'],
  agent: ['api', 'rpc'],
  server: ['api', 'client', 'storage', 'rpc', 'compose', 'apiserver', 'scheduler', 'controllers', 'dispatcher'],
  cli: ['api', 'client', 'compose', 'scheduler', 'rpc', 'agent'],
};

const generated = /\/(generated|shapes)\//;

function trackedSources(): string[] {
  return execFileSync('git', ['ls-files', 'pkg', 'cmd', 'test', 'hack'], { cwd: root, encoding: 'utf8' })
    .split('\n')
    .filter((file) => file.endsWith('.ts'));
}

/** `pkg/<folder>/…` → folder; anything else: undefined. */
function folderOf(file: string): string | undefined {
  return /^pkg\/([^/]+)\//.exec(file)?.[1];
}

describe('the architecture of DESIGN section 3', () => {
  let result: ICruiseResult;

  beforeAll(async () => {
    const { output } = await cruise(
      ['pkg', 'cmd'],
      {
        baseDir: root,
        exclude: { path: '\\.(test|suite|model)\\.ts$' },
        doNotFollow: { path: 'node_modules' },
        parser: 'swc',
        moduleSystems: ['es6'],
        tsPreCompilationDeps: true,
        enhancedResolveOptions: {
          conditionNames: ['berth-source', 'node', 'import', 'default'],
          exportsFields: ['exports'],
          extensions: ['.ts', '.js', '.json'],
        },
        validate: true,
        ruleSet: { forbidden: [{ name: 'no-cycle', severity: 'error', from: {}, to: { circular: true } }] },
      },
      { bustTheCache: true },
    );
    if (typeof output === 'string') throw new Error('dependency-cruiser gave text where a result was asked for');
    result = output;
  });

  test('sees the tree: every source file and its imports', () => {
    const files = new Set(result.modules.map((module) => module.source));
    const missing = trackedSources().filter(
      (file) => /^(pkg|cmd)\//.test(file) && !/\.(test|suite|model)\.ts$/.test(file) && !files.has(file),
    );
    expect(missing).toEqual([]);
    expect(result.modules.flatMap((module) => module.dependencies).some((dependency) => dependency.resolved === 'pkg/base/errors.ts')).toBe(
      true,
    );
  });

  test('imports point down only', () => {
    const wrong: string[] = [];
    for (const module of result.modules) {
      const from = folderOf(module.source);
      if (from === undefined) continue;
      for (const dependency of module.dependencies) {
        const to = folderOf(dependency.resolved);
        if (to === undefined || to === from || to === 'base') continue;
        if (!(allowed[from] ?? []).includes(to)) wrong.push(`${module.source} imports ${dependency.resolved}`);
      }
    }
    expect(wrong).toEqual([]);
  });

  test('every import of our own resolves', () => {
    const unresolved = result.modules.flatMap((module) =>
      module.dependencies
        .filter((dependency) => dependency.couldNotResolve && /^[#.]/.test(dependency.module))
        .map((dependency) => `${module.source} imports ${dependency.module}`),
    );
    expect(unresolved).toEqual([]);
  });

  test('there are no import cycles', () => {
    const cycles = result.summary.violations
      .filter((violation) => violation.rule.name === 'no-cycle')
      .map((violation) => [violation.from, ...(violation.cycle ?? []).map((step) => step.name)].join(' → '));
    expect(cycles).toEqual([]);
  });

  test('no file of ours has more than 600 lines, no main more than 60', () => {
    const long = trackedSources()
      .filter((file) => !generated.test(file))
      .map((file) => ({ file, lines: readFileSync(join(root, file), 'utf8').split('\n').length - 1 }))
      .filter(({ file, lines }) => lines > (/^cmd\/.*\/main\.ts$/.test(file) ? 60 : 600));
    expect(long).toEqual([]);
  });

  test('files are kebab-case, and none is called utils, helpers, common or manager', () => {
    const wrong = trackedSources().filter((file) => {
      const name = file.split('/').at(-1) ?? '';
      return (
        !generated.test(file) &&
        (!/^[a-z0-9]+(-[a-z0-9]+)*(\.(test|suite|model))?\.ts$/.test(name) || /(^|-)(utils?|helpers?|common|manager)(-|\.)/.test(name))
      );
    });
    expect(wrong).toEqual([]);
  });
});
