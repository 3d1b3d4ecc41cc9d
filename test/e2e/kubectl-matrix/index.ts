import { applyRows } from './apply-rows.ts';
import { authRows } from './auth-rows.ts';
import type { Row } from './bench.ts';
import { changeRows } from './change-rows.ts';
import { createRows } from './create-rows.ts';
import { nodeRows } from './node-rows.ts';
import { readRows } from './read-rows.ts';
import { rolloutRows } from './rollout-rows.ts';
import { streamRows } from './stream-rows.ts';

/** In the order of the table in docs/compatibility.md. */
export const rows: readonly Row[] = [
  ...readRows,
  ...authRows,
  ...createRows,
  ...applyRows,
  ...changeRows,
  ...rolloutRows,
  ...streamRows,
  ...nodeRows,
];
