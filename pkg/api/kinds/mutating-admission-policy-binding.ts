import { defaultMatchResources, validateMatchResources } from '../admission-rules/matching.ts';
import { policyBindingColumns, validateParamRef } from '../admission-rules/policies.ts';
import { defineKind } from '../define-kind.ts';
import { deepEqual } from '../equality.ts';
import { FieldErrors } from '../field-errors.ts';
import { checkDns1123Subdomain } from '../names.ts';
import type { MutatingAdmissionPolicyBinding } from '../shapes/types/admissionregistration-v1.ts';

export const mutatingAdmissionPolicyBinding = defineKind<MutatingAdmissionPolicyBinding>({
  group: 'admissionregistration.k8s.io',
  kind: 'MutatingAdmissionPolicyBinding',
  description: 'Where a policy holds.',
  changesGeneration: (object, old) => !deepEqual(object.spec, old.spec),
  defaults: ({ spec }) => {
    if (spec.matchResources !== undefined) defaultMatchResources(spec.matchResources);
  },
  validate: ({ spec }) => {
    const errors = new FieldErrors();
    const { policyName = '', paramRef, matchResources } = spec;
    if (policyName === '') errors.required('spec.policyName');
    else for (const fault of checkDns1123Subdomain(policyName)) errors.invalid('spec.policyName', policyName, fault);
    if (paramRef !== undefined) validateParamRef(paramRef, 'spec.paramRef', errors);
    if (matchResources !== undefined) validateMatchResources(matchResources, 'spec.matchResources', errors);
    return errors;
  },
  columns: policyBindingColumns,
});
