import { defaultMatchResources, validateMatchConditions, validateMatchResources } from '../admission-rules/matching.ts';
import { paramKindColumn, validateParamKind, validateVariables } from '../admission-rules/policies.ts';
import { defineKind } from '../define-kind.ts';
import { FieldErrors } from '../field-errors.ts';
import { requireOneOf } from '../pod-spec/checks.ts';
import type { ValidatingAdmissionPolicy } from '../shapes/types/admissionregistration-v1.ts';
import { ageColumn, nameColumn, tableColumns } from '../table-columns.ts';

const reasons = ['Forbidden', 'Invalid', 'RequestEntityTooLarge', 'Unauthorized'];

export const validatingAdmissionPolicy = defineKind<ValidatingAdmissionPolicy>({
  group: 'admissionregistration.k8s.io',
  kind: 'ValidatingAdmissionPolicy',
  description: 'Expressions that requests must satisfy.',
  defaults: ({ spec }) => {
    spec.failurePolicy ??= 'Fail';
    if (spec.matchConstraints !== undefined) defaultMatchResources(spec.matchConstraints);
  },
  validate: ({ spec }) => {
    const errors = new FieldErrors();
    requireOneOf(spec.failurePolicy, 'spec.failurePolicy', ['Fail', 'Ignore'], errors);
    if (spec.paramKind !== undefined) validateParamKind(spec.paramKind, 'spec.paramKind', errors);
    const { matchConstraints, validations = [], auditAnnotations = [] } = spec;
    if (matchConstraints === undefined) errors.required('spec.matchConstraints');
    else {
      validateMatchResources(matchConstraints, 'spec.matchConstraints', errors);
      if ((matchConstraints.resourceRules ?? []).length === 0) errors.required('spec.matchConstraints.resourceRules');
    }
    validateMatchConditions(spec.matchConditions ?? [], 'spec.matchConditions', errors);
    validateVariables(spec.variables ?? [], 'spec.variables', errors);
    if (validations.length === 0 && auditAnnotations.length === 0) {
      errors.required('spec.validations', 'validations or auditAnnotations must be non-empty');
      errors.required('spec.auditAnnotations', 'validations or auditAnnotations must be non-empty');
    }
    for (const [index, { expression, message, reason }] of validations.entries()) {
      const path = `spec.validations[${index}]`;
      if (expression.trim() === '') errors.required(`${path}.expression`, 'expression is not specified');
      if (message !== undefined && message.trim() === '') {
        errors.invalid(`${path}.message`, message, 'message must be non-empty if specified');
      } else if (message?.includes('\n') === true) errors.invalid(`${path}.message`, message, 'message must not contain line breaks');
      requireOneOf(reason, `${path}.reason`, reasons, errors);
    }
    for (const [index, { key, valueExpression }] of auditAnnotations.entries()) {
      if (key === '') errors.required(`spec.auditAnnotations[${index}].key`);
      if (valueExpression.trim() === '') {
        errors.required(`spec.auditAnnotations[${index}].valueExpression`, 'valueExpression is not specified');
      }
    }
    return errors;
  },
  columns: tableColumns<ValidatingAdmissionPolicy>([
    nameColumn,
    { name: 'Validations', type: 'integer', description: 'How many.', cell: ({ spec }) => spec.validations?.length ?? 0 },
    paramKindColumn,
    ageColumn,
  ]),
});
