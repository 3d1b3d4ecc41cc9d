/**
 * The shapes of all served types at run time: decoding, OpenAPI, strategic merges and the protobuf codec all read them here.
 * A type is parsed when it is first asked for and then kept; what it gives is never changed.
 */
import { kinds, table } from '../shapes/table.ts';
import { parseType, type TypeDescription } from './parse-table.ts';

export type { FieldDescription, TypeDescription } from './parse-table.ts';

export class TypeTable {
  readonly #source: Readonly<Record<string, string>>;
  readonly #kinds: Readonly<Record<string, string>>;
  readonly #parsed = new Map<string, TypeDescription>();

  /** `source` has a type's header and field lines by its name; `kindNames` type names by `group/version/Kind`. */
  constructor(source: Readonly<Record<string, string>>, kindNames: Readonly<Record<string, string>>) {
    this.#source = source;
    this.#kinds = kindNames;
  }

  /** Every type's name, sorted. */
  names(): string[] {
    return Object.keys(this.#source);
  }

  /** The type `core.v1.Pod`; undefined for what is no type, scalars included. */
  find(name: string): TypeDescription | undefined {
    const known = this.#parsed.get(name);
    if (known !== undefined) return known;
    if (!Object.hasOwn(this.#source, name)) return undefined;
    const [header = '', ...lines] = (this.#source[name] ?? '').split('\n');
    const type = parseType(name, header, lines);
    this.#parsed.set(name, type);
    return type;
  }

  /** Like `find`, for names that come from the table itself. */
  get(name: string): TypeDescription {
    const type = this.find(name);
    if (type === undefined) throw new Error(`the type table has no type ${name}`);
    return type;
  }

  /** The name of the type that has this kind: `('', 'v1', 'Pod')` → `core.v1.Pod`. */
  nameOfKind(group: string, version: string, kind: string): string | undefined {
    const key = `${group}/${version}/${kind}`;
    return Object.hasOwn(this.#kinds, key) ? this.#kinds[key] : undefined;
  }
}

/** The table of everything that this server serves. */
export const typeTable: TypeTable = new TypeTable(table, kinds);
