/** What the rows of the matrix did, as it is kept beside them: docs/compatibility.md is made from it, and every run holds what it saw against it. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { repository } from '../../harness/cluster.ts';
import type { Row } from './bench.ts';

/** `absent`: this version of kubectl does not have it. */
export type Outcome = 'passed' | 'failed' | 'absent';

export interface RowResult {
  readonly command: string;
  readonly does: string;
  /** By the version of kubectl. */
  readonly outcomes: Readonly<Record<string, Outcome>>;
}

export const allVersions = ['1.27', '1.30', '1.33', '1.35'] as const;

const path = join(repository, 'test/e2e/kubectl-matrix/results.json');

export function readResults(): readonly RowResult[] {
  return JSON.parse(readFileSync(path, 'utf8')) as RowResult[];
}

/** Keeps what is known of versions that were not run. */
export function writeResults(rows: readonly Row[], seen: ReadonlyMap<Row, RowResult['outcomes']>): void {
  const known = new Map(readResults().map((row) => [row.command, row.outcomes]));
  const results = rows.map((row): RowResult => {
    const { command, does } = row;
    return { command, does, outcomes: { ...known.get(command), ...seen.get(row) } };
  });
  writeFileSync(path, `${JSON.stringify(results, undefined, 2)}\n`);
}

export function hasRow(row: Row, version: string): boolean {
  return row.since === undefined || Number(version.slice(2)) >= Number(row.since.slice(2));
}
