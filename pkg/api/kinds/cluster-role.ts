import { defineKind } from '../define-kind.ts';
import { FieldErrors } from '../field-errors.ts';
import { checkPathSegment } from '../names.ts';
import { validateLabelSelector } from '../pod-spec/workload.ts';
import { rbacGroup, validatePolicyRules } from '../rbac-rules/rules.ts';
import type { ClusterRole } from '../shapes/types/rbac-v1.ts';
import { createdAtColumns } from '../table-columns.ts';

/** Its name may have colons: `system:…`. */
export const clusterRole = defineKind<ClusterRole>({
  group: rbacGroup,
  kind: 'ClusterRole',
  description: 'What may be done in the whole cluster, or in any namespace.',
  nameRule: checkPathSegment,
  validate: ({ rules = [], aggregationRule }) => {
    const errors = new FieldErrors();
    validatePolicyRules(rules, false, errors);
    if (aggregationRule === undefined) return errors;
    const path = 'aggregationRule.clusterRoleSelectors';
    const selectors = aggregationRule.clusterRoleSelectors ?? [];
    if (selectors.length === 0) errors.required(path, 'at least one clusterRoleSelector required if aggregationRule is non-nil');
    for (const [index, selector] of selectors.entries()) {
      const faults = new FieldErrors();
      validateLabelSelector(selector, `${path}[${index}]`, faults);
      if (!faults.isEmpty) faults.invalid(`${path}[${index}]`, null, 'invalid label selector.');
      errors.addAll(faults);
    }
    return errors;
  },
  columns: createdAtColumns,
});
