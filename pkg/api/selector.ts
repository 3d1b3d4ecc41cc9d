/**
 * Label selectors: the text of `-l` and of queries (`a=b,c!=d,e in (x,y),!f`), and the objects inside of specs. Parse errors have Kubernetes' words.
 */
import { StatusError } from '#base/errors';
import { checkLabelValue, checkQualifiedName } from './names.ts';
import type { LabelSelector } from './shapes/types/meta-v1.ts';

export type SelectorOperator = 'In' | 'NotIn' | 'Exists' | 'DoesNotExist' | 'Equals' | 'NotEquals' | 'GreaterThan' | 'LessThan';

export interface Requirement {
  readonly key: string;
  readonly operator: SelectorOperator;
  /** Sorted, each once. */
  readonly values: readonly string[];
}

export type Labels = Readonly<Record<string, string>>;

/** All requirements must hold; none at all selects everything. */
export type Selector = readonly Requirement[];

/** Whether labels satisfy all requirements. A key that is absent satisfies `!=` and `notin`. */
export function matchesSelector(selector: Selector, labels: Labels | undefined): boolean {
  for (const requirement of selector) if (!matchesRequirement(requirement, labels)) return false;
  return true;
}

function matchesRequirement({ key, operator, values }: Requirement, labels: Labels | undefined): boolean {
  const value = labels !== undefined && Object.hasOwn(labels, key) ? labels[key] : undefined;
  switch (operator) {
    case 'In':
    case 'Equals':
      return value !== undefined && values.includes(value);
    case 'NotIn':
    case 'NotEquals':
      return value === undefined || !values.includes(value);
    case 'Exists':
      return value !== undefined;
    case 'DoesNotExist':
      return value === undefined;
    case 'GreaterThan':
    case 'LessThan': {
      if (value === undefined || !/^[+-]?\d+$/.test(value)) return false;
      const [bound = '0'] = values;
      return operator === 'GreaterThan' ? BigInt(value) > BigInt(bound) : BigInt(value) < BigInt(bound);
    }
  }
}

/** The requirements of a `LabelSelector`. An absent selector selects nothing and gives undefined; an empty one selects everything. Throws StatusError BadRequest. */
export function selectorOf(selector: LabelSelector | undefined): Selector | undefined {
  if (selector === undefined) return undefined;
  const requirements: Requirement[] = Object.entries(selector.matchLabels ?? {}).map(([key, value]) => makeRequirement(key, 'In', [value]));
  for (const { key, operator, values } of selector.matchExpressions ?? []) {
    if (operator !== 'In' && operator !== 'NotIn' && operator !== 'Exists' && operator !== 'DoesNotExist') {
      throw new StatusError('BadRequest', `"${operator}" is not a valid label selector operator`);
    }
    requirements.push(makeRequirement(key, operator, values ?? []));
  }
  return requirements;
}

/** The selector of a plain map of labels (a Service's), which all must be equal. */
export function selectorOfLabels(labels: Labels): Selector {
  return Object.entries(labels).map(([key, value]) => ({ key, operator: 'Equals', values: [value] }));
}

/** The text of a selector, as `parseSelector` reads it; sorted by key. */
export function formatSelector(selector: Selector): string {
  return selector
    .toSorted((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0))
    .map(formatRequirement)
    .join(',');
}

function formatRequirement({ key, operator, values }: Requirement): string {
  switch (operator) {
    case 'Exists':
      return key;
    case 'DoesNotExist':
      return `!${key}`;
    case 'Equals':
      return `${key}=${values[0] ?? ''}`;
    case 'NotEquals':
      return `${key}!=${values[0] ?? ''}`;
    case 'In':
      return `${key} in (${values.join(',')})`;
    case 'NotIn':
      return `${key} notin (${values.join(',')})`;
    case 'GreaterThan':
      return `${key}>${values[0] ?? ''}`;
    case 'LessThan':
      return `${key}<${values[0] ?? ''}`;
  }
}

/** The text of a `LabelSelector` as the scale subresource and `kubectl get -o wide` show it: equality where one value suffices. */
export function formatLabelSelector(selector: LabelSelector | undefined): string {
  const requirements = selectorOf(selector);
  if (requirements === undefined) return '<none>';
  return formatSelector(
    requirements.map((one) =>
      one.operator === 'In' && one.values.length === 1 && hasLabel(selector, one.key) ? { ...one, operator: 'Equals' } : one,
    ),
  );
}

function hasLabel(selector: LabelSelector | undefined, key: string): boolean {
  return Object.hasOwn(selector?.matchLabels ?? {}, key);
}

/** Parses the text of a selector; empty text selects everything. Throws StatusError BadRequest. */
export function parseSelector(text: string): Selector {
  return new SelectorParser(text).parse();
}

type TokenKind = 'identifier' | 'in' | 'notin' | '=' | '==' | '!=' | '>' | '<' | '!' | '(' | ')' | ',' | 'end';

interface Token {
  readonly kind: TokenKind;
  readonly text: string;
}

const special = /[=!(),><]/;

class SelectorParser {
  readonly #text: string;
  #position = 0;
  #token: Token;

  constructor(text: string) {
    this.#text = text;
    this.#token = this.#read();
  }

  parse(): Selector {
    const requirements: Requirement[] = [];
    while (this.#kind() !== 'end') {
      if (!this.#isName() && this.#kind() !== '!') throw this.#unexpected("!, identifier, or 'end of string'");
      requirements.push(this.#requirement());
      if (this.#kind() === 'end') break;
      if (this.#kind() !== ',') throw this.#unexpected("',' or 'end of string'");
      this.#next();
      if (!this.#isName() && this.#kind() !== '!') throw this.#unexpected("identifier after ','");
    }
    return requirements;
  }

  #requirement(): Requirement {
    if (this.#kind() === '!') {
      this.#next();
      return makeRequirement(this.#identifier(), 'DoesNotExist', []);
    }
    const key = this.#identifier();
    switch (this.#kind()) {
      case 'end':
      case ',':
        return makeRequirement(key, 'Exists', []);
      case 'in':
        return makeRequirement(key, 'In', this.#valueSet());
      case 'notin':
        return makeRequirement(key, 'NotIn', this.#valueSet());
      case '=':
      case '==':
        return makeRequirement(key, 'Equals', [this.#exactValue()]);
      case '!=':
        return makeRequirement(key, 'NotEquals', [this.#exactValue()]);
      case '>':
        return makeRequirement(key, 'GreaterThan', [this.#exactValue()]);
      case '<':
        return makeRequirement(key, 'LessThan', [this.#exactValue()]);
      default:
        throw this.#unexpected('in, notin, =, ==, !=, gt, lt');
    }
  }

  #identifier(): string {
    if (!this.#isName()) throw this.#unexpected('identifier');
    const { text } = this.#token;
    this.#next();
    return text;
  }

  /** The value after `=`: empty before a comma and at the end. */
  #exactValue(): string {
    this.#next();
    if (this.#kind() === 'end' || this.#kind() === ',') return '';
    return this.#identifier();
  }

  #valueSet(): string[] {
    this.#next();
    if (this.#kind() !== '(') throw this.#unexpected("'('");
    const values: string[] = [];
    this.#next();
    for (;;) {
      if (this.#isName()) {
        values.push(this.#identifier());
      } else if (this.#kind() === ',' || this.#kind() === ')') {
        values.push('');
      } else {
        throw this.#unexpected("',', or identifier");
      }
      if (this.#kind() === ')') break;
      if (this.#kind() !== ',') throw this.#unexpected("',' or ')'");
      this.#next();
    }
    this.#next();
    return values;
  }

  #isName(): boolean {
    const kind = this.#kind();
    return kind === 'identifier' || kind === 'in' || kind === 'notin';
  }

  /** Asked anew each time, because reading goes on in between. */
  #kind(): TokenKind {
    return this.#token.kind;
  }

  #next(): void {
    this.#token = this.#read();
  }

  #read(): Token {
    while (/\s/.test(this.#text.charAt(this.#position))) this.#position++;
    if (this.#position >= this.#text.length) return { kind: 'end', text: '' };
    const start = this.#position;
    const first = this.#text.charAt(start);
    if (special.test(first)) {
      const two = this.#text.slice(start, start + 2);
      const text = two === '==' || two === '!=' ? two : first;
      this.#position += text.length;
      return { kind: text as TokenKind, text };
    }
    while (this.#position < this.#text.length && !/[\s=!(),><]/.test(this.#text.charAt(this.#position))) this.#position++;
    const text = this.#text.slice(start, this.#position);
    return { kind: text === 'in' || text === 'notin' ? text : 'identifier', text };
  }

  #unexpected(wanted: string): StatusError {
    return new StatusError('BadRequest', `unable to parse requirement: found '${this.#token.text}', expected: ${wanted}`);
  }
}

function makeRequirement(key: string, operator: SelectorOperator, given: readonly string[]): Requirement {
  const [fault] = checkQualifiedName(key);
  if (fault !== undefined) throw malformed(`key: Invalid value: ${JSON.stringify(key)}: ${fault}`);
  const values = [...new Set(given)].toSorted();
  if ((operator === 'In' || operator === 'NotIn') && values.length === 0) {
    throw malformed("values: Invalid value: []: for 'in', 'notin' operators, values set can't be empty");
  }
  if ((operator === 'Exists' || operator === 'DoesNotExist') && values.length > 0) {
    throw malformed(`values: Invalid value: ${JSON.stringify(values)}: values set must be empty for exists and does not exist`);
  }
  for (const [index, value] of values.entries()) {
    const [wrong] = checkLabelValue(value);
    if (wrong !== undefined) throw malformed(`values[${index}][${key}]: Invalid value: ${JSON.stringify(value)}: ${wrong}`);
    if ((operator === 'GreaterThan' || operator === 'LessThan') && !/^[+-]?\d+$/.test(value)) {
      throw malformed(`values[${index}]: Invalid value: ${JSON.stringify(value)}: for 'Gt', 'Lt' operators, the value must be an integer`);
    }
  }
  return { key, operator, values };
}

function malformed(detail: string): StatusError {
  return new StatusError('BadRequest', `unable to parse requirement: ${detail}`);
}
