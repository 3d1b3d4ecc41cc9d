/**
 * A type of the table made ready for the two codecs (JSON and protobuf): its fields by name with their types resolved. Built once a type, on first use.
 */
import type { FieldDescription, TypeDescription, TypeTable } from './type-table.ts';

export type ScalarName = 'string' | 'boolean' | 'int32' | 'int64' | 'double' | 'bytes' | 'any';

export interface PlanField {
  readonly name: string;
  readonly description: FieldDescription;
  readonly shape: FieldDescription['shape'];
  readonly valueIsList: boolean;
  /** Zero values are dropped: Go would not write them. */
  readonly dropsZero: boolean;
  /** The element's scalar; undefined where it has a type of its own. */
  readonly scalar: ScalarName | undefined;
  /** The element's type, for those that are no scalar. Resolved late, because types may contain themselves. */
  plan(): Plan;
}

export interface Plan {
  readonly type: TypeDescription;
  readonly fields: ReadonlyMap<string, PlanField>;
  /** Fields that Go always writes: structs that are no pointers (quantities and the like are structs too), and scalars without omitempty. */
  readonly always: readonly PlanField[];
  /** Go's name of the type, for error messages: `v1.PodSpec`. */
  readonly goName: string;
}

const scalars: ReadonlySet<string> = new Set(['string', 'boolean', 'int32', 'int64', 'double', 'bytes', 'any']);

export class Plans {
  readonly #table: TypeTable;
  readonly #plans = new Map<string, Plan>();

  constructor(table: TypeTable) {
    this.#table = table;
  }

  /** Throws on a name that the table does not have. */
  get(name: string): Plan {
    const known = this.#plans.get(name);
    if (known !== undefined) return known;
    const type = this.#table.get(name);
    const fields = type.fields.filter((field) => !field.protobufOnly).map((field) => this.#field(field));
    const plan: Plan = {
      type,
      fields: new Map(fields.map((field) => [field.name, field])),
      always: fields.filter((field) => this.#isAlways(field)),
      goName: name.split('.').slice(-2).join('.'),
    };
    this.#plans.set(name, plan);
    return plan;
  }

  #field(description: FieldDescription): PlanField {
    const isScalar = scalars.has(description.type);
    let resolved: Plan | undefined;
    return {
      name: description.name,
      description,
      shape: description.shape,
      valueIsList: description.valueIsList,
      dropsZero: description.omitEmpty && !description.pointer,
      scalar: isScalar ? (description.type as ScalarName) : undefined,
      plan: () => {
        resolved ??= this.get(description.type);
        return resolved;
      },
    };
  }

  #isAlways(field: PlanField): boolean {
    if (field.shape !== 'single' || field.description.pointer) return false;
    if (field.scalar !== undefined) return !field.description.omitEmpty && field.scalar !== 'any' && field.scalar !== 'bytes';
    const { form } = this.#table.get(field.description.type);
    return form === 'message' || form === 'quantity' || form === 'intOrString';
  }
}

/** The zero value of a scalar that is always there. */
export function zeroOf(scalar: ScalarName): unknown {
  switch (scalar) {
    case 'string':
    case 'bytes':
      return '';
    case 'boolean':
      return false;
    case 'int32':
    case 'int64':
    case 'double':
      return 0;
    case 'any':
      return null;
  }
}

/** The zero value of a type: what Go makes of null in a list or map, too. */
export function zeroElement(plan: Plan): unknown {
  switch (plan.type.form) {
    case 'quantity':
      return '0';
    case 'intOrString':
      return 0;
    case 'message': {
      const empty: Record<string, unknown> = {};
      addAlways(empty, plan);
      return empty;
    }
    case 'time':
    case 'microTime':
    case 'object':
    case 'any':
      return null;
  }
}

/** Adds to a decoded object what Go always writes, so that equal objects are spelled the same whichever way they came. */
export function addAlways(out: Record<string, unknown>, plan: Plan): void {
  for (const field of plan.always) {
    if (out[field.name] !== undefined) continue;
    if (field.scalar !== undefined) {
      out[field.name] = zeroOf(field.scalar);
    } else {
      out[field.name] = zeroElement(field.plan());
    }
  }
}
