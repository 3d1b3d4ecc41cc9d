/** Indented `Name:  value` text, as `kubectl describe` lays it out. */

export type Line = readonly [name: string, value: Value] | string;
export type Value = string | number | boolean | undefined | readonly Line[];

const column = 2;

/** Lines with names aligned within each level; undefined values are left out. */
export function renderSections(lines: readonly Line[], indent = ''): string[] {
  const named = lines.filter((line): line is readonly [string, Value] => typeof line !== 'string' && line[1] !== undefined);
  const inline = named.filter(([, value]) => !Array.isArray(value));
  const width = Math.max(0, ...inline.map(([name]) => name.length)) + 1 + column;
  return lines.flatMap((line) => {
    if (typeof line === 'string') return [`${indent}${line}`];
    const [name, value] = line;
    if (value === undefined) return [];
    if (typeof value === 'object')
      return value.length === 0
        ? [`${indent}${name}:${' '.repeat(column)}<none>`]
        : [`${indent}${name}:`, ...renderSections(value, `${indent}  `)];
    const [first = '', ...rest] = String(value).split('\n');
    return [`${indent}${`${name}:`.padEnd(width)}${first}`.trimEnd(), ...rest.map((text) => `${indent}${' '.repeat(width)}${text}`)];
  });
}

/** `a=b` a line, or `<none>`. */
export function renderMap(map: Readonly<Record<string, string>> | undefined, separator = '='): string {
  const entries = Object.entries(map ?? {});
  return entries.length === 0
    ? '<none>'
    : entries
        .toSorted(([a], [b]) => (a < b ? -1 : 1))
        .map(([key, value]) => `${key}${separator}${value}`)
        .join('\n');
}

/** A table under a heading, indented. */
export function indentTable(lines: readonly string[]): string[] {
  return lines.map((line) => `  ${line}`);
}
