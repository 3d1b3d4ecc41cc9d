import { expect, test } from '@jest/globals';
import { printable, renderTable } from './text-table.ts';

test('columns are three spaces apart, without trailing blanks', () => {
  expect(
    renderTable({
      headers: ['Name', 'Ready'],
      rows: [
        ['a-long-name', '1/1'],
        ['b', ''],
      ],
    }),
  ).toEqual(['NAME          READY', 'a-long-name   1/1', 'b']);
});

test('a cell cannot move the cursor or break the line', () => {
  expect(printable('a\u001b[2Jb\nc')).toBe('a\\x1b[2Jb c');
});
