// Runs the checks and the test files, counts what passed, failed and was skipped, and says so in the last line.
// In CI a skip that test/skips.json does not allow, with its reason, is a failure.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const only = process.argv.slice(2);
const totals = { passed: 0, failed: 0, skipped: 0 };
const failures = [];
/** Files that failed and passed when run again, with what had failed. */
const unsteady = [];
const skips = JSON.parse(readFileSync('test/skips.json', 'utf8'));
const scratch = mkdtempSync(join(tmpdir(), 'berth-test-'));

function seconds(since) {
  return `${((performance.now() - since) / 1000).toFixed(1)} s`;
}

/** One command that passes or fails as a whole. */
function check(name, command, args) {
  const start = performance.now();
  const result = spawnSync(command, args, { encoding: 'utf8', maxBuffer: 1 << 28, timeout: 600_000 });
  const passed = result.status === 0;
  totals[passed ? 'passed' : 'failed']++;
  console.log(`${passed ? 'ok  ' : 'FAIL'} ${name} (${seconds(start)})`);
  if (!passed) {
    failures.push(name);
    console.log(
      `${result.stdout ?? ''}${result.stderr ?? ''}${result.error === undefined ? '' : String(result.error)}`
        .split('\n')
        .slice(-80)
        .join('\n'),
    );
  }
}

/** Runs jest once over some paths; its result, or `undefined` where it ended before it gave one (which is counted as a failure). */
function runJest(name, paths, { workers, system, minutes }) {
  const output = join(scratch, `${name.replaceAll(' ', '-')}.json`);
  const args = [
    '--experimental-vm-modules',
    '--no-warnings',
    'node_modules/jest/bin/jest.js',
    '--json',
    '--outputFile',
    output,
    '--silent=false',
  ];
  // What a daemon or a socket of such a test holds open does not keep the others from their results.
  if (system) args.push('--forceExit');
  args.push(...(workers === 1 ? ['--runInBand'] : [`--maxWorkers=${workers}`]), ...paths);
  const run = spawnSync(process.execPath, args, {
    stdio: ['ignore', 'inherit', 'inherit'],
    timeout: minutes * 60_000,
    killSignal: 'SIGKILL',
  });
  if (existsSync(output)) return JSON.parse(readFileSync(output, 'utf8'));
  totals.failed++;
  failures.push(`${name} tests: ${run.error?.message ?? `ended with ${run.status ?? run.signal}`} before they gave a result`);
  return undefined;
}

/** Counts what one file's tests did. */
function count(file) {
  const path = file.name.slice(process.cwd().length + 1);
  if (file.assertionResults.length === 0 && file.status === 'failed') {
    totals.failed++;
    failures.push(`${path}: ${file.message.split('\n')[0]}`);
  }
  for (const assertion of file.assertionResults) {
    const title = `${path}: ${assertion.fullName}`;
    if (assertion.status === 'passed') totals.passed++;
    else if (assertion.status === 'failed') {
      totals.failed++;
      failures.push(title);
    } else {
      totals.skipped++;
      const allowed = skips.some((skip) => title.includes(skip.test));
      if (!allowed && process.env.CI === 'true') {
        totals.failed++;
        failures.push(`${title} was skipped, and test/skips.json gives no reason for it`);
      } else console.log(`skipped: ${title}`);
    }
  }
}

/**
 * A run of jest over some folders, by so many files at a time. `system`: they use the machine's runtime, network and daemons.
 * A file that fails is run once more, alone and whole: the second result counts, and the first is named at the end.
 */
function jest(name, paths, options) {
  const start = performance.now();
  console.log(`---- ${name} tests`);
  const result = runJest(name, paths, options);
  for (const file of result?.testResults ?? []) {
    const failed = file.assertionResults.filter(({ status }) => status === 'failed').map(({ fullName }) => fullName);
    const again = file.status === 'failed' && runJest(`${name} again`, [file.name], { ...options, workers: 1, minutes: 10 });
    if (!again) count(file);
    else {
      for (const second of again.testResults) count(second);
      if (again.success) unsteady.push(`${file.name.slice(process.cwd().length + 1)}: ${failed.join('; ') || file.message.split('\n')[0]}`);
    }
  }
  console.log(`---- ${name} tests took ${seconds(start)}`);
}

if (only.length === 0) {
  check('format and lint (biome)', 'node_modules/.bin/biome', ['check', '.']);
  check('types (tsc) and build', 'npm', ['run', '--silent', 'build']);
  check('lint with types (oxlint)', 'node_modules/.bin/oxlint', ['--type-aware']);
  check('unused files, exports and packages (knip)', 'node_modules/.bin/knip', ['--no-progress']);
  check('generated files are what the generator makes', './hack/generate', ['--check']);
  jest(
    'unit',
    ['<rootDir>/pkg/', '<rootDir>/cmd/', '<rootDir>/hack/', '<rootDir>/test/[a-z-]+\\.test\\.ts$'].map((pattern) =>
      pattern.replace('<rootDir>/', `${process.cwd()}/`),
    ),
    { workers: 2, system: false, minutes: 15 },
  );
  jest('integration', [`${process.cwd()}/test/integration/`], { workers: 2, system: true, minutes: 20 });
  jest('end-to-end', [`${process.cwd()}/test/e2e/`], { workers: 1, system: true, minutes: 35 });
} else {
  check('types (tsc) and build', 'npm', ['run', '--silent', 'build']);
  jest('chosen', only, { workers: 1, system: true, minutes: 60 });
}

rmSync(scratch, { recursive: true, force: true });
if (unsteady.length > 0) console.log(`\nPassed only when run again:\n${unsteady.map((file) => `  ${file}`).join('\n')}`);
if (failures.length > 0) console.log(`\nFailed:\n${failures.map((failure) => `  ${failure}`).join('\n')}`);
console.log(`${totals.passed} passed, ${totals.failed} failed, ${totals.skipped} skipped`);
process.exitCode = totals.failed === 0 ? 0 : 1;
