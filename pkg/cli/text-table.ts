/** Plain tables, as kubectl prints them: columns three spaces apart, no rules, no trailing blanks. */

export interface TextTable {
  readonly headers: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

const gap = 3;
/** A column and the gap behind it are never narrower, as with kubectl. */
const leastColumn = 6;

/** Lines without an ending newline each. Cells are put on one line; control characters are shown as their escapes. */
export function renderTable(table: TextTable, options: { readonly headers: boolean } = { headers: true }): string[] {
  const rows = [...(options.headers ? [table.headers.map((header) => header.toUpperCase())] : []), ...table.rows].map((row) =>
    row.map(printable),
  );
  const widths: number[] = [];
  for (const row of rows) {
    for (const [column, cell] of row.entries()) widths[column] = Math.max(widths[column] ?? 0, displayWidth(cell));
  }
  return rows.map((row) =>
    row
      .map((cell, column) => cell + ' '.repeat(Math.max((widths[column] ?? 0) + gap, leastColumn) - displayWidth(cell)))
      .join('')
      .trimEnd(),
  );
}

/** Text that cannot move the cursor or colour the terminal, whatever an object's owner wrote into it. */
export function printable(text: string): string {
  return text.replace(/\p{Cc}/gu, (character) =>
    character === '\n' ? ' ' : `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`,
  );
}

function displayWidth(text: string): number {
  return Array.from(text).length;
}
