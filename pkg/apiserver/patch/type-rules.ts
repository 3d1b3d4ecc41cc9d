import { type FieldDescription, type TypeTable, typeTable } from '#api/schema/type-table';
import type { FieldRules, PatchStrategy, TypeRules } from './strategic-merge.ts';

const known = new WeakMap<TypeTable, Map<string, TypeRules>>();

/** The strategic-merge rules of a type of the table (`core.v1.Pod`); undefined for what is no type of it: such objects do not merge strategically. */
export function rulesOf(typeName: string, table: TypeTable = typeTable): TypeRules | undefined {
  const type = table.find(typeName);
  if (type === undefined || type.form !== 'message') return undefined;
  let rules = known.get(table);
  if (rules === undefined) {
    rules = new Map();
    known.set(table, rules);
  }
  let found = rules.get(typeName);
  if (found === undefined) {
    const fields = new Map(type.fields.map((field) => [field.name, field]));
    const made = new Map<string, FieldRules>();
    found = {
      field: (name) => {
        const field = fields.get(name);
        if (field === undefined) return undefined;
        let fieldRules = made.get(name);
        if (fieldRules === undefined) {
          fieldRules = fieldRulesOf(field, table);
          made.set(name, fieldRules);
        }
        return fieldRules;
      },
    };
    rules.set(typeName, found);
  }
  return found;
}

function fieldRulesOf(field: FieldDescription, table: TypeTable): FieldRules {
  const strategies = field.patchStrategy.filter(
    (one): one is PatchStrategy => one === 'merge' || one === 'replace' || one === 'retainKeys',
  );
  // The values of a map have rules of their own, but their keys are data: below a map everything merges plainly.
  const below = field.shape === 'map' ? undefined : rulesOf(field.type, table);
  return {
    strategies,
    ...(field.patchMergeKey === undefined || field.patchMergeKey === '' ? {} : { mergeKey: field.patchMergeKey }),
    ...(below === undefined ? {} : { below }),
  };
}
