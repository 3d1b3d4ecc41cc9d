/** Checks the shape of a Compose file against the table of keys: unknown keys, values of a wrong type, missing keys. Meaning is for others to check. */
import { ComposeError } from './compose-error.ts';
import { composeKeys } from './keys.ts';
import { describeValue, displayPath, getKey, isMapping, type Mapping, type Path, type Value } from './load/tree.ts';

export type Alternative =
  | { readonly kind: 'string' | 'number' | 'integer' | 'boolean' | 'null' | 'dict' }
  | { readonly kind: 'enum'; readonly values: readonly string[] }
  | { readonly kind: 'list'; readonly items: readonly Alternative[] }
  | { readonly kind: 'map'; readonly required: readonly string[] };

export interface Rule {
  readonly alternatives: readonly Alternative[];
  /** undefined: the keys are free. */
  keys?: Map<string, Rule>;
}

const namedByUser = new Set(['services', 'networks', 'volumes', 'secrets', 'configs', 'models']);
const namePattern = /^(?!__proto__$)[a-zA-Z0-9._-]+$/;

export const rootRule: Rule = compile();

/** Throws ComposeError with the path of the first value that does not fit. */
export function checkShape(file: Mapping): void {
  checkKeys(file, rootRule, []);
}

function compile(): Rule {
  const top: Rule = { alternatives: [{ kind: 'map', required: [] }], keys: new Map() };
  for (const { path, values } of composeKeys) {
    const steps = path.split('.');
    const last = steps.pop() ?? '';
    let rule = top;
    for (const step of steps) {
      const next = rule.keys?.get(step);
      if (next === undefined) throw new Error(`keys.ts: ${path} stands before the key that it belongs to`);
      rule = next;
    }
    rule.keys ??= new Map();
    rule.keys.set(last, { alternatives: parseAlternatives(values) });
  }
  return top;
}

function parseAlternatives(text: string): Alternative[] {
  const parts: string[] = [];
  let depth = 0;
  let part = '';
  for (const char of text) {
    if (char === '<' || char === '(') depth++;
    if (char === '>' || char === ')') depth--;
    if (char === '|' && depth === 0) {
      parts.push(part);
      part = '';
    } else part += char;
  }
  return [...parts, part].map((one): Alternative => {
    const list = /^list<(.*)>$/.exec(one);
    if (list !== null) return { kind: 'list', items: parseAlternatives(list[1] ?? '') };
    const options = /^enum\((.*)\)$/.exec(one);
    if (options !== null) return { kind: 'enum', values: (options[1] ?? '').split(',') };
    const [kind = '', ...required] = one.split(' ');
    if (kind === 'map') return { kind, required: required.map((key) => key.replace(/!$/, '')) };
    if (kind === 'string' || kind === 'number' || kind === 'integer' || kind === 'boolean' || kind === 'null' || kind === 'dict')
      return { kind };
    throw new Error(`keys.ts: unknown type ${one}`);
  });
}

function check(value: Value, rule: Rule, path: Path): void {
  // A map is chosen by its shape alone, so that what is wrong inside of it is said with its own path.
  const chosen = rule.alternatives.find((alternative) => fits(value, alternative));
  if (chosen === undefined) {
    throw new ComposeError(`must be ${rule.alternatives.map(describe).join(' or ')}, not ${describeValue(value)}`, {
      path: displayPath(path),
    });
  }
  if (chosen.kind === 'list' && Array.isArray(value)) {
    const items: Rule = { ...rule, alternatives: chosen.items };
    value.forEach((item, index) => {
      check(item, items, [...path, index]);
    });
  } else if (chosen.kind === 'map' && isMapping(value)) {
    for (const key of chosen.required) {
      if (getKey(value, key) === undefined) throw new ComposeError(`missing key "${key}"`, { path: displayPath(path) });
    }
    checkKeys(value, rule, path);
  } else if (chosen.kind === 'dict') {
    checkDict(value, path);
  }
}

function checkKeys(mapping: Mapping, rule: Rule, path: Path): void {
  const keys = rule.keys;
  if (keys === undefined) return;
  const any = keys.get('*');
  for (const [key, value] of Object.entries(mapping)) {
    const child = [...path, key];
    const next = keys.get(key) ?? any;
    if (next !== undefined) {
      if (path.length === 1 && namedByUser.has(String(path[0])) && !namePattern.test(key)) {
        throw new ComposeError(`the name ${JSON.stringify(key)} may have letters, digits, ".", "_" and "-" only`, {
          path: displayPath(child),
        });
      }
      check(value, next, child);
    } else if (!key.startsWith('x-')) {
      const near = nearest(key, keys.keys());
      throw new ComposeError(`unknown key "${key}"`, {
        path: displayPath(child),
        next: near === undefined ? 'keys of your own begin with x-' : `did you mean ${near}?`,
      });
    }
  }
}

function checkDict(value: Value, path: Path): void {
  if (Array.isArray(value)) {
    value.forEach((item, index) => {
      if (typeof item !== 'string')
        throw new ComposeError(`must be a string, not ${describeValue(item)}`, { path: displayPath([...path, index]) });
    });
  } else if (isMapping(value)) {
    const lists = path.at(-1) === 'extra_hosts';
    for (const [key, item] of Object.entries(value)) {
      if (isDictValue(item) || (lists && Array.isArray(item) && item.every((one) => typeof one === 'string'))) continue;
      throw new ComposeError(`must be a string, a number, a boolean or null, not ${describeValue(item)}`, {
        path: displayPath([...path, key]),
        next: 'quote it where it is meant as text',
      });
    }
  }
}

function isDictValue(item: Value): boolean {
  return item === null || ['string', 'number', 'bigint', 'boolean'].includes(typeof item);
}

function fits(value: Value, alternative: Alternative): boolean {
  switch (alternative.kind) {
    case 'string':
    case 'boolean':
      return typeof value === alternative.kind;
    case 'number':
      return typeof value === 'number' || typeof value === 'bigint';
    case 'integer':
      return Number.isInteger(value) || typeof value === 'bigint';
    case 'null':
      return value === null;
    case 'enum':
      return typeof value === 'string' && alternative.values.includes(value);
    case 'list':
      return Array.isArray(value);
    case 'map':
      return isMapping(value);
    case 'dict':
      return isMapping(value) || Array.isArray(value);
    default:
      return alternative satisfies never;
  }
}

function describe(alternative: Alternative): string {
  switch (alternative.kind) {
    case 'string':
    case 'number':
    case 'boolean':
      return `a ${alternative.kind}`;
    case 'integer':
      return 'a whole number';
    case 'null':
      return 'empty';
    case 'enum':
      return `one of ${alternative.values.join(', ')}`;
    case 'list':
      return 'a list';
    case 'map':
      return 'a mapping';
    case 'dict':
      return 'a mapping (KEY: value) or a list (- KEY=value)';
    default:
      return alternative satisfies never;
  }
}

/** The known key with the fewest edits, if they are few. */
function nearest(key: string, known: Iterable<string>): string | undefined {
  let best: { name: string; edits: number } | undefined;
  for (const name of known) {
    const edits = editDistance(key.toLowerCase(), name);
    if (edits <= Math.max(1, Math.floor(name.length / 2.5)) && (best === undefined || edits < best.edits)) best = { name, edits };
  }
  return best?.name;
}

function editDistance(left: string, right: string): number {
  let row = Array.from({ length: right.length + 1 }, (_, index) => index);
  for (let i = 1; i <= left.length; i++) {
    const next = [i];
    for (let j = 1; j <= right.length; j++) {
      next.push(Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, (row[j - 1] ?? 0) + (left[i - 1] === right[j - 1] ? 0 : 1)));
    }
    row = next;
  }
  return row[right.length] ?? 0;
}
