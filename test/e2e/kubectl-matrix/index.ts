import type { Row } from './bench.ts';
import { changeRows } from './change-rows.ts';
import { createRows } from './create-rows.ts';
import { nodeRows } from './node-rows.ts';
import { readRows } from './read-rows.ts';
import { streamRows } from './stream-rows.ts';

/** In the order of the table in docs/kubectl.md. */
export const rows: readonly Row[] = [...readRows, ...createRows, ...changeRows, ...streamRows, ...nodeRows];
