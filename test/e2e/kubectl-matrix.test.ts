import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { missingForCluster, startTestCluster, type TestCluster } from '../harness/cluster.ts';
import { installedVersions, useKubectl } from '../harness/kubectl.ts';
import { type Bench, image, type Row, soloPod } from './kubectl-matrix/bench.ts';
import { rows } from './kubectl-matrix/index.ts';
import { allVersions, hasRow, type Outcome, readResults, writeResults } from './kubectl-matrix/results.ts';

const missing = missingForCluster();
const versions = [...installedVersions(['1.27', '1.30', '1.33']), '1.35'];
/** Instead of holding what is seen against what is kept, keeps it. */
const writes = process.env.BERTH_WRITE_DOCS === '1';

test('the results that are kept are of these rows, on every version', () => {
  if (writes) return;
  const kept = readResults();
  expect(kept.map(({ command, does }) => ({ command, does }))).toEqual(rows.map(({ command, does }) => ({ command, does })));
  for (const [at, row] of rows.entries()) {
    expect(Object.keys(kept[at]!.outcomes)).toEqual([...allVersions]);
    for (const version of allVersions) expect(kept[at]!.outcomes[version] === 'absent').toBe(!hasRow(row, version));
  }
});

(missing === undefined ? describe : describe.skip)('kubectl, whole', () => {
  let cluster: TestCluster;
  let scratch: string;
  let benches: readonly Bench[] = [];
  const seen = new Map<Row, Record<string, Outcome>>();

  beforeAll(async () => {
    scratch = mkdtempSync(join(tmpdir(), 'berth-kubectl-matrix-'));
    cluster = await startTestCluster({ demoImage: true });
    benches = await Promise.all(versions.map((version) => makeBench(version)));
  });

  afterAll(async () => {
    await cluster?.stop();
    rmSync(scratch, { recursive: true, force: true });
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
    const outcomes: Record<string, Outcome> = Object.fromEntries(versions.map((version) => [version, 'absent']));
    seen.set(row, outcomes);
    const check = async (bench: Bench): Promise<string | undefined> => {
      const { version } = bench.kubectl;
      outcomes[version] = 'failed';
      try {
        await row.check(bench);
        outcomes[version] = 'passed';
        return undefined;
      } catch (error) {
        return `kubectl ${version}: ${String((error as { message?: unknown }).message ?? error)}`;
      }
    };
    const chosen = benches.filter(({ kubectl }) => hasRow(row, kubectl.version));
    const results: (string | undefined)[] = [];
    if (row.alone === true) for (const bench of chosen) results.push(await check(bench));
    else results.push(...(await Promise.all(chosen.map(check))));
    const failures = results.filter((result) => result !== undefined);
    expect(failures.join('\n\n')).toBe('');
  });

  test('the results that are kept, of which docs/compatibility.md is made, are what was seen (BERTH_WRITE_DOCS=1 keeps these)', () => {
    if (writes) writeResults(rows, seen);
    const kept = new Map(readResults().map(({ command, outcomes }) => [command, outcomes]));
    for (const [row, outcomes] of seen) expect({ command: row.command, ...kept.get(row.command) }).toMatchObject(outcomes);
  });
});
