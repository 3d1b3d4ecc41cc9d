import { defineKind } from '../define-kind.ts';
import { FieldErrors } from '../field-errors.ts';
import { checkPathSegment } from '../names.ts';
import { bindingColumns } from '../rbac-rules/columns.ts';
import { defaultBinding, rbacGroup, requireSameRole, validateRoleRef, validateSubjects } from '../rbac-rules/rules.ts';
import type { RoleBinding } from '../shapes/types/rbac-v1.ts';

/** Its name may have colons: `system:…`. */
export const roleBinding = defineKind<RoleBinding>({
  group: rbacGroup,
  kind: 'RoleBinding',
  description: 'Who may do, in a namespace, what a role says.',
  nameRule: checkPathSegment,
  defaults: defaultBinding,
  validate: ({ roleRef, subjects = [] }) => {
    const errors = new FieldErrors();
    validateRoleRef(roleRef, ['Role', 'ClusterRole'], errors);
    validateSubjects(subjects, true, errors);
    return errors;
  },
  validateUpdate: (object, old) => {
    const errors = new FieldErrors();
    requireSameRole(object.roleRef, old.roleRef, errors);
    return errors;
  },
  columns: bindingColumns,
});
