/** Rules for roles and their bindings. */
import { deepEqual } from '../equality.ts';
import type { FieldErrors } from '../field-errors.ts';
import { checkDns1123Subdomain, checkPathSegment } from '../names.ts';
import type { PolicyRule, RoleRef, Subject } from '../shapes/types/rbac-v1.ts';

export const rbacGroup = 'rbac.authorization.k8s.io';

export function validatePolicyRules(rules: readonly PolicyRule[], isNamespaced: boolean, errors: FieldErrors): void {
  for (const [index, rule] of rules.entries()) validatePolicyRule(rule, isNamespaced, `rules[${index}]`, errors);
}

function validatePolicyRule(rule: PolicyRule, isNamespaced: boolean, path: string, errors: FieldErrors): void {
  const { verbs = [], nonResourceURLs = [], apiGroups = [], resources = [], resourceNames = [] } = rule;
  if (verbs.length === 0) errors.required(`${path}.verbs`, 'verbs must contain at least one value');
  if (nonResourceURLs.length > 0) {
    const at = `${path}.nonResourceURLs`;
    if (isNamespaced) errors.invalid(at, nonResourceURLs, 'namespaced rules cannot apply to non-resource URLs');
    if (apiGroups.length + resources.length + resourceNames.length > 0) {
      errors.invalid(at, nonResourceURLs, 'rules cannot apply to both regular resources and non-resource URLs');
    }
    return;
  }
  if (apiGroups.length === 0) errors.required(`${path}.apiGroups`, 'resource rules must supply at least one api group');
  if (resources.length === 0) errors.required(`${path}.resources`, 'resource rules must supply at least one resource');
}

/** `roles`: the kinds that may be named. */
export function validateRoleRef({ apiGroup = '', kind, name }: RoleRef, roles: readonly string[], errors: FieldErrors): void {
  if (apiGroup !== rbacGroup) errors.notSupported('roleRef.apiGroup', apiGroup, [rbacGroup]);
  if (!roles.includes(kind)) errors.notSupported('roleRef.kind', kind, roles);
  if (name === '') errors.required('roleRef.name');
  else for (const fault of checkPathSegment(name)) errors.invalid('roleRef.name', name, fault);
}

export function validateSubjects(subjects: readonly Subject[], isNamespaced: boolean, errors: FieldErrors): void {
  for (const [index, subject] of subjects.entries()) validateSubject(subject, isNamespaced, `subjects[${index}]`, errors);
}

function validateSubject(
  { kind, name, apiGroup = '', namespace = '' }: Subject,
  isNamespaced: boolean,
  path: string,
  errors: FieldErrors,
): void {
  if (name === '') errors.required(`${path}.name`);
  switch (kind) {
    case 'ServiceAccount':
      if (name !== '') for (const fault of checkDns1123Subdomain(name)) errors.invalid(`${path}.name`, name, fault);
      if (apiGroup !== '') errors.notSupported(`${path}.apiGroup`, apiGroup, ['']);
      if (!isNamespaced && namespace === '') errors.required(`${path}.namespace`);
      return;
    case 'User':
    case 'Group':
      if (apiGroup !== rbacGroup) errors.notSupported(`${path}.apiGroup`, apiGroup, [rbacGroup]);
      return;
    default:
      errors.notSupported(`${path}.kind`, kind, ['ServiceAccount', 'User', 'Group']);
  }
}

export function requireSameRole(now: RoleRef, before: RoleRef, errors: FieldErrors): void {
  if (!deepEqual(now, before)) errors.invalid('roleRef', now, 'cannot change roleRef');
}

/** Groups of what is named without one. */
export function defaultBinding(binding: { roleRef: RoleRef; subjects?: Subject[] }): void {
  if ((binding.roleRef.apiGroup ?? '') === '') binding.roleRef.apiGroup = rbacGroup;
  for (const subject of binding.subjects ?? []) {
    if ((subject.apiGroup ?? '') === '' && (subject.kind === 'User' || subject.kind === 'Group')) subject.apiGroup = rbacGroup;
  }
}
