import { defaultMatchResources, validateMatchResources } from '../admission-rules/matching.ts';
import { policyBindingColumns, validateParamRef } from '../admission-rules/policies.ts';
import { defineKind } from '../define-kind.ts';
import { deepEqual } from '../equality.ts';
import { FieldErrors } from '../field-errors.ts';
import { checkDns1123Subdomain } from '../names.ts';
import type { ValidatingAdmissionPolicyBinding } from '../shapes/types/admissionregistration-v1.ts';

const actions = ['Deny', 'Warn', 'Audit'];

export const validatingAdmissionPolicyBinding = defineKind<ValidatingAdmissionPolicyBinding>({
  group: 'admissionregistration.k8s.io',
  kind: 'ValidatingAdmissionPolicyBinding',
  description: 'Where a policy holds, and what follows when it is not met.',
  changesGeneration: (object, old) => !deepEqual(object.spec, old.spec),
  defaults: ({ spec }) => {
    if (spec.matchResources !== undefined) defaultMatchResources(spec.matchResources);
  },
  validate: ({ spec }) => {
    const errors = new FieldErrors();
    const { policyName = '', paramRef, matchResources, validationActions = [] } = spec;
    if (policyName === '') errors.required('spec.policyName');
    else for (const fault of checkDns1123Subdomain(policyName)) errors.invalid('spec.policyName', policyName, fault);
    if (paramRef !== undefined) validateParamRef(paramRef, 'spec.paramRef', errors);
    if (matchResources !== undefined) validateMatchResources(matchResources, 'spec.matchResources', errors);
    if (validationActions.length === 0) errors.required('spec.validationActions', 'at least one validation action is required');
    const seen = new Set<string>();
    for (const [index, action] of validationActions.entries()) {
      if (!actions.includes(action)) errors.notSupported(`spec.validationActions[${index}]`, action, actions.toSorted());
      if (seen.has(action)) errors.duplicate(`spec.validationActions[${index}]`, action);
      seen.add(action);
    }
    if (seen.has('Deny') && seen.has('Warn')) {
      errors.invalid(
        'spec.validationActions',
        validationActions,
        'must not contain both Deny and Warn (repeating the same validation failure information in the API response and headers serves no purpose)',
      );
    }
    return errors;
  },
  columns: policyBindingColumns,
});
