/**
 * The `.env` format: `KEY=value` lines, `export`, comments, quotes that may span lines, escapes in double quotes, and interpolation outside single
 * quotes. `format: raw` files (see parseRawEnv) take what follows the `=` as it is.
 */
import { ComposeError } from '../compose-error.ts';
import { interpolate, type Lookup } from './template.ts';

const keyPattern = /^[\p{L}\p{N}_.\-[\]]+$/u;
const blank = /[ \t\v\f\r\u0085\u00a0]/;

/**
 * The variables of the file in its order. A key without `=` takes its value from `lookup` or is left out. References see `lookup` first, then what the
 * file said above them. Throws ComposeError with the line.
 */
export function parseDotenv(source: string, lookup: Lookup, file = ''): Record<string, string> {
  const text = source.replace(/^\ufeff/, '').replaceAll('\r\n', '\n');
  const variables: Record<string, string> = Object.create(null) as Record<string, string>;
  const resolve: Lookup = (name) => lookup(name) ?? (Object.hasOwn(variables, name) ? variables[name] : undefined);
  const fail = (at: number, reason: string): ComposeError => {
    const before = text.slice(0, at).split('\n');
    const position = { file, line: before.length, column: (before.at(-1)?.length ?? 0) + 1 };
    return file === '' ? new ComposeError(`line ${position.line}: ${reason}`) : new ComposeError(reason, { position });
  };
  const expand = (value: string, at: number): string => {
    try {
      return interpolate(value, resolve);
    } catch (error) {
      throw error instanceof ComposeError ? fail(at, error.reason) : error;
    }
  };

  let at = startOfStatement(text, 0);
  for (; at < text.length; at = startOfStatement(text, at)) {
    const lineEnd = endOfLine(text, at);
    const line = text.slice(at, lineEnd);
    const exported = /^export\s+/.exec(line)?.[0].length ?? 0;
    const separator = line.slice(exported).search(/[=:]/);
    const key = (separator < 0 ? line.slice(exported) : line.slice(exported, exported + separator)).trim();
    if (key === '') throw fail(at, 'a variable name is missing before "="');
    if (!keyPattern.test(key)) throw fail(at, `unexpected character in variable name ${JSON.stringify(key)}`);
    if (separator < 0) {
      const inherited = lookup(key);
      if (inherited !== undefined) variables[key] = inherited;
      at = lineEnd;
      continue;
    }
    let valueAt = at + exported + separator + 1;
    while (blank.test(text[valueAt] ?? '')) valueAt++;
    const quote = text[valueAt];
    if (quote === '"' || quote === "'") {
      const quoted = readQuoted(text, valueAt, quote);
      if (quoted === undefined) throw fail(valueAt, `unterminated quoted value ${text.slice(valueAt, endOfLine(text, valueAt))}`);
      variables[key] = quote === '"' ? expand(expandEscapes(quoted.value), valueAt) : quoted.value;
      at = quoted.end;
      const rest = text.slice(at, endOfLine(text, at)).trim();
      if (rest !== '' && !rest.startsWith('#')) throw fail(at, `unexpected ${JSON.stringify(rest)} after the closing quote`);
      at = endOfLine(text, at);
    } else {
      const end = endOfLine(text, valueAt);
      const value = text.slice(valueAt, end).split(' #', 1)[0] ?? '';
      variables[key] = expand(value.trimEnd(), valueAt);
      at = end;
    }
  }
  return { ...variables };
}

/** `format: raw`: what follows the first `=` is the value as it stands; lines that begin with `#` are comments. */
export function parseRawEnv(source: string, lookup: Lookup, file = ''): Record<string, string> {
  const variables: Record<string, string> = {};
  const lines = source.replace(/^\ufeff/, '').split(/\r?\n/);
  lines.forEach((line, index) => {
    const start = line.trimStart();
    if (start === '' || start.startsWith('#')) return;
    const equals = start.indexOf('=');
    const key = equals < 0 ? start : start.slice(0, equals);
    if (key === '' || /\s/.test(key.trimEnd()) || key !== key.trimEnd()) {
      throw new ComposeError(`${JSON.stringify(key)} is no variable name`, { position: { file, line: index + 1, column: 1 } });
    }
    const value = equals < 0 ? lookup(key) : start.slice(equals + 1);
    if (value !== undefined) variables[key] = value;
  });
  return variables;
}

function endOfLine(text: string, at: number): number {
  const end = text.indexOf('\n', at);
  return end < 0 ? text.length : end;
}

/** Skips white space, empty lines and comment lines. */
function startOfStatement(text: string, from: number): number {
  let at = from;
  for (;;) {
    while (at < text.length && (text[at] === '\n' || blank.test(text[at] ?? ''))) at++;
    if (text[at] !== '#') return at;
    at = endOfLine(text, at);
  }
}

/** The characters between the quotes; only the escaped quote itself is undone here. */
function readQuoted(text: string, open: number, quote: string): { value: string; end: number } | undefined {
  let value = '';
  for (let at = open + 1; at < text.length; at++) {
    const char = text[at];
    if (char === quote) return { value, end: at + 1 };
    if (char === '\\' && at + 1 < text.length) {
      at++;
      value += text[at] === quote ? quote : `\\${text[at]}`;
    } else {
      value += char;
    }
  }
  return undefined;
}

const escapes: Readonly<Record<string, string>> = {
  a: '\u0007',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  '"': '"',
  '\\': '\\',
  $: '$$',
};

/** Shell escapes of a double-quoted value; `\$` becomes `$$`, which interpolation turns into a dollar sign. Unknown ones stay as they are. */
function expandEscapes(value: string): string {
  return value.replaceAll(/\\(0[0-3][0-7]{2}|[abfnrtv"\\$])/g, (_match, code: string) =>
    code.length === 4 ? String.fromCharCode(Number.parseInt(code.slice(1), 8)) : (escapes[code] ?? code),
  );
}
