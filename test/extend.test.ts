import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { repository } from './harness/cluster.ts';
import { runCommand } from './harness/commands.ts';

/** What is added: one file, and in the registry's list one more element (with the import that TypeScript wants for it). */
const additions = [
  {
    what: 'a kind',
    file: 'pkg/api/kinds/toy.ts',
    from: 'toy-kind.ts',
    registry: 'pkg/api/kinds/index.ts',
    list: 'writtenKinds',
    element: 'toy',
  },
  {
    what: 'a controller',
    file: 'pkg/controllers/toy.ts',
    from: 'toy-controller.ts',
    registry: 'pkg/controllers/index.ts',
    list: 'controllers',
    element: 'toy',
  },
  {
    what: 'a scheduler plugin',
    file: 'pkg/scheduler/plugins/toy.ts',
    from: 'toy-plugin.ts',
    registry: 'pkg/scheduler/plugins/index.ts',
    list: 'plugins',
    element: 'toy',
  },
  {
    what: 'an admission step',
    file: 'pkg/apiserver/admission/toy-step.ts',
    from: 'toy-step.ts',
    registry: 'pkg/apiserver/admission/index.ts',
    list: 'return',
    element: 'toyStep',
  },
  {
    what: 'a runtime driver',
    file: 'pkg/agent/runtime/toy-driver.ts',
    from: 'toy-driver.ts',
    registry: 'pkg/agent/runtime/index.ts',
    list: 'runtimeDrivers',
    element: 'toyDriver',
  },
  {
    what: 'a Compose section',
    file: 'pkg/compose/convert/toy.ts',
    from: 'toy-section.ts',
    registry: 'pkg/compose/convert/index.ts',
    list: 'sections',
    element: 'toy',
  },
  {
    what: 'a verb',
    file: 'pkg/cli/verbs/toy.ts',
    from: 'toy-verb.ts',
    registry: 'pkg/cli/verbs/index.ts',
    list: 'verbs',
    element: 'toyVerb',
  },
] as const;

let copy: string;

beforeAll(() => {
  copy = mkdtempSync(join(tmpdir(), 'berth-extend-'));
  const files = execFileSync('git', ['ls-files', 'pkg', 'test/extend', 'package.json', 'tsconfig.json', 'hack/copy-assets.mjs'], {
    cwd: repository,
    encoding: 'utf8',
  });
  for (const file of files.split('\n').filter((name) => name !== '' && !/\.(test|suite)\.ts$/.test(name))) {
    cpSync(join(repository, file), join(copy, file), { recursive: true });
  }
  symlinkSync(join(repository, 'node_modules'), join(copy, 'node_modules'));
  for (const { file, from, registry, list, element } of additions) {
    cpSync(join(repository, 'test/extend', from), join(copy, file));
    const path = join(copy, registry);
    const text = readFileSync(path, 'utf8');
    const opening = new RegExp(list === 'return' ? 'return \\[' : `export const ${list}: [^=]*= \\[`);
    if (!opening.test(text)) throw new Error(`${registry} has no list ${list}`);
    const relative = `./${file.slice(dirname(registry).length + 1)}`;
    writeFileSync(path, `import { ${element} } from '${relative}';\n${text.replace(opening, (found) => `${found}${element}, `)}`);
  }
});

afterAll(() => rmSync(copy, { recursive: true, force: true }));

test(`one new file and one line add ${additions.map(({ what }) => what).join(', ')}`, async () => {
  const built = await runCommand(
    process.execPath,
    ['node_modules/typescript/bin/tsc', '-p', '.', '--incremental', 'false', '--declaration', 'false'],
    { cwd: copy, timeout: 120_000 },
  );
  expect(built.stdout + built.stderr).toBe('');
  execFileSync(process.execPath, ['hack/copy-assets.mjs'], { cwd: copy });
  const checked = await runCommand(process.execPath, ['dist/test/extend/check.js'], { cwd: copy, timeout: 90_000 });
  expect(checked).toMatchObject({ code: 0, stdout: 'every toy plays\n' });
});
