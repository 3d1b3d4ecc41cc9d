import { defineKind } from '../define-kind.ts';
import { FieldErrors } from '../field-errors.ts';
import { requireOneOf } from '../pod-spec/checks.ts';
import type { PriorityClass } from '../shapes/types/scheduling-v1.ts';
import { ageColumn, nameColumn, tableColumns } from '../table-columns.ts';

const systemPrefix = 'system-';
const highestOfUsers = 1_000_000_000;
const ofSystem: Readonly<Record<string, number>> = { 'system-cluster-critical': 2_000_000_000, 'system-node-critical': 2_000_001_000 };

export const priorityClass = defineKind<PriorityClass>({
  group: 'scheduling.k8s.io',
  kind: 'PriorityClass',
  description: 'Which pods are scheduled first.',
  support: 'acted on',
  supportNote: 'orders the pods that wait; one that fits nowhere takes the place of pods of lower priority',
  defaults: (draft) => {
    draft.preemptionPolicy ??= 'PreemptLowerPriority';
  },
  validate: (object) => {
    const errors = new FieldErrors();
    const { name = '' } = object.metadata;
    if (name.startsWith(systemPrefix)) {
      const why = faultOfSystem(name, object);
      if (why !== undefined) {
        errors.forbidden('metadata.name', `priority class names with 'system-' prefix are reserved for system use only. error: ${why}`);
      }
    } else if ((object.value ?? 0) > highestOfUsers) {
      errors.forbidden('value', `maximum allowed value of a user defined priority is ${highestOfUsers}`);
    }
    requireOneOf(object.preemptionPolicy, 'preemptionPolicy', ['PreemptLowerPriority', 'Never'], errors);
    return errors;
  },
  validateUpdate: (object, old) => {
    const errors = new FieldErrors();
    if (object.value !== old.value) errors.forbidden('value', 'may not be changed in an update.');
    if (object.preemptionPolicy !== old.preemptionPolicy) {
      errors.invalid('preemptionPolicy', object.preemptionPolicy ?? null, 'field is immutable');
    }
    return errors;
  },
  columns: tableColumns<PriorityClass>([
    nameColumn,
    { name: 'Value', type: 'integer', description: 'The priority; higher comes first.', cell: (object) => object.value ?? 0 },
    {
      name: 'Global-Default',
      type: 'boolean',
      description: 'Whether pods without a class have it.',
      cell: (object) => object.globalDefault ?? false,
    },
    ageColumn,
    {
      name: 'PreemptionPolicy',
      type: 'string',
      description: 'Whether others may have to give way.',
      cell: (object) => object.preemptionPolicy ?? '',
    },
  ]),
});

/** Why it is not one of the classes that the server makes itself. */
function faultOfSystem(name: string, { value, globalDefault = false }: PriorityClass): string | undefined {
  const known = Object.hasOwn(ofSystem, name) ? ofSystem[name] : undefined;
  if (known === undefined) return `${name} is not a known system priority class`;
  if (value !== known) return `value of ${name} PriorityClass must be ${known}`;
  return globalDefault ? `globalDefault of ${name} PriorityClass must be false` : undefined;
}
