/**
 * The JSONPath templates of `kubectl -o jsonpath=…` that people write: text, `{.a.b}`, `['a b']`, `[0]`, `[-1]`, `[*]`, `[1:3]`, `..name`,
 * `[?(@.a=="b")]`, `{range …}…{end}` and quoted text. Pure; throws `UsageError` at the place where a template goes wrong.
 */
import { UsageError } from './verb.ts';

type Step =
  | { readonly type: 'field'; readonly name: string }
  | { readonly type: 'index'; readonly index: number }
  | { readonly type: 'slice'; readonly start: number | undefined; readonly end: number | undefined }
  | { readonly type: 'all' }
  | { readonly type: 'descendants'; readonly name: string }
  | { readonly type: 'filter'; readonly path: readonly Step[]; readonly operator: string | undefined; readonly value: unknown };

type Node =
  | { readonly type: 'text'; readonly text: string }
  | { readonly type: 'path'; readonly steps: readonly Step[] }
  | { readonly type: 'range'; readonly steps: readonly Step[]; readonly body: readonly Node[] };

/** The template filled from `data`; several values of one path are joined by blanks, as kubectl does. Missing fields give nothing. */
export function renderJsonPath(template: string, data: unknown): string {
  const source = template.includes('{') ? template : `{${template}}`;
  return renderNodes(parseTemplate(source), data);
}

/** All values at one path, such as `.spec.containers[*].image`. */
export function findByPath(path: string, data: unknown): unknown[] {
  return follow(parseSteps(path.replace(/^\{|\}$/g, ''), path), data);
}

function renderNodes(nodes: readonly Node[], data: unknown): string {
  let output = '';
  for (const node of nodes) {
    if (node.type === 'text') output += node.text;
    else if (node.type === 'path') output += follow(node.steps, data).map(show).join(' ');
    else for (const item of follow(node.steps, data)) output += renderNodes(node.body, item);
  }
  return output;
}

function show(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function parseTemplate(template: string): Node[] {
  const stack: { steps: readonly Step[]; body: Node[] }[] = [{ steps: [], body: [] }];
  let rest = template;
  while (rest !== '') {
    const top = stack.at(-1)!;
    const open = rest.indexOf('{');
    if (open !== 0) {
      top.body.push({ type: 'text', text: open < 0 ? rest : rest.slice(0, open) });
      rest = open < 0 ? '' : rest.slice(open);
      continue;
    }
    const close = endOfExpression(rest, template);
    const expression = rest.slice(1, close).trim();
    rest = rest.slice(close + 1);
    if (expression === 'end') {
      if (stack.length === 1) throw malformed(template, '{end} without {range}');
      const { steps, body } = stack.pop()!;
      stack.at(-1)!.body.push({ type: 'range', steps, body });
    } else if (expression.startsWith('range ')) {
      stack.push({ steps: parseSteps(expression.slice(6).trim(), template), body: [] });
    } else if (/^(".*"|'.*')$/s.test(expression)) {
      top.body.push({ type: 'text', text: unquote(expression) });
    } else top.body.push({ type: 'path', steps: parseSteps(expression, template) });
  }
  if (stack.length > 1) throw malformed(template, '{range} without {end}');
  return stack[0]!.body;
}

function endOfExpression(text: string, template: string): number {
  let quote = '';
  for (let index = 1; index < text.length; index++) {
    const character = text[index]!;
    if (quote !== '') {
      if (character === '\\') index++;
      else if (character === quote) quote = '';
    } else if (character === '"' || character === "'") quote = character;
    else if (character === '}') return index;
  }
  throw malformed(template, 'a { has no }');
}

const stepPattern =
  /^(?:\.\.([\w-]+|\*)|\.((?:\\.|[^.[\]\\\s])+)|\[(-?\d*):(-?\d*)\]|\[(-?\d+)\]|\[\*\]|\[(?:'([^']*)'|"([^"]*)")\]|\[\?\(@((?:[^=!<>)]|\)(?!\]))*?)(?:\s*(==|!=|<=|>=|<|>)\s*([^\]]+?))?\)\])/;

function parseSteps(path: string, template: string): Step[] {
  let rest = path.replace(/^[$@]/, '');
  if (rest !== '' && !/^[.[]/.test(rest)) rest = `.${rest}`;
  const steps: Step[] = [];
  while (rest !== '' && rest !== '.') {
    const match = stepPattern.exec(rest);
    if (match === null) throw malformed(template, `cannot read ${JSON.stringify(rest)}`);
    const [whole, descendants, field, start, end, index, single, double, filterPath, operator, value] = match;
    if (descendants !== undefined) steps.push({ type: 'descendants', name: descendants });
    else if (field === '*') steps.push({ type: 'all' });
    else if (field !== undefined) steps.push({ type: 'field', name: field.replaceAll(/\\(.)/g, '$1') });
    else if (start !== undefined && end !== undefined) steps.push({ type: 'slice', start: bound(start), end: bound(end) });
    else if (index !== undefined) steps.push({ type: 'index', index: Number(index) });
    else if (single !== undefined || double !== undefined) steps.push({ type: 'field', name: single ?? double ?? '' });
    else if (filterPath !== undefined) {
      steps.push({
        type: 'filter',
        path: parseSteps(filterPath.trim(), template),
        operator,
        value: value === undefined ? undefined : literal(value.trim()),
      });
    } else steps.push({ type: 'all' });
    rest = rest.slice(whole.length);
  }
  return steps;
}

function bound(text: string): number | undefined {
  return text === '' ? undefined : Number(text);
}

function literal(text: string): unknown {
  if (/^(".*"|'.*')$/s.test(text)) return unquote(text);
  if (text === 'true' || text === 'false') return text === 'true';
  return Number.isNaN(Number(text)) ? text : Number(text);
}

function unquote(text: string): string {
  return text.slice(1, -1).replaceAll(/\\(n|t|r|.)/g, (_, letter: string) => ({ n: '\n', t: '\t', r: '\r' })[letter] ?? letter);
}

function follow(steps: readonly Step[], data: unknown): unknown[] {
  let values: unknown[] = [data];
  for (const step of steps) values = values.flatMap((value) => take(step, value));
  return values.filter((value) => value !== undefined && value !== null);
}

function take(step: Step, value: unknown): unknown[] {
  if (typeof value !== 'object' || value === null) return [];
  switch (step.type) {
    case 'field':
      return Object.hasOwn(value, step.name) ? [(value as Record<string, unknown>)[step.name]] : [];
    case 'all':
      return Object.values(value);
    case 'index':
      return Array.isArray(value) ? [value.at(step.index)] : [];
    case 'slice':
      return Array.isArray(value) ? value.slice(step.start, step.end) : [];
    case 'filter':
      return (Array.isArray(value) ? value : Object.values(value)).filter((item) => matches(step, item));
    case 'descendants':
      return descendants(step.name, value);
  }
}

function descendants(name: string, value: unknown): unknown[] {
  if (typeof value !== 'object' || value === null) return [];
  const here = name === '*' ? Object.values(value) : take({ type: 'field', name }, value);
  return [...here, ...Object.values(value).flatMap((child) => descendants(name, child))];
}

function matches(step: Extract<Step, { type: 'filter' }>, item: unknown): boolean {
  const found = follow(step.path, item);
  if (step.operator === undefined) return found.length > 0;
  return found.some((left) => compare(left, step.operator ?? '==', step.value));
}

function compare(left: unknown, operator: string, right: unknown): boolean {
  switch (operator) {
    case '==':
      return left === right;
    case '!=':
      return left !== right;
    default: {
      if (typeof left !== typeof right || (typeof left !== 'number' && typeof left !== 'string')) return false;
      const order = left < (right as typeof left) ? -1 : left > (right as typeof left) ? 1 : 0;
      return operator === '<' ? order < 0 : operator === '<=' ? order <= 0 : operator === '>' ? order > 0 : order >= 0;
    }
  }
}

function malformed(template: string, reason: string): UsageError {
  return new UsageError(
    `the JSONPath template ${JSON.stringify(template)} cannot be read: ${reason}`,
    "Example: -o jsonpath='{.items[*].metadata.name}'",
  );
}
