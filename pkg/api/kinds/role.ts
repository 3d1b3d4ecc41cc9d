import { defineKind } from '../define-kind.ts';
import { FieldErrors } from '../field-errors.ts';
import { checkPathSegment } from '../names.ts';
import { rbacGroup, validatePolicyRules } from '../rbac-rules/rules.ts';
import type { Role } from '../shapes/types/rbac-v1.ts';
import { createdAtColumns } from '../table-columns.ts';

/** Its name may have colons: `system:…`. */
export const role = defineKind<Role>({
  group: rbacGroup,
  kind: 'Role',
  description: 'What may be done in a namespace.',
  nameRule: checkPathSegment,
  validate: ({ rules = [] }) => {
    const errors = new FieldErrors();
    validatePolicyRules(rules, true, errors);
    return errors;
  },
  columns: createdAtColumns,
});
