import { defaultMatchResources, validateMatchConditions, validateMatchResources } from '../admission-rules/matching.ts';
import { paramKindColumn, validateParamKind, validateVariables } from '../admission-rules/policies.ts';
import { defineKind } from '../define-kind.ts';
import { deepEqual } from '../equality.ts';
import { FieldErrors } from '../field-errors.ts';
import { requireOneOf } from '../pod-spec/checks.ts';
import type { MutatingAdmissionPolicy, Mutation } from '../shapes/types/admissionregistration-v1.ts';
import { ageColumn, nameColumn, tableColumns } from '../table-columns.ts';

const patchTypes = ['ApplyConfiguration', 'JSONPatch'];

export const mutatingAdmissionPolicy = defineKind<MutatingAdmissionPolicy>({
  group: 'admissionregistration.k8s.io',
  kind: 'MutatingAdmissionPolicy',
  description: 'Expressions that change requests.',
  changesGeneration: (object, old) => !deepEqual(object.spec, old.spec),
  defaults: ({ spec }) => {
    spec.failurePolicy ??= 'Fail';
    spec.reinvocationPolicy ??= 'Never';
    if (spec.matchConstraints !== undefined) defaultMatchResources(spec.matchConstraints);
  },
  validate: ({ spec }) => {
    const errors = new FieldErrors();
    requireOneOf(spec.failurePolicy, 'spec.failurePolicy', ['Fail', 'Ignore'], errors);
    if (spec.paramKind !== undefined) validateParamKind(spec.paramKind, 'spec.paramKind', errors);
    const { matchConstraints, mutations = [] } = spec;
    if (matchConstraints === undefined) errors.required('spec.matchConstraints');
    else {
      validateMatchResources(matchConstraints, 'spec.matchConstraints', errors);
      if ((matchConstraints.resourceRules ?? []).length === 0) errors.required('spec.matchConstraints.resourceRules');
    }
    validateMatchConditions(spec.matchConditions ?? [], 'spec.matchConditions', errors);
    validateVariables(spec.variables ?? [], 'spec.variables', errors);
    if (mutations.length === 0) errors.required('spec.mutations', 'mutations must contain at least one item');
    for (const [index, mutation] of mutations.entries()) validateMutation(mutation, `spec.mutations[${index}]`, errors);
    requireOneOf(spec.reinvocationPolicy, 'spec.reinvocationPolicy', ['IfNeeded', 'Never'], errors);
    return errors;
  },
  columns: tableColumns<MutatingAdmissionPolicy>([
    nameColumn,
    { name: 'Mutations', type: 'integer', description: 'How many.', cell: ({ spec }) => spec.mutations?.length ?? 0 },
    paramKindColumn,
    ageColumn,
  ]),
});

function validateMutation({ patchType, applyConfiguration, jsonPatch }: Mutation, path: string, errors: FieldErrors): void {
  if ((patchType ?? '') === '') errors.required(`${path}.patchType`);
  else if (!patchTypes.includes(patchType)) errors.notSupported(`${path}.patchType`, patchType, patchTypes);
  const parts = [
    ['applyConfiguration', 'ApplyConfiguration', applyConfiguration],
    ['jsonPatch', 'JSONPatch', jsonPatch],
  ] as const;
  for (const [field, type, part] of parts) {
    if (patchType !== type) {
      if (part !== undefined) errors.invalid(`${path}.${field}`, part, `must not be set when patchType is ${patchType}`);
    } else if (part === undefined) errors.required(`${path}.${field}`);
    else if ((part.expression ?? '').trim() === '') errors.required(`${path}.${field}.expression`);
  }
}
