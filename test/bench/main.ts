/** Prints one table of all benches, or of those whose names have a word of the command line. */
import type { Bench, Row } from './bench.ts';
import { benches } from './index.ts';

const words = process.argv.slice(2);
const chosen: readonly Bench[] = benches.filter((bench) => words.length === 0 || words.some((word) => bench.name.includes(word)));
const rows: (Row & { readonly bench: string })[] = [];
for (const bench of chosen) {
  const missing = bench.missing?.();
  if (missing !== undefined) {
    process.stderr.write(`${bench.name}: not measured: ${missing}\n`);
    continue;
  }
  const start = performance.now();
  rows.push(...(await bench.run()).map((row) => ({ ...row, bench: bench.name })));
  process.stderr.write(`${bench.name}: measured in ${((performance.now() - start) / 1000).toFixed(1)} s\n`);
}

const format = (value: number): string => (value >= 100 ? Math.round(value).toString() : value.toFixed(value >= 10 ? 1 : 2));
const cells = rows.map((row) => [
  row.bench,
  row.name,
  `${format(row.value)} ${row.unit}`,
  row.aim === undefined ? '' : `${format(row.aim)} ${row.unit}`,
]);
const table = [['bench', 'what', 'measured', 'aim'], ...cells];
const widths = [0, 1, 2, 3].map((column) => Math.max(...table.map((line) => line[column]!.length)));
for (const line of table)
  process.stdout.write(
    `${line
      .map((cell, column) => cell.padEnd(widths[column]!))
      .join('  ')
      .trimEnd()}\n`,
  );
