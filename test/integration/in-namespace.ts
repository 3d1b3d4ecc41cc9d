/**
 * Runs a test file in a network namespace of its own, so that it may change the kernel's network as a node does without the machine noticing: the
 * file is run once more, by a second jest in that namespace, and its results are told here, test by test.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from '@jest/globals';

const marker = 'BERTH_TEST_IN_NAMESPACE';
const limit = 600_000;

interface JestReport {
  readonly testResults: readonly {
    readonly message: string;
    readonly assertionResults: readonly {
      readonly fullName: string;
      readonly status: string;
      readonly failureMessages: readonly string[];
    }[];
  }[];
}

/** True in the namespace: define the tests. Otherwise they have been run, and stand here as tests already. */
export function isInNamespace(file: string): boolean {
  if (process.env[marker] === '1') {
    execFileSync('ip', ['link', 'set', 'lo', 'up']);
    return true;
  }
  const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
  const folder = mkdtempSync(join(tmpdir(), 'berth-namespace-'));
  const output = join(folder, 'report.json');
  try {
    const jest = [
      '--experimental-vm-modules',
      'node_modules/jest/bin/jest.js',
      fileURLToPath(file),
      '--json',
      '--outputFile',
      output,
      '--forceExit',
    ];
    const run = spawnSync('unshare', ['--net', process.execPath, ...jest], {
      cwd: root,
      env: { ...process.env, [marker]: '1' },
      encoding: 'utf8',
      timeout: limit,
    });
    let report: JestReport;
    try {
      report = JSON.parse(readFileSync(output, 'utf8'));
    } catch {
      throw new Error(`the tests in a network namespace of their own did not run: ${run.stderr}`);
    }
    for (const { assertionResults, message } of report.testResults) {
      if (assertionResults.length === 0) throw new Error(message);
      for (const { fullName, status, failureMessages } of assertionResults) {
        const skipped = status === 'pending' || status === 'todo';
        (skipped ? test.skip : test)(fullName, () => {
          if (status !== 'passed') throw new Error(failureMessages.join('\n'));
        });
      }
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return false;
}
