import { defineKind } from '../define-kind.ts';
import { FieldErrors } from '../field-errors.ts';
import { checkPathSegment } from '../names.ts';
import { bindingColumns } from '../rbac-rules/columns.ts';
import { defaultBinding, rbacGroup, requireSameRole, validateRoleRef, validateSubjects } from '../rbac-rules/rules.ts';
import type { ClusterRoleBinding } from '../shapes/types/rbac-v1.ts';

/** Its name may have colons: `system:…`. */
export const clusterRoleBinding = defineKind<ClusterRoleBinding>({
  group: rbacGroup,
  kind: 'ClusterRoleBinding',
  description: 'Who may do, in the whole cluster, what a role says.',
  nameRule: checkPathSegment,
  defaults: defaultBinding,
  validate: ({ roleRef, subjects = [] }) => {
    const errors = new FieldErrors();
    validateRoleRef(roleRef, ['ClusterRole'], errors);
    validateSubjects(subjects, false, errors);
    return errors;
  },
  validateUpdate: (object, old) => {
    const errors = new FieldErrors();
    requireSameRole(object.roleRef, old.roleRef, errors);
    return errors;
  },
  columns: bindingColumns,
});
