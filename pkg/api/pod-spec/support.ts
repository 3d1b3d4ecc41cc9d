/** Applies the table of pod fields (pod-fields.ts) to a spec. */
import type { FieldErrors } from '../field-errors.ts';
import { typeTable } from '../schema/type-table.ts';
import type { PodSpec } from '../shapes/types/core-v1.ts';
import { type FieldSupport, podFields } from './pod-fields.ts';

interface Rule {
  readonly support: FieldSupport;
  /** What is inside of the field, where anything there is refused or warned of. */
  readonly inner: Rules | undefined;
  readonly shape: 'single' | 'list' | 'map';
}

type Rules = ReadonlyMap<string, Rule>;

const podSpecRules = rulesOf('core.v1.PodSpec', new Map()) ?? new Map<string, Rule>();

/** The fields of a type by which something is refused or warned of, and those that lead there. */
function rulesOf(typeName: string, known: Map<string, Rules | undefined>): Rules | undefined {
  const support = podFields[typeName];
  if (support === undefined || known.has(typeName)) return known.get(typeName);
  known.set(typeName, undefined);
  const rules = new Map<string, Rule>();
  for (const { name, type, shape } of typeTable.get(typeName).fields) {
    const own = support[name];
    if (own === undefined) continue;
    const inner = own.support === 'honoured' ? rulesOf(type, known) : undefined;
    if (own.support !== 'honoured' || inner !== undefined) rules.set(name, { support: own, inner, shape });
  }
  const result = rules.size === 0 ? undefined : rules;
  known.set(typeName, result);
  return result;
}

/**
 * Adds a fault for every field that is refused (where `errors` is given), and returns the warnings for fields that are accepted without effect, each with
 * its path.
 */
export function checkPodFields(spec: PodSpec, path: string, errors?: FieldErrors): string[] {
  const warnings: string[] = [];
  walk(spec, path, podSpecRules, errors, warnings);
  return warnings;
}

function walk(value: object, path: string, rules: Rules, errors: FieldErrors | undefined, warnings: string[]): void {
  for (const key in value) {
    const rule = rules.get(key);
    if (rule === undefined) continue;
    const item = (value as Record<string, unknown>)[key];
    if (item === undefined) continue;
    const at = `${path}.${key}`;
    const { support, reason = '', when } = rule.support;
    if (support !== 'honoured') {
      if (when !== undefined && !when(item, value)) continue;
      if (support === 'refused') errors?.forbidden(at, `not supported by Berth: ${reason}`);
      else warnings.push(`${at}: accepted without effect: ${reason}`);
    } else if (rule.inner !== undefined) {
      if (rule.shape === 'single') walk(item as object, at, rule.inner, errors, warnings);
      else if (rule.shape === 'list') {
        for (const [index, element] of (item as object[]).entries()) walk(element, `${at}[${index}]`, rule.inner, errors, warnings);
      }
    }
  }
}
