/**
 * Faults of single fields, in the words of apimachinery's `field.Error`, and the `Invalid` answer that they make together.
 */
import { StatusError } from '#base/errors';

export type FieldErrorReason =
  | 'FieldValueRequired'
  | 'FieldValueInvalid'
  | 'FieldValueNotSupported'
  | 'FieldValueDuplicate'
  | 'FieldValueForbidden'
  | 'FieldValueNotFound'
  | 'FieldValueTooLong'
  | 'FieldValueTooMany'
  | 'FieldValueTypeInvalid';

export interface FieldError {
  readonly reason: FieldErrorReason;
  /** `spec.containers[0].image`. */
  readonly field: string;
  /** Without the field: `Required value`. */
  readonly message: string;
}

/** Faults beyond these, in number and in characters of their messages, are not kept: nobody reads them, and they would be many times what was sent. */
const mostFaults = 1000;
const mostCharacters = 256 * 1024;

/** Collects the faults of one object, in the order in which they are found; the first thousand, with a last one that says so. */
export class FieldErrors {
  readonly list: FieldError[] = [];
  #characters = 0;
  #isFull = false;

  get isEmpty(): boolean {
    return this.list.length === 0;
  }

  required(field: string, detail = ''): void {
    this.#add('FieldValueRequired', field, () => (detail === '' ? 'Required value' : `Required value: ${detail}`));
  }

  invalid(field: string, value: unknown, detail: string): void {
    this.#add('FieldValueInvalid', field, () => `Invalid value: ${spell(value)}${detail === '' ? '' : `: ${detail}`}`);
  }

  /** For a part that is wrong as a whole: its value is not repeated. */
  invalidPart(field: string, detail: string): void {
    this.#add('FieldValueInvalid', field, () => `Invalid value: ${detail}`);
  }

  /** `supported` is listed in the order given. */
  notSupported(field: string, value: unknown, supported: readonly string[]): void {
    this.#add('FieldValueNotSupported', field, () => {
      const list = supported.map((one) => JSON.stringify(one)).join(', ');
      return `Unsupported value: ${spell(value)}${list === '' ? '' : `: supported values: ${list}`}`;
    });
  }

  duplicate(field: string, value: unknown): void {
    this.#add('FieldValueDuplicate', field, () => `Duplicate value: ${spell(value)}`);
  }

  forbidden(field: string, detail: string): void {
    this.#add('FieldValueForbidden', field, () => (detail === '' ? 'Forbidden' : `Forbidden: ${detail}`));
  }

  notFound(field: string, value: unknown): void {
    this.#add('FieldValueNotFound', field, () => `Not found: ${spell(value)}`);
  }

  tooLong(field: string, maximum: number): void {
    this.#add('FieldValueTooLong', field, () => `Too long: may not be more than ${maximum} bytes`);
  }

  tooMany(field: string, actual: number, maximum: number): void {
    this.#add('FieldValueTooMany', field, () => `Too many: ${actual}: must have at most ${maximum} items`);
  }

  addAll(other: FieldErrors): void {
    for (const { reason, field, message } of other.list) this.#add(reason, field, () => message);
  }

  /** Throws `Invalid` if there is any fault. `kind` is qualified by its group where it has one: `Deployment.apps "x" is invalid: …`. */
  throwIfAny(type: { readonly group: string; readonly kind: string }, name: string): void {
    if (!this.isEmpty) throw invalidError(type, name, this.list);
  }

  #add(reason: FieldErrorReason, field: string, say: () => string): void {
    if (this.#isFull) return;
    const message = say();
    this.list.push({ reason, field, message });
    this.#characters += field.length + message.length;
    if (this.list.length < mostFaults && this.#characters < mostCharacters) return;
    this.#isFull = true;
    this.list.push({ reason: 'FieldValueTooMany', field: '', message: 'Too many: there are more faults: mend these first' });
  }
}

/** `Pod "x" is invalid: spec.containers[0].image: Required value`; several faults stand in brackets, each once. */
export function invalidError(
  type: { readonly group: string; readonly kind: string },
  name: string,
  errors: readonly FieldError[],
): StatusError {
  const messages = [...new Set(errors.map((error) => `${error.field}: ${error.message}`))];
  const qualified = type.group === '' ? type.kind : `${type.kind}.${type.group}`;
  const [only = ''] = messages;
  const text = messages.length === 1 ? only : `[${messages.join(', ')}]`;
  return new StatusError('Invalid', `${qualified} ${JSON.stringify(name)} is invalid: ${text}`, {
    details: {
      name,
      ...(type.group === '' ? {} : { group: type.group }),
      kind: type.kind,
      causes: errors.map(({ reason, message, field }) => ({ reason, message, field })),
    },
  });
}

const longestValue = 10_000;
const longestList = 1000;

function spell(value: unknown): string {
  if (value === undefined || value === null) return 'null';
  const text = JSON.stringify(Array.isArray(value) && value.length > longestList ? value.slice(0, longestList) : value);
  return text.length > longestValue ? `${text.slice(0, longestValue)}…` : text;
}
