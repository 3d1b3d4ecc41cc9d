import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { missingForCluster, repository, startTestCluster, type TestCluster } from '../harness/cluster.ts';
import { installedVersions, useKubectl } from '../harness/kubectl.ts';
import { type Bench, image, type Row, soloPod } from './kubectl-matrix/bench.ts';
import { rows } from './kubectl-matrix/index.ts';

const missing = missingForCluster();
const allVersions = ['1.27', '1.30', '1.33', '1.35'] as const;
const versions = [...installedVersions(['1.27', '1.30', '1.33']), '1.35'];
const documentPath = join(repository, 'docs/kubectl.md');

const has = (row: Row, version: string): boolean => row.since === undefined || Number(version.slice(2)) >= Number(row.since.slice(2));

/** The table of results as the documentation shows it, once all rows pass. */
function documentOf(all: readonly Row[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  const inCell = (cell: string): string => cell.replaceAll('|', '\\|');
  return [
    '# kubectl',
    '',
    'What was run, with real kubectls against a real cluster, and what it did. `test/e2e/kubectl-matrix.test.ts` runs it and holds this table',
    '(written with `BERTH_WRITE_DOCS=1`); the commands of every day (get, describe, apply, logs, exec, …) are in `test/e2e/kubectl.test.ts`.',
    '',
    line(['command', 'what it must print or change', ...allVersions]),
    line(['---', '---', ...allVersions.map(() => ':-:')]),
    ...all.map((row) =>
      line([`\`${inCell(row.command)}\``, inCell(row.does), ...allVersions.map((version) => (has(row, version) ? '✓' : '–'))]),
    ),
    '',
    '✓ passes; – this version does not have it.',
    '',
  ].join('\n');
}

test('the table in docs/kubectl.md is the one of these rows', () => {
  if (process.env.BERTH_WRITE_DOCS === '1') return;
  expect(readFileSync(documentPath, 'utf8')).toBe(documentOf(rows));
});

(missing === undefined ? describe : describe.skip)('kubectl, whole', () => {
  let cluster: TestCluster;
  let scratch: string;
  let benches: readonly Bench[] = [];
  let passed = 0;

  beforeAll(async () => {
    scratch = mkdtempSync(join(tmpdir(), 'berth-kubectl-matrix-'));
    cluster = await startTestCluster({ demoImage: true });
    benches = await Promise.all(versions.map((version) => makeBench(version)));
  });

  afterAll(async () => {
    await cluster?.stop();
    rmSync(scratch, { recursive: true, force: true });
    if (process.env.BERTH_WRITE_DOCS === '1' && passed === rows.length && versions.length === allVersions.length)
      writeFileSync(documentPath, documentOf(rows));
  });

  async function makeBench(version: string): Promise<Bench> {
    const namespace = `matrix-${version.replace('.', '-')}`;
    const folder = join(scratch, namespace);
    mkdirSync(folder);
    const kubectl = await useKubectl(version, cluster.kubeconfig, scratch);
    const run = (...args: string[]): Promise<string> => kubectl.succeed('-n', namespace, ...args);
    await run('create', 'namespace', namespace);
    const manifest = join(folder, 'solo.json');
    writeFileSync(manifest, JSON.stringify(soloPod));
    await run('create', '-f', manifest);
    await run('create', 'deployment', 'web', `--image=${image}`, '--', 'sleep', '3600');
    await run('wait', '--for=condition=Ready', 'pod/solo', '--timeout=60s');
    await run('rollout', 'status', 'deployment/web', '--timeout=60s');
    const node = (await run('get', 'nodes', '-o', 'name')).trim().replace('node/', '');
    const attempt = async (...args: string[]): Promise<string> => {
      const { stdout, stderr } = await kubectl.run(['-n', namespace, ...args]);
      return stdout + stderr;
    };
    return { kubectl, namespace, node, folder, run, attempt };
  }

  test.each(rows.map((row) => [row.command, row.does, row] as const))('%s: %s', async (_command, _does, row) => {
    const chosen = benches.filter(({ kubectl }) => has(row, kubectl.version));
    const check = async (bench: Bench): Promise<string | undefined> => {
      try {
        await row.check(bench);
        return undefined;
      } catch (error) {
        return `kubectl ${bench.kubectl.version}: ${String((error as { message?: unknown }).message ?? error)}`;
      }
    };
    const results: (string | undefined)[] = [];
    if (row.alone === true) for (const bench of chosen) results.push(await check(bench));
    else results.push(...(await Promise.all(chosen.map(check))));
    const failures = results.filter((result) => result !== undefined);
    expect(failures.join('\n\n')).toBe('');
    passed++;
  });
});
