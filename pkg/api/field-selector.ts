/**
 * Field selectors: `status.phase=Running,spec.nodeName!=a`. Which paths an object can be selected by is told by its kind.
 */
import { StatusError } from '#base/errors';

export interface FieldRequirement {
  readonly path: string;
  readonly negated: boolean;
  readonly value: string;
}

export type FieldSelector = readonly FieldRequirement[];

/** Parses the text of a field selector; empty text selects everything. `\` escapes a comma, an equals sign and itself in values. Throws StatusError BadRequest. */
export function parseFieldSelector(text: string): FieldSelector {
  if (text === '') return [];
  return splitTerms(text)
    .filter((term) => term !== '')
    .map((term) => parseTerm(term, text));
}

function splitTerms(text: string): string[] {
  const terms: string[] = [];
  let start = 0;
  for (let index = 0; index < text.length; index++) {
    const character = text.charAt(index);
    if (character === '\\') index++;
    else if (character === ',') {
      terms.push(text.slice(start, index));
      start = index + 1;
    }
  }
  terms.push(text.slice(start));
  return terms;
}

function parseTerm(term: string, whole: string): FieldRequirement {
  const match = /^([^=!]*)(!=|==|=)(.*)$/s.exec(term);
  if (match === null) throw new StatusError('BadRequest', `invalid selector: '${whole}'; can't understand '${term}'`);
  const [, path = '', operator = '', value = ''] = match;
  return { path: path.trim(), negated: operator === '!=', value: unescapeValue(value, whole) };
}

function unescapeValue(value: string, whole: string): string {
  let text = '';
  for (let index = 0; index < value.length; index++) {
    const character = value.charAt(index);
    if (character === '\\') {
      const next = value.charAt(++index);
      if (!['\\', ',', '='].includes(next)) {
        throw new StatusError('BadRequest', `invalid selector: '${whole}'; invalid field selector: invalid escape sequence: \\${next}`);
      }
      text += next;
    } else if (character === '=') {
      throw new StatusError('BadRequest', `invalid selector: '${whole}'; invalid field selector: unescaped character in value: =`);
    } else {
      text += character;
    }
  }
  return text;
}

/** Whether all requirements hold; `read` gives the value of a path. */
export function matchesFieldSelector(selector: FieldSelector, read: (path: string) => string): boolean {
  return selector.every(({ path, negated, value }) => (read(path) === value) !== negated);
}

/** The value that the path must have, where the selector says so: lets a list by name become a get. */
export function requiredFieldValue(selector: FieldSelector, path: string): string | undefined {
  return selector.find((requirement) => requirement.path === path && !requirement.negated)?.value;
}

/** By which objects of every kind can be selected. */
const commonFields = ['metadata.name', 'metadata.namespace'];

/**
 * Throws StatusError BadRequest for a path that objects of this kind cannot be selected by, in the words of Kubernetes, which differ between kinds that
 * have fields of their own and others. `supported` has the metadata's too.
 */
export function checkFieldSelector(selector: FieldSelector, supported: readonly string[]): void {
  for (const { path } of selector) {
    if (supported.includes(path)) continue;
    const common = supported.every((one) => commonFields.includes(one));
    throw new StatusError(
      'BadRequest',
      common
        ? `${JSON.stringify(path)} is not a known field selector: only ${commonFields.map((one) => JSON.stringify(one)).join(', ')}`
        : `field label not supported: ${path} (supported: ${supported.join(', ')})`,
    );
  }
}
