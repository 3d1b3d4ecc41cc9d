/**
 * Interpolation of one string: `$NAME`, `${NAME}`, and `${NAME<operator>word}` with `:-` `-` (default), `:?` `?` (required), `:+` `+` (alternative);
 * `$$` is a dollar sign. A word may itself hold references and is looked at only when it is used.
 */
import { ComposeError } from '../compose-error.ts';

/** The value of a variable, or undefined where it is not set. An empty value is a value. */
export type Lookup = (name: string) => string | undefined;

export interface TemplateOptions {
  /** Told of a reference to a variable that is not set and has no default: it becomes the empty string. */
  readonly onUnset?: (name: string) => void;
}

const namePattern = /[A-Za-z_][A-Za-z0-9_]*/y;
const operatorPattern = /:?[-?+]/y;
const maximumDepth = 64;

/** Throws ComposeError for a malformed template and for a required variable without a value. */
export function interpolate(template: string, lookup: Lookup, options: TemplateOptions = {}): string {
  return expand(template, lookup, options, 0);
}

function expand(template: string, lookup: Lookup, options: TemplateOptions, depth: number): string {
  if (!template.includes('$')) return template;
  if (depth > maximumDepth) throw new ComposeError(`invalid interpolation: more than ${maximumDepth} defaults inside each other`);
  let result = '';
  let at = 0;
  for (;;) {
    const dollar = template.indexOf('$', at);
    if (dollar < 0) return result + template.slice(at);
    result += template.slice(at, dollar);
    const next = template[dollar + 1];
    if (next === '$') {
      result += '$';
      at = dollar + 2;
    } else if (next === '{') {
      const end = closingBrace(template, dollar + 1);
      if (end < 0) throw invalid(template.slice(dollar), 'the closing brace is missing');
      result += expandBraced(template.slice(dollar + 2, end), lookup, options, depth);
      at = end + 1;
    } else {
      const name = matchAt(namePattern, template, dollar + 1);
      if (name === undefined) {
        result += '$';
        at = dollar + 1;
      } else {
        result += variableValue(name, lookup, options);
        at = dollar + 1 + name.length;
      }
    }
  }
}

function expandBraced(body: string, lookup: Lookup, options: TemplateOptions, depth: number): string {
  const name = matchAt(namePattern, body, 0);
  if (name === undefined) throw invalid(`\${${body}}`, 'a variable name begins with a letter or an underscore');
  if (name.length === body.length) return variableValue(name, lookup, options);
  const operator = matchAt(operatorPattern, body, name.length);
  if (operator === undefined) throw invalid(`\${${body}}`, 'after the name comes one of :- - :? ? :+ +');
  const word = (): string => expand(body.slice(name.length + operator.length), lookup, options, depth + 1);
  const value = lookup(name);
  const present = value !== undefined && (value !== '' || operator.length === 1);
  if (operator.endsWith('+')) return present ? word() : '';
  if (present) return value;
  if (operator.endsWith('-')) return word();
  const message = word();
  throw new ComposeError(`required variable ${name} is missing a value${message === '' ? '' : `: ${message}`}`, {
    next: `set ${name} in the environment or in the .env file`,
  });
}

function variableValue(name: string, lookup: Lookup, options: TemplateOptions): string {
  const value = lookup(name);
  if (value === undefined) options.onUnset?.(name);
  return value ?? '';
}

/** Index of the brace that closes the one at `open`; braces inside count, so that a default may be JSON. -1 if there is none. */
function closingBrace(template: string, open: number): number {
  let depth = 0;
  for (let at = open; at < template.length; at++) {
    if (template[at] === '{') depth++;
    else if (template[at] === '}' && --depth === 0) return at;
  }
  return -1;
}

function matchAt(pattern: RegExp, text: string, at: number): string | undefined {
  const sticky = new RegExp(pattern.source, 'y');
  sticky.lastIndex = at;
  return sticky.exec(text)?.[0];
}

function invalid(reference: string, reason: string): ComposeError {
  return new ComposeError(`invalid interpolation ${JSON.stringify(reference)}: ${reason}`, { next: 'write $$ for a dollar sign' });
}
